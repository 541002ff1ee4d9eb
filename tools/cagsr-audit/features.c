/*
 * What each head alone would say: coverage of the prompt's content words by the best step
 * (F12), on the head's own rows; and on the mean of each layer's heads.
 */
#include "audit.h"

#include "attn/stats.h"
#include "base/reserve.h"
#include "reward/coverage.h"

#include <stdlib.h>
#include <string.h>

struct feature_work {
    struct salient_rules rules;
    struct words words;
    struct salient salient;
    struct salient_group *group; /* (G) cut to the support */
    size_t G, group_cap;
    unsigned char *support;
    uint32_t *pos;
    size_t support_cap, pos_cap;
    double *A; /* (T, P) of one head, and of a layer behind it */
    size_t A_cap;
};

int feature_work_new(struct feature_work **out, enum salient_mode mode, struct err *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(e, ERR_NOMEM, "no memory for heads");
    (*out)->rules.mode = mode;
    return 0;
}

void feature_work_free(struct feature_work *w)
{
    if (!w)
        return;
    words_release(&w->words);
    salient_release(&w->salient);
    free(w->group);
    free(w->support);
    free(w->pos);
    free(w->A);
    free(w);
}

static int read_prompt(struct feature_work *w, const struct sample *s, struct err *e)
{
    const struct prompt_text p = {
        .text = s->prompt.s,
        .n = s->prompt.n,
        .ends = s->prompt_ends,
        .P = s->P,
        .mask = s->has & SAMPLE_PROMPT_MASK ? s->prompt_mask : NULL,
        .no_sink = rec_str_is(s->attn.kind, "cross"),
    };
    int rc;

    if (!(s->has & SAMPLE_PROMPT) || !(s->has & SAMPLE_PROMPT_ENDS) || s->prompt.n == 0)
        return rec_fault(
            s->rec, ERR_RECORD, e, "prompt",
            "heads are told apart by the prompt's words, which need 'prompt' "
            "and 'prompt_ends'");
    if ((rc = reserve(&w->support, &w->support_cap, s->P, 1, e)) < 0 ||
        (rc = reserve(&w->pos, &w->pos_cap, s->P, sizeof *w->pos, e)) < 0)
        return rc;
    salient_support(w->support, &p);
    if ((rc = salient_words(&w->words, &p, e)) < 0 ||
        (rc = salient_pick(&w->salient, &w->words, &p, w->support, &w->rules, e)) < 0 ||
        (rc = reserve(&w->group, &w->group_cap, w->salient.n + 1, sizeof *w->group,
                      e)) < 0)
        return rc;
    if (w->salient.n)
        memcpy(w->group, w->salient.group, w->salient.n * sizeof *w->group);
    w->G = coverage_groups(w->group, w->salient.n, w->support, s->P);
    return 0;
}

int features_of(float *out, struct feature_work *w, const struct sample *s,
                struct err *e)
{
    const struct sample_attn *a = &s->attn;
    const size_t TP = a->T * a->P;
    int rc = read_prompt(w, s, e);

    if (rc < 0 || (rc = reserve(&w->A, &w->A_cap, 2 * TP, sizeof *w->A, e)) < 0)
        return rc;
    double *layer = w->A + TP;
    struct attn_rows rows = {.T = a->T,
                             .P = a->P,
                             .steps = a->T - (s->finish == FINISH_EOS && a->T > 1),
                             .pos = w->pos,
                             .n = attn_support(w->pos, w->support, a->P)};
    for (size_t l = 0; l < a->L; l++) {
        memset(layer, 0, TP * sizeof *layer);
        for (size_t h = 0; h < a->H; h++) {
            attn_widen(w->A, a->rows + (l * a->H + h) * TP, TP);
            if ((rc = attn_check(w->A, a->T, a->P, e)) < 0)
                return err_prefix(e, "record %zu: field 'attn'", s->rec->number);
            rows.A = w->A;
            out[l * a->H + h] = (float)coverage_best(NULL, NULL, &rows, w->group, w->G);
            attn_add(layer, w->A, TP, 1 / (double)a->H);
        }
        rows.A = layer;
        out[a->L * a->H + l] = (float)coverage_best(NULL, NULL, &rows, w->group, w->G);
    }
    return 0;
}
