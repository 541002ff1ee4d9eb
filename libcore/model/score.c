#include "model/score.h"

#include "model/head.h"
#include "model/pass.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_DEFAULT = 4096 };

struct scorer {
    struct model *m;
    const struct capture_spec *spec;
    size_t max_rows;
    struct pass *pass;
    struct head *head;
    struct batch batch;
    struct capture_row *rows; /* (rows_cap) of the batch */
    size_t rows_cap;
    struct head_item *items; /* (items_cap) */
    float *logp, *entropy;
    size_t items_cap;
};

int scorer_new(struct scorer **out, struct model *m, const struct capture_spec *spec,
               size_t max_rows, struct err *e)
{
    struct scorer *s = calloc(1, sizeof *s);
    int rc;

    *out = NULL;
    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for a scorer");
    s->m = m;
    s->spec = spec;
    s->max_rows = max_rows ? max_rows : ROWS_DEFAULT;
    if ((rc = pass_new(&s->pass, m, 0, PASS_SCORE, e)) < 0 ||
        (rc = head_new(&s->head, m, e)) < 0)
        scorer_free(s);
    else
        *out = s;
    return rc;
}

void scorer_free(struct scorer *s)
{
    if (!s)
        return;
    pass_free(s->pass);
    head_free(s->head);
    batch_release(&s->batch);
    free(s->rows);
    free(s->items);
    free(s->logp);
    free(s->entropy);
    free(s);
}

const struct model *scorer_model(const struct scorer *s)
{
    return s->m;
}

/* ---- memory ------------------------------------------------------------------------ */

static int grow_rows(struct scorer *s, struct err *e)
{
    const size_t n = s->batch.B;

    if (n > s->rows_cap) {
        struct capture_row *r = realloc(s->rows, n * sizeof *r);

        if (!r)
            return err_set(e, ERR_NOMEM, "no memory for %zu rows", n);
        s->rows = r;
        s->rows_cap = n;
    }
    memset(s->rows, 0, n * sizeof *s->rows);
    return 0;
}

static int grow_items(struct scorer *s, size_t n, struct err *e)
{
    if (n <= s->items_cap)
        return 0;
    free(s->items);
    free(s->logp);
    free(s->entropy);
    s->items = malloc(n * sizeof *s->items);
    s->logp = malloc(n * sizeof *s->logp);
    s->entropy = malloc(n * sizeof *s->entropy);
    s->items_cap = s->items && s->logp && s->entropy ? n : 0;
    return s->items_cap ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu tokens", n);
}

/* ---- checks ------------------------------------------------------------------------ */

static int check_ids(const struct scorer *s, const int32_t *ids, size_t n,
                     const char *what, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= s->m->arch.V)
            return err_set(e, ERR_RECORD,
                           "%s: id %d is outside the model's vocabulary of %zu", what,
                           (int)ids[i], s->m->arch.V);
    return 0;
}

static int check(const struct scorer *s, const int32_t *prompt, size_t P,
                 const struct score_response *resp, size_t n, struct err *e)
{
    int rc = P ? check_ids(s, prompt, P, "prompt_ids", e)
               : err_set(e, ERR_RECORD, "prompt_ids: no tokens");

    for (size_t i = 0; rc >= 0 && i < n; i++) {
        if (resp[i].T > model_room(s->m, P))
            return err_set(e, ERR_RECORD,
                           "%zu tokens of prompt and %zu of response are more than the "
                           "model's context of %zu",
                           P, resp[i].T, model_context(s->m));
        rc = check_ids(s, resp[i].ids, resp[i].T, "ids", e);
    }
    return rc;
}

/* ---- one pass ---------------------------------------------------------------------- */

static size_t own_rows(const struct score_response *r)
{
    return r->T ? r->T - 1 : 0;
}

static int wants_rows(const struct scorer *s, const struct score_response *r)
{
    return s->spec && r->rows && r->T;
}

