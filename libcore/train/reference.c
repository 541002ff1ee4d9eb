#include "train/reference.h"

#include "model/score.h"

#include <stdlib.h>

struct train_reference {
    struct scorer *scorer;
    struct score_response *resp;
    float *logp;
    size_t cap, cap_tok;
};

int train_reference_new(struct train_reference **out, struct model *m, size_t rows,
                        struct err *e)
{
    struct train_reference *r = calloc(1, sizeof *r);

    *out = NULL;
    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for the reference");
    const int rc = scorer_new(&r->scorer, m, NULL, rows, e);
    if (rc < 0) {
        train_reference_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void train_reference_free(struct train_reference *r)
{
    if (!r)
        return;
    scorer_free(r->scorer);
    free(r->resp);
    free(r->logp);
    free(r);
}

static int reference_room(struct train_reference *r, size_t n, size_t tokens,
                          struct err *e)
{
    if (n > r->cap) {
        free(r->resp);
        r->resp = malloc(2 * n * sizeof *r->resp);
        r->cap = r->resp ? 2 * n : 0;
    }
    if (tokens > r->cap_tok) {
        free(r->logp);
        r->logp = malloc(2 * tokens * sizeof *r->logp);
        r->cap_tok = r->logp ? 2 * tokens : 0;
    }
    if (r->cap < n || r->cap_tok < tokens)
        return err_set(e, ERR_NOMEM, "no memory for the reference's %zu tokens",
                       tokens);
    return 0;
}

int train_reference_score(struct train_reference *r, struct train_data *d,
                          struct err *e)
{
    for (size_t i = 0; i < d->ngroups; i++) {
        const struct train_group *g = &d->group[i];
        if (g->n == 0)
            continue;
        const size_t at = d->off[g->cand0], tokens = d->off[g->cand0 + g->n] - at;
        int rc = reference_room(r, g->n, tokens + 1, e);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < g->n; k++) {
            const struct train_cand *c = &d->cand[g->cand0 + k];
            r->resp[k] = (struct score_response){
                .ids = d->ids + c->ids0,
                .T = c->T,
                .temperature = (float)c->temperature,
                .logp = r->logp + (d->off[g->cand0 + k] - at),
            };
        }
        rc = score_group(r->scorer, d->ids + g->ids0, g->P, r->resp, g->n, e);
        if (rc < 0)
            return rc;
        for (size_t t = 0; t < tokens; t++)
            d->tok[TOK_REF][at + t] = r->logp[t];
        for (size_t k = 0; k < g->n; k++)
            d->cand[g->cand0 + k].has_ref = 1;
    }
    return 0;
}
