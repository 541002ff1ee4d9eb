#include "view/scene.h"

#include "attn/stats.h"
#include "base/reserve.h"
#include "view/said.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 16 }; /* room for " #-2147483648" */

static void cand_release(struct scene_cand *c)
{
    sample_release(&c->sample);
    free(c->tokens.token);
    free(c->tokens.label);
    free(c->rows);
    free(c->term);
    free(c->word);
    free(c->repeated.span);
    free(c->copied.span);
    free(c->pos);
}

void scene_release(struct scene *s)
{
    for (size_t i = 0; i < s->cap; i++)
        cand_release(&s->cand[i]);
    free(s->cand);
    free(s->order);
    free(s->prompt.token);
    free(s->prompt.label);
    free(s->mark);
    free(s->ids);
    prompt_release(&s->reads);
    ngram_table_release(&s->table);
    *s = (struct scene){0};
}

/* ---- tokens ---------------------------------------------------------------------------- */
/* A token may end inside a character: the character is then all of it, and the next tokens
 * are empty. */
static size_t char_end(struct rec_str text, size_t at)
{
    while (at < text.n && ((unsigned char)text.s[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static int split_tokens(struct scene_tokens *k, struct rec_str text,
                        const uint32_t *ends, const int32_t *ids, size_t n,
                        struct err *e)
{
    size_t from = 0;
    int rc = reserve(&k->token, &k->cap, n + 1, sizeof *k->token, e);

    k->n = n;
    if (rc < 0)
        return rc;
    if (!ends && (rc = reserve(&k->label, &k->label_cap, n * LABEL + 1, 1, e)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (ends) {
            const size_t end = char_end(text, ends[i]);

            k->token[i] = (struct rec_str){text.s + from, end - from};
            from = end;
        } else {
            char *label = k->label + i * LABEL;

            k->token[i] =
                (struct rec_str){label, (size_t)snprintf(label, LABEL, " #%d", ids[i])};
        }
    }
    return 0;
}

static int read_tokens(struct scene_cand *c, struct err *e)
{
    const struct sample *x = &c->sample;
    const unsigned need = SAMPLE_TEXT | SAMPLE_ENDS;
    const int text = (x->has & need) == need && x->text.n;

    return split_tokens(&c->tokens, x->text, text ? x->ends : NULL, x->ids, x->T, e);
}

static int read_prompt_tokens(struct scene *s, const struct sample *x, struct err *e)
{
    const unsigned need = SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS;
    const int text = (x->has & need) == need && x->prompt.n;

    return split_tokens(&s->prompt, x->prompt, text ? x->prompt_ends : NULL,
                        x->prompt_ids, x->P, e);
}

/* ---- attention ------------------------------------------------------------------------- */
static int find_planes(struct attn_planes *p, const struct sample_attn *a,
                       const struct scene_look *k, struct err *e)
{
    const size_t first = planes_first_layer(a);

    *p = planes_all(a);
    if (!a->L && (k->layer >= 0 || k->head >= 0))
        return err_set(e, ERR_USAGE,
                       "layers and heads are not kept apart in these records: "
                       "cagsr-attn --heads each does");
    if (k->layer >= 0) {
        if ((size_t)k->layer < first || (size_t)k->layer >= first + a->L)
            return err_set(e, ERR_USAGE, "layer %ld: the records have %zu to %zu",
                           k->layer, first, first + a->L - 1);
        p->l0 = (size_t)k->layer - first;
        p->l1 = p->l0 + 1;
    }
    if (k->head >= 0) {
        if ((size_t)k->head >= a->H)
            return err_set(e, ERR_USAGE, "head %ld: the records have 0 to %zu", k->head,
                           a->H - 1);
        p->h0 = (size_t)k->head;
        p->h1 = p->h0 + 1;
    }
    return 0;
}

/* c->rows is the mean that words are read from, c->A the plane looked at, behind it. */
static int read_planes(struct scene_cand *c, const struct scene_look *look,
                       struct err *e)
{
    const struct sample_attn *a = &c->sample.attn;
    const size_t n = a->T * a->P;
    struct attn_planes p;
    struct err why = {0};
    int rc;

    c->A = NULL;
    if (!(c->sample.has & SAMPLE_ATTN))
        return 0;
    if ((rc = find_planes(&p, a, look, e)) < 0 ||
        (rc = reserve(&c->rows, &c->rows_cap, 2 * n + 1, sizeof *c->rows, e)) < 0)
        return rc;
    c->A = c->rows + n;
    planes_mean(c->rows, a, planes_all(a));
    if (attn_check(c->rows, a->T, a->P, &why) < 0)
        return rec_fault(c->sample.rec, ERR_NUMERIC, e, "attn", "%s", why.text);
    planes_mean(c->A, a, p);
    return 0;
}

static struct attn_rows rows_of(const struct scene *s, const struct scene_cand *c,
                                const double *A)
{
    return (struct attn_rows){c->sample.T, c->sample.P, A, c->steps, s->pos, s->npos};
}

/* ---- a candidate ----------------------------------------------------------------------- */
static int read_sample(struct scene_cand *c, const struct rec *r, struct err *e)
{
    const unsigned need = SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS;
    const unsigned want = SAMPLE_CAND | SAMPLE_PROMPT | SAMPLE_TEXT |
                          SAMPLE_PROMPT_ENDS | SAMPLE_ENDS | SAMPLE_PROMPT_MASK |
                          SAMPLE_FINISH | SAMPLE_ATTN | SAMPLE_REWARD | SAMPLE_SUPPORT;
    const int rc = sample_read(&c->sample, r, need, want, e);
    const struct sample *x = &c->sample;

    if (rc < 0)
        return rc;
    c->reward = x->has & SAMPLE_REWARD ? x->reward : (double)NAN;
    c->steps = x->T - (size_t)(x->finish == FINISH_EOS && x->T > 0);
    return 0;
}

/* The candidates of one id have one prompt. */
static int check_prompt(const struct scene *s, const struct sample *x, struct err *e)
{
    const struct sample *first = &s->cand[0].sample;

    if (x->P == first->P && memcmp(s->ids, x->prompt_ids, x->P * sizeof *s->ids) == 0)
        return 0;
    return rec_fault(x->rec, ERR_RECORD, e, "prompt_ids",
                     "another prompt than the candidate before it with the same id");
}

static int keep_prompt(struct scene *s, const struct sample *x, struct err *e)
{
    int rc = reserve(&s->ids, &s->ids_cap, x->P + 1, sizeof *s->ids, e);

    if (rc < 0)
        return rc;
    memcpy(s->ids, x->prompt_ids, x->P * sizeof *s->ids);
    s->id = x->id;
    s->user = x->has & SAMPLE_PROMPT_MASK ? x->prompt_mask : NULL;
    return read_prompt_tokens(s, x, e);
}

static int read_cand(struct scene *s, size_t i, const struct rec *r,
                     const struct scene_look *look, struct err *e)
{
    const struct salient_rules rules = {.mode = SALIENT_IDF};
    struct scene_cand *c = &s->cand[i];
    int rc = read_sample(c, r, e);

    if (rc >= 0)
        rc = i ? check_prompt(s, &c->sample, e) : keep_prompt(s, &c->sample, e);
    if (rc < 0 || (rc = prompt_read(&s->reads, &c->sample, &rules, e)) < 0 ||
        (rc = read_tokens(c, e)) < 0 || (rc = read_planes(c, look, e)) < 0 ||
        (rc = said_terms(c, e)) < 0)
        return rc;
    s->support = s->reads.support;
    s->pos = s->reads.pos;
    s->npos = s->reads.n;
    const struct attn_rows rows = rows_of(s, c, c->rows);
    rc = said_words(c, &s->reads, c->A ? &rows : NULL, e);
    return rc < 0 ? rc : said_spans(c, s, e);
}

/* ---- the group ------------------------------------------------------------------------- */
static int room(struct scene *s, size_t n, struct err *e)
{
    const size_t had = s->cap;
    int rc = reserve(&s->order, &s->order_cap, n, sizeof *s->order, e);

    if (rc >= 0)
        rc = reserve(&s->cand, &s->cap, n, sizeof *s->cand, e);
    if (rc >= 0)
        memset(s->cand + had, 0, (s->cap - had) * sizeof *s->cand);
    return rc;
}

/* Insertion: stable, and groups are small. */
static void rank(struct scene *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t at = i;

        for (; at > 0; at--) {
            const double before = s->cand[s->order[at - 1]].reward;

            if (!(s->cand[i].reward > before ||
                  (isnan(before) && !isnan(s->cand[i].reward))))
                break;
            s->order[at] = s->order[at - 1];
        }
        s->order[at] = i;
    }
}

int scene_read(struct scene *s, const struct rec_group *g,
               const struct scene_look *look, struct err *e)
{
    int rc = room(s, g->n, e);

    s->n = 0;
    for (size_t i = 0; i < g->n && rc >= 0; i++) {
        rc = read_cand(s, i, &g->rec[i], look, e);
        s->n = i + 1;
    }
    if (rc >= 0)
        rank(s);
    return rc;
}

/* ---- questions ------------------------------------------------------------------------- */
void scene_row(double *w, const struct scene *s, const struct scene_cand *c, size_t t,
               const struct scene_look *look)
{
    const size_t P = s->prompt.n;
    double mass = 0;

    memset(w, 0, P * sizeof *w);
    if (!c->A || t >= c->sample.T)
        return;
    memcpy(w, c->A + t * P, P * sizeof *w);
    if (!look->share)
        return;
    for (size_t i = 0; i < s->npos; i++)
        mass += w[s->pos[i]];
    for (size_t j = 0; j < P; j++)
        w[j] = mass >= ATTN_MASS_MIN && s->support[j] ? w[j] / mass : 0;
}

static void over_steps(double *w, double *row, const struct scene *s,
                       const struct scene_cand *c, const struct scene_look *look)
{
    const size_t P = s->prompt.n, T = c->steps;
    const size_t first = look->over == SCENE_BEST && T > 1 ? 1 : 0;

    memset(w, 0, P * sizeof *w);
    for (size_t t = first; t < T; t++) {
        scene_row(row, s, c, t, look);
        for (size_t j = 0; j < P; j++)
            w[j] = look->over == SCENE_BEST ? fmax(w[j], row[j])
                                            : w[j] + row[j] / (double)T;
    }
}

double scene_weights(double *w, const struct scene *s, const struct scene_cand *c,
                     const struct scene_look *look)
{
    double top = 0;

    if (look->token >= 0) {
        scene_row(w, s, c, (size_t)look->token, look);
    } else {
        over_steps(w, w + s->prompt.n, s, c, look);
    }
    for (size_t i = 0; i < s->npos; i++)
        top = fmax(top, w[s->pos[i]]);
    return top;
}

void scene_planes(double *mass, const struct scene *s, const struct scene_cand *c,
                  const struct scene_look *look)
{
    const struct sample_attn *a = &c->sample.attn;
    const size_t n = a->T * a->P;
    const size_t t0 = look->token < 0 ? 0 : (size_t)look->token;
    const size_t t1 = look->token < 0 ? c->steps : t0 + 1;

    for (size_t k = 0; k < a->L * a->H; k++) {
        double sum = 0;

        for (size_t t = t0; t < t1 && t < a->T; t++)
            for (size_t i = 0; i < s->npos; i++)
                sum += a->rows[k * n + t * a->P + s->pos[i]];
        mass[k] = t1 > t0 ? sum / (double)(t1 - t0) : 0;
    }
}

double scene_share(const struct scene_term *t)
{
    return t->weight == 0 ? 0 : t->weight * t->value;
}

int scene_weighed(const struct scene_cand *c)
{
    for (size_t i = 0; i < c->terms; i++)
        if (isnan(c->term[i].weight))
            return 0;
    return c->terms > 0;
}

const struct scene_cand *scene_find(const struct scene *s, uint64_t cand)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->cand[i].sample.cand == cand)
            return &s->cand[i];
    return NULL;
}