/* The prompt is sequence 0, response i sequence i + 1. */
static int make_batch(struct scorer *s, const int32_t *prompt, size_t P,
                      const struct score_response *resp, size_t n, struct err *e)
{
    int rc;

    batch_clear(&s->batch);
    if ((rc = batch_prompt(&s->batch, &s->m->arch, prompt, P, e)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        if ((rc = batch_add(&s->batch, 0, resp[i].ids, own_rows(&resp[i]), e)) < 0)
            return rc;
    return 0;
}

/* Where the attention of each row goes.  Row 0 of every response is the prompt's last
 * one: it goes to the first that wants rows, and from there to the others. */
static void aim(struct scorer *s, struct score_response *resp, size_t n, size_t P)
{
    const size_t blocks = capture_blocks(s->spec, s->m);

    for (size_t i = n; i-- > 0;) {
        struct score_response *r = &resp[i];

        if (!wants_rows(s, r))
            continue;
        memset(r->rows, 0, blocks * r->T * P * sizeof *r->rows);
        memset(r->outside, 0, blocks * r->T * sizeof *r->outside);
        for (size_t t = 0; t < r->T; t++)
            s->rows[batch_row(&s->batch, 0, (int)i + 1, t)] = (struct capture_row){
                r->rows + t * P, r->outside + t, P, r->T * P, r->T};
    }
}

static void share_first_row(const struct scorer *s, struct score_response *resp,
                            size_t n, size_t P)
{
    const size_t blocks = capture_blocks(s->spec, s->m);
    const struct score_response *first = NULL;

    for (size_t i = 0; i < n; i++) {
        struct score_response *r = &resp[i];

        if (!wants_rows(s, r))
            continue;
        for (size_t b = 0; first && b < blocks; b++) {
            memcpy(r->rows + b * r->T * P, first->rows + b * first->T * P,
                   P * sizeof *r->rows);
            r->outside[b * r->T] = first->outside[b * first->T];
        }
        if (!first)
            first = r;
    }
}

/* Items of all responses that want numbers of tokens, in order; returns how many. */
static size_t make_items(struct scorer *s, const struct score_response *resp, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; (resp[i].logp || resp[i].entropy) && t < resp[i].T; t++)
            s->items[k++] = (struct head_item){
                batch_row(&s->batch, 0, (int)i + 1, t), resp[i].ids[t],
                resp[i].temperature > 0 ? resp[i].temperature : 1};
    return k;
}

static int hand_out(const struct scorer *s, struct score_response *resp, size_t n,
                    struct err *e)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; (resp[i].logp || resp[i].entropy) && t < resp[i].T;
             t++, k++) {
            /* -infinity is no number either: a token that the model cannot give. */
            if (!(s->logp[k] <= 1e-3f && s->logp[k] > -1e30f))
                return err_set(e, ERR_NUMERIC,
                               "the log-probability of token %zu is not a number", t);
            if (resp[i].logp)
                resp[i].logp[t] = s->logp[k];
            if (resp[i].entropy)
                resp[i].entropy[t] = s->entropy[k];
        }
    return 0;
}

static int score_some(struct scorer *s, const int32_t *prompt, size_t P,
                      struct score_response *resp, size_t n, struct err *e)
{
    struct capture capture = {s->spec, NULL};
    const float *hidden;
    size_t tokens = 0;
    int entropy = 0, rc;

    for (size_t i = 0; i < n; i++) {
        tokens += resp[i].T;
        entropy |= resp[i].entropy != NULL;
    }
    if ((rc = make_batch(s, prompt, P, resp, n, e)) < 0 || (rc = grow_rows(s, e)) < 0 ||
        (rc = grow_items(s, tokens, e)) < 0)
        return rc;
    capture.row = s->rows;
    if (s->spec)
        aim(s, resp, n, P);
    if ((rc = pass_forward(s->pass, &s->batch, s->spec ? &capture : NULL, &hidden, e)) <
        0)
        return rc;
    if (s->spec)
        share_first_row(s, resp, n, P);
    const size_t items = make_items(s, resp, n);
    head_forward(s->head, hidden, s->items, items, s->logp,
                 entropy ? s->entropy : NULL);
    return hand_out(s, resp, n, e);
}

int score_group(struct scorer *s, const int32_t *prompt, size_t P,
                struct score_response *resp, size_t n, struct err *e)
{
    int rc = check(s, prompt, P, resp, n, e);

    for (size_t i = 0; rc >= 0 && i < n;) {
        size_t rows = batch_prompt_rows(&s->m->arch, P) + own_rows(&resp[i]), k = i + 1;

        while (k < n && rows + own_rows(&resp[k]) <= s->max_rows)
            rows += own_rows(&resp[k++]);
        rc = score_some(s, prompt, P, resp + i, k - i, e);
        i = k;
    }
    return rc;
}
