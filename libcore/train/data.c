#include "train/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void train_data_release(struct train_data *d)
{
    free(d->group);
    free(d->cand);
    free(d->ids);
    free(d->off);
    for (size_t k = 0; k < TOK_ARRAYS; k++)
        free(d->tok[k]);
    free(d->scratch);
    free(d->of_group);
    free(d->reward);
    free(d->component);
    *d = (struct train_data){0};
}

void train_data_clear(struct train_data *d)
{
    d->ngroups = d->ncands = d->nids = 0;
}

/* *p becomes (n, size), contents kept. */
static int grow(void *p, size_t n, size_t size, struct err *e)
{
    void *old, *now;
    size_t bytes;

    memcpy(&old, p, sizeof old);
    if (__builtin_mul_overflow(n, size, &bytes) || !(now = realloc(old, bytes)))
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens of samples", n);
    memcpy(p, &now, sizeof now);
    return 0;
}

/* Twice as much as is needed, so that adding stays linear. */
static size_t roomier(size_t need)
{
    return need < 64 ? 128 : 2 * need;
}

static int room_ids(struct train_data *d, size_t more, struct err *e)
{
    const size_t need = d->nids + more;

    if (need <= d->cap_ids)
        return 0;
    const int rc = grow(&d->ids, roomier(need), sizeof *d->ids, e);
    if (rc >= 0)
        d->cap_ids = roomier(need);
    return rc;
}

static int room_tokens(struct train_data *d, size_t more, struct err *e)
{
    const size_t need = train_data_tokens(d) + more;
    int rc = 0;

    if (need <= d->cap_tok)
        return 0;
    for (size_t k = 0; k < TOK_ARRAYS && rc >= 0; k++)
        rc = grow(&d->tok[k], roomier(need), sizeof **d->tok, e);
    if (rc >= 0)
        d->cap_tok = roomier(need);
    return rc;
}

static int room_cand(struct train_data *d, struct err *e)
{
    const size_t n = roomier(d->ncands + 1);
    int rc;

    if (d->ncands + 1 <= d->cap_cand)
        return 0;
    if ((rc = grow(&d->cand, n, sizeof *d->cand, e)) < 0 ||
        (rc = grow(&d->off, n + 1, sizeof *d->off, e)) < 0 ||
        (rc = grow(&d->of_group, n, sizeof *d->of_group, e)) < 0 ||
        (rc = grow(&d->reward, n, sizeof *d->reward, e)) < 0 ||
        (rc = grow(&d->scratch, 8 * n + 64, sizeof *d->scratch, e)) < 0)
        return rc;
    d->cap_cand = n;
    return 0;
}

/* component is (K, cap_component): a wider row needs the rows moved. */
static int room_component(struct train_data *d, struct err *e)
{
    const size_t K = d->ncomponents, n = d->cap_cand;

    if (K == 0 || n <= d->cap_component)
        return 0;
    double *wide = malloc(K * n * sizeof *wide);
    if (!wide)
        return err_set(e, ERR_NOMEM, "no memory for %zu rewards", K * n);
    for (size_t i = 0; i < K * n; i++)
        wide[i] = NAN; /* candidates from before the names were known */
    for (size_t k = 0; k < K && d->component; k++)
        memcpy(wide + k * n, d->component + k * d->cap_component,
               d->ncands * sizeof *wide);
    free(d->component);
    d->component = wide;
    d->cap_component = n;
    return 0;
}

int train_data_group(struct train_data *d, const int32_t *prompt, size_t P,
                     struct err *e)
{
    int rc = room_ids(d, P, e);

    if (rc >= 0 && d->ngroups + 1 > d->cap_group) {
        const size_t n = roomier(d->ngroups + 1);
        if ((rc = grow(&d->group, n, sizeof *d->group, e)) >= 0)
            d->cap_group = n;
    }
    if (rc < 0)
        return rc;
    d->group[d->ngroups++] = (struct train_group){P, d->nids, d->ncands, 0};
    memcpy(d->ids + d->nids, prompt, P * sizeof *prompt);
    d->nids += P;
    return 0;
}

static void copy_logp(double *to, const float *from, size_t T)
{
    for (size_t t = 0; t < T; t++)
        to[t] = from ? from[t] : NAN;
}

int train_data_cand(struct train_data *d, const struct train_new *c, struct err *e)
{
    int rc;

    if ((rc = room_ids(d, c->T, e)) < 0 || (rc = room_tokens(d, c->T, e)) < 0 ||
        (rc = room_cand(d, e)) < 0 || (rc = room_component(d, e)) < 0)
        return rc;
    const size_t i = d->ncands++, at = i ? d->off[i] : 0;
    d->off[0] = 0;
    d->off[i + 1] = at + c->T;
    d->cand[i] = (struct train_cand){
        .group = d->ngroups - 1,
        .T = c->T,
        .ids0 = d->nids,
        .reward = c->reward,
        .temperature = c->temperature,
        .has_logp = c->logp != NULL,
        .has_ref = c->ref != NULL,
        .rounded = c->rounded,
        .ended = c->ended,
    };
    d->of_group[i] = d->ngroups - 1;
    d->reward[i] = c->reward;
    d->group[d->ngroups - 1].n++;
    if (c->T)
        memcpy(d->ids + d->nids, c->ids, c->T * sizeof *c->ids);
    d->nids += c->T;
    copy_logp(d->tok[TOK_SAMPLER] + at, c->logp, c->T);
    copy_logp(d->tok[TOK_REF] + at, c->ref, c->T);
    for (size_t k = 0; k < d->ncomponents; k++)
        d->component[k * d->cap_component + i] = c->component ? c->component[k] : NAN;
    return 0;
}

int train_data_pick(struct train_data *d, const struct train_data *src, size_t k,
                    struct err *e)
{
    const struct train_cand *c = &src->cand[k];
    const struct train_new n = {.T = c->T,
                                .ids = src->ids + c->ids0,
                                .reward = c->reward,
                                .temperature = c->temperature,
                                .ended = c->ended,
                                .rounded = c->rounded};
    const int rc = train_data_cand(d, &n, e);

    if (rc < 0)
        return rc;
    const size_t i = d->ncands - 1, at = d->off[i], was = src->off[k];
    d->cand[i].has_logp = c->has_logp;
    d->cand[i].has_ref = c->has_ref;
    if (c->T) {
        memcpy(d->tok[TOK_SAMPLER] + at, src->tok[TOK_SAMPLER] + was,
               c->T * sizeof(double));
        memcpy(d->tok[TOK_REF] + at, src->tok[TOK_REF] + was, c->T * sizeof(double));
    }
    for (size_t j = 0; j < d->ncomponents; j++)
        d->component[j * d->cap_component + i] =
            src->component[j * src->cap_component + k];
    return 0;
}

int train_data_copy(struct train_data *d, const struct train_data *src, size_t g,
                    struct err *e)
{
    const struct train_group *from = &src->group[g];
    int rc = train_data_group(d, src->ids + from->ids0, from->P, e);

    for (size_t k = from->cand0; k < from->cand0 + from->n && rc >= 0; k++)
        rc = train_data_pick(d, src, k, e);
    return rc;
}
