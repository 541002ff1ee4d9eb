#include "model/score.h"

#include "model/head.h"
#include "model/pass.h"

#include <stdlib.h>
#include <string.h>

/* A prompt should be computed once for all its responses.  Groups that share a pass only
 * save the reading of weights: 512 rows are as fast as 2048, and take a quarter. */
enum { ROWS_DEFAULT = 4096, SHARED_DEFAULT = 512 };

struct scorer {
    struct model *m;
    const struct capture_spec *spec;
    size_t max_rows;    /* of a group in a pass */
    size_t shared_rows; /* of several */
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
    s->shared_rows = max_rows ? max_rows : SHARED_DEFAULT;
    if ((rc = pass_new(&s->pass, m, 0, PASS_SCORE, e)) < 0 ||
        (rc = head_new(&s->head, m, HEAD_SCORE, 0, e)) < 0)
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

size_t scorer_rows(const struct scorer *s)
{
    return s->shared_rows;
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

static int check(const struct scorer *s, const struct score_group *g, struct err *e)
{
    int rc = g->P ? check_ids(s, g->prompt, g->P, "prompt_ids", e)
                  : err_set(e, ERR_RECORD, "prompt_ids: no tokens");

    for (size_t i = 0; rc >= 0 && i < g->n; i++) {
        const struct score_response *r = &g->resp[i];

        if (r->T > model_room(s->m, g->P))
            return err_set(e, ERR_RECORD,
                           "%zu tokens of prompt and %zu of response are more than the "
                           "model's context of %zu",
                           g->P, r->T, model_context(s->m));
        rc = check_ids(s, r->ids, r->T, "ids", e);
    }
    return rc;
}

/* ---- one group of a pass ------------------------------------------------------------ */

static size_t own_rows(const struct score_response *r)
{
    return r->T ? r->T - 1 : 0;
}

static int wants_numbers(const struct score_response *r)
{
    return r->logp || r->entropy;
}

static int wants_rows(const struct scorer *s, const struct score_response *r)
{
    return s->spec && r->rows && r->T;
}

/* The prompt becomes sequence `seq` of the batch, response i sequence seq + 1 + i. */
static int add_group(struct scorer *s, const struct score_group *g, struct err *e)
{
    const int seq = batch_prompt(&s->batch, &s->m->arch, g->prompt, g->P, e);
    int rc = seq;

    for (size_t i = 0; rc >= 0 && i < g->n; i++)
        rc = batch_add(&s->batch, seq, g->resp[i].ids, own_rows(&g->resp[i]), e);
    return rc;
}

/* Where the attention of each row goes.  Row 0 of every response is the prompt's last
 * one: it goes to the first that wants rows, and from there to the others. */
static void aim(struct scorer *s, const struct score_group *g, int seq)
{
    const size_t blocks = capture_blocks(s->spec, s->m), P = g->P;

    for (size_t i = g->n; i-- > 0;) {
        struct score_response *r = &g->resp[i];

        if (!wants_rows(s, r))
            continue;
        memset(r->rows, 0, blocks * r->T * P * sizeof *r->rows);
        memset(r->outside, 0, blocks * r->T * sizeof *r->outside);
        for (size_t t = 0; t < r->T; t++)
            s->rows[batch_row(&s->batch, seq, seq + 1 + (int)i, t)] =
                (struct capture_row){r->rows + t * P, r->outside + t, P, r->T * P,
                                     r->T};
    }
}

static void share_first_row(const struct scorer *s, const struct score_group *g)
{
    const size_t blocks = capture_blocks(s->spec, s->m), P = g->P;
    const struct score_response *first = NULL;

    for (size_t i = 0; i < g->n; i++) {
        struct score_response *r = &g->resp[i];

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

/* Items of all responses that want numbers of tokens, in order, from item k on; returns
 * the number behind them. */
static size_t make_items(struct scorer *s, const struct score_group *g, int seq,
                         size_t k)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct score_response *r = &g->resp[i];

        for (size_t t = 0; wants_numbers(r) && t < r->T; t++)
            s->items[k++] =
                (struct head_item){batch_row(&s->batch, seq, seq + 1 + (int)i, t),
                                   r->ids[t], r->temperature > 0 ? r->temperature : 1};
    }
    return k;
}

/* From item *k on, which is moved behind the group's. */
static int hand_out(const struct scorer *s, const struct score_group *g, size_t *k,
                    struct err *e)
{
    for (size_t i = 0; i < g->n; i++) {
        struct score_response *r = &g->resp[i];

        for (size_t t = 0; wants_numbers(r) && t < r->T; t++, ++*k) {
            /* -infinity is no number either: a token that the model cannot give. */
            if (!(s->logp[*k] <= 1e-3f && s->logp[*k] > -1e30f))
                return err_set(e, ERR_NUMERIC,
                               "the log-probability of token %zu is not a number", t);
            if (r->logp)
                r->logp[t] = s->logp[*k];
            if (r->entropy)
                r->entropy[t] = s->entropy[*k];
        }
    }
    return 0;
}

/* ---- one pass ---------------------------------------------------------------------- */

/* The batch of n groups, and memory for their rows and items; *entropy: some want it. */
static int prepare(struct scorer *s, const struct score_group *g, size_t n,
                   int *entropy, struct err *e)
{
    size_t tokens = 0;
    int rc = 0;

    batch_clear(&s->batch);
    for (size_t j = 0; j < n; j++) {
        if ((rc = check(s, &g[j], e)) < 0 || (rc = add_group(s, &g[j], e)) < 0)
            return rc;
        for (size_t i = 0; i < g[j].n; i++) {
            tokens += g[j].resp[i].T;
            *entropy |= g[j].resp[i].entropy != NULL;
        }
    }
    return (rc = grow_rows(s, e)) < 0 ? rc : grow_items(s, tokens, e);
}

static int score_pass(struct scorer *s, const struct score_group *g, size_t n,
                      struct err *e)
{
    struct capture capture = {s->spec, NULL};
    const float *hidden;
    size_t items = 0, k = 0;
    int entropy = 0, rc = prepare(s, g, n, &entropy, e), seq = 0;

    if (rc < 0)
        return rc;
    capture.row = s->rows;
    for (size_t j = 0; j < n; seq += 1 + (int)g[j++].n) {
        if (s->spec)
            aim(s, &g[j], seq);
        items = make_items(s, &g[j], seq, items);
    }
    if ((rc = pass_forward(s->pass, &s->batch, s->spec ? &capture : NULL, &hidden, e)) <
        0)
        return rc;
    head_forward(s->head, hidden, s->items, items, s->logp,
                 entropy ? s->entropy : NULL);
    for (size_t j = 0; j < n && rc >= 0; j++) {
        if (s->spec)
            share_first_row(s, &g[j]);
        rc = hand_out(s, &g[j], &k, e);
    }
    return rc;
}

/* ---- which groups, or parts of one, go together ---------------------------------------- */

/* How many responses from the first on go in one pass behind their prompt; at least one.
 * *rows is what they take. */
static size_t responses_together(const struct scorer *s, const struct score_group *g,
                                 size_t *rows)
{
    size_t k = 0;

    *rows = batch_prompt_rows(&s->m->arch, g->P);
    while (k < g->n && (k == 0 || *rows + own_rows(&g->resp[k]) <= s->max_rows))
        *rows += own_rows(&g->resp[k++]);
    return k;
}

/* How many groups from the first on go in one pass; at least one. */
static size_t groups_together(const struct scorer *s, const struct score_group *g,
                              size_t n)
{
    size_t k = 0, all = 0, rows;

    while (k < n && responses_together(s, &g[k], &rows) == g[k].n &&
           (k == 0 || all + rows <= s->shared_rows)) {
        all += rows;
        k++;
    }
    return k ? k : 1;
}

static int score_alone(struct scorer *s, const struct score_group *g, struct err *e)
{
    struct score_group part = *g;
    size_t rows;
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < g->n; i += part.n) {
        part.resp = g->resp + i;
        part.n = g->n - i;
        part.n = responses_together(s, &part, &rows);
        rc = score_pass(s, &part, 1, e);
    }
    return rc;
}

int score_groups(struct scorer *s, const struct score_group *g, size_t n, size_t *done,
                 struct err *e)
{
    int rc = 0;

    for (*done = 0; *done < n && rc >= 0;) {
        const size_t k = groups_together(s, g + *done, n - *done);

        if (k > 1 && score_pass(s, g + *done, k, NULL) >= 0) {
            *done += k;
            continue;
        }
        /* A pass that fails does not say whose fault it is: its groups one by one do. */
        for (size_t j = 0; j < k && rc >= 0; j++)
            if ((rc = score_alone(s, g + *done, e)) >= 0)
                ++*done;
    }
    return rc;
}

int score_group(struct scorer *s, const int32_t *prompt, size_t P,
                struct score_response *resp, size_t n, struct err *e)
{
    size_t done;

    return score_groups(s, &(struct score_group){prompt, P, resp, n}, 1, &done, e);
}
