#include "train/reference.h"

#include "model/adapter.h"
#include "model/head.h"
#include "model/pass.h"
#include "train/micro.h"

#include <stdlib.h>

enum { DEFAULT_ROWS = 1024 };

struct train_reference {
    struct model *m;
    enum reference_kind kind;
    struct pass *pass;
    struct head *head;
    struct micro micro;
    size_t rows;
    float *logp;
    size_t *order;
    size_t cap_logp, cap_order;
};

int train_reference_new(struct train_reference **out, struct model *m,
                        enum reference_kind kind, size_t rows, struct err *e)
{
    struct train_reference *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for the reference");
    r->m = m;
    r->kind = kind;
    r->rows = rows ? rows : DEFAULT_ROWS;
    if ((rc = pass_new(&r->pass, m, r->rows, PASS_SCORE, e)) < 0 ||
        (rc = head_new(&r->head, m, HEAD_SCORE, 0, e)) < 0) {
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
    pass_free(r->pass);
    head_free(r->head);
    micro_release(&r->micro);
    free(r->logp);
    free(r->order);
    free(r);
}

static int reserve(struct train_reference *r, const struct train_data *d, struct err *e)
{
    const int rc = micro_reserve(&r->micro, d, e);

    if (rc < 0)
        return rc;
    if (r->cap_logp < r->micro.cap_items) {
        free(r->logp);
        r->cap_logp = r->micro.cap_items;
        r->logp = malloc(r->cap_logp * sizeof *r->logp);
    }
    if (r->cap_order < d->ngroups) {
        free(r->order);
        r->cap_order = 2 * d->ngroups;
        r->order = malloc(r->cap_order * sizeof *r->order);
    }
    return r->logp && (r->order || !d->ngroups)
               ? 0
               : err_set(e, ERR_NOMEM,
                         "no memory for the reference's log-probabilities");
}

static int score(struct train_reference *r, struct train_data *d, struct err *e)
{
    const struct micro_form form = {&r->m->arch, MICRO_TOKENS, 1};
    const size_t longest = micro_longest(d, &form);
    const size_t rows = r->rows > longest ? r->rows : longest;
    struct micro *mi = &r->micro;
    const float *hidden;
    int rc = reserve(r, d, e);

    if (rc < 0)
        return rc;
    for (size_t g = 0; g < d->ngroups; g++)
        r->order[g] = g;
    struct micro_walk walk = {r->order, d->ngroups, 0, 0};
    while ((rc = micro_next(mi, &walk, d, rows, &form, e)) > 0) {
        if ((rc = pass_forward(r->pass, &mi->batch, NULL, &hidden, e)) < 0)
            return rc;
        head_forward(r->head, hidden, mi->item, mi->n, r->logp, NULL);
        for (size_t i = 0; i < mi->n; i++)
            d->tok[TOK_REF][mi->token[i]] = r->logp[i];
    }
    for (size_t k = 0; rc == 0 && k < d->ncands; k++)
        d->cand[k].has_ref = 1;
    return rc;
}

int train_reference_score(struct train_reference *r, struct train_data *d,
                          struct err *e)
{
    if (r->kind == REFERENCE_BASE)
        adapter_switch(r->m, ADAPTER_OFF);
    const int rc = score(r, d, e);
    if (r->kind == REFERENCE_BASE)
        adapter_switch(r->m, ADAPTER_ON);
    return rc;
}
