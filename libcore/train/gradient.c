#include "train/gradient.h"

#include "model/reward_model.h"
#include "train/work.h"

#include <math.h>
#include <string.h>

/* ---- the small head on top: value or score -------------------------------------------- */

static void head_values(const struct train *t, const float *hidden, double *out)
{
    const struct micro *mi = &t->work->micro;

    for (size_t i = 0; i < mi->n; i++)
        out[mi->token[i]] = reward_model_value(
            t->head.w, hidden + mi->item[i].row * t->head.C, t->head.C);
}

/*
 * dw += dv h,  dh += share dv w, in item order.
 *
 * A score is what its whole model is trained for: share 1.  A critic is one linear on a
 * trunk that is the policy: with share 1 its errors, as large as rewards are in their own
 * units, drown the policy's gradient, whose advantages have unit variance.  With share 0,
 * the default, it reads the trunk and leaves it alone, and rewards may have any unit.
 */
static void head_values_backward(struct train *t, const float *hidden, const double *dv)
{
    const struct micro *mi = &t->work->micro;
    struct train_head *h = &t->head;
    const double share = work_flags(t) & ALGO_SCORE ? 1 : t->o.algo.value_trunk;

    for (size_t i = 0; i < mi->n; i++) {
        const float d = (float)dv[mi->token[i]], into = (float)(share * d);
        const float *row = hidden + mi->item[i].row * h->C;
        float *dh = t->work->dh + mi->item[i].row * h->C;
        for (size_t c = 0; c < h->C; c++) {
            dh[c] += into * h->w[c];
            h->g[c] += d * row[c];
        }
        h->g[h->C] += d;
    }
}

/* ---- forward ------------------------------------------------------------------------- */

/* Runs the micro-batch and puts its log-probabilities, entropies (entropy may be NULL)
 * and values where they belong. */
static int forward(struct train *t, const float **hidden, double *logp, double *entropy,
                   double *value, struct err *e)
{
    struct train_work *w = t->work;
    struct micro *mi = &w->micro;
    const int rc = pass_forward(w->pass, &mi->batch, NULL, hidden, e);

    if (rc < 0)
        return rc;
    if (!(work_flags(t) & ALGO_SCORE)) {
        head_forward(w->head, *hidden, mi->item, mi->n, w->logp,
                     entropy ? w->entropy : NULL);
        for (size_t i = 0; i < mi->n; i++) {
            logp[mi->token[i]] = w->logp[i];
            if (entropy)
                entropy[mi->token[i]] = w->entropy[i];
        }
    }
    if (t->head.C)
        head_values(t, *hidden, value);
    return 0;
}

int gradient_score(struct train *t, struct train_data *d, struct train_result *r,
                   struct err *e)
{
    struct micro_walk walk;
    const float *hidden;
    int rc;

    walk = work_walk(t, 0, d->ngroups);
    while ((rc = work_next(t, &walk, d, e)) > 0) {
        rc = forward(t, &hidden, d->tok[TOK_OLD], d->tok[TOK_ENTROPY],
                     d->tok[TOK_VALUE], e);
        if (rc < 0)
            return rc;
        r->rows += t->work->micro.batch.B;
    }
    return rc;
}

/* ---- backward ------------------------------------------------------------------------ */

static void count_mini(const struct train *t, const struct train_data *d,
                       struct mini *mini)
{
    mini->nseq = mini->ntok = 0;
    for (size_t i = 0; i < mini->n; i++) {
        const struct train_group *g = &d->group[t->work->order[mini->from + i]];
        for (size_t k = g->cand0; k < g->cand0 + g->n; k++)
            if (d->cand[k].T > 0 && !(t->o.algo.mask_truncated && !d->cand[k].ended)) {
                mini->nseq++;
                mini->ntok += d->cand[k].T;
            }
    }
}

/* The loss of the micro-batch just run, its gradients per item in w->dlogp, dentropy. */
static void losses(struct train *t, struct train_data *d, const struct mini *mini,
                   double beta, struct algo_stats *st)
{
    struct train_work *w = t->work;
    const struct micro *mi = &w->micro;
    const double c_H = t->o.algo.entropy_coef;

    if (mini->fused && !(work_flags(t) & ALGO_SCORE))
        for (size_t i = 0; i < mi->n; i++) {
            const size_t k = mi->token[i];
            const int own = !(t->o.off_policy && !isnan(d->tok[TOK_SAMPLER][k]));
            d->tok[TOK_OLD][k] = own ? d->tok[TOK_LOGP][k] : d->tok[TOK_SAMPLER][k];
        }
    for (size_t p = 0; p < mi->npieces; p++)
        algo_loss(&t->o.algo, d, mi->piece[p].c0, mi->piece[p].n, mini->nseq,
                  mini->ntok, beta, st);
    for (size_t i = 0; i < mi->n; i++)
        w->dlogp[i] = (float)d->tok[TOK_DLOGP][mi->token[i]];
    if (c_H == 0)
        return;
    size_t i = 0;
    for (size_t p = 0; p < mi->npieces; p++)
        for (size_t c = mi->piece[p].c0; c < mi->piece[p].c0 + mi->piece[p].n; c++) {
            const double wt = algo_weight(&t->o.algo, d, c, mini->nseq, mini->ntok);
            for (size_t k = 0; k < d->cand[c].T; k++, i++) {
                w->dentropy[i] = (float)(-c_H * wt);
                st->loss -= c_H * wt * w->entropy[i];
            }
        }
}

/* Of the micro-batch just run. */
static void logits_backward(struct train *t, const float *hidden)
{
    struct train_work *w = t->work;
    const struct micro *mi = &w->micro;
    const float *dentropy = t->o.algo.entropy_coef != 0 ? w->dentropy : NULL;

    head_backward_held(w->head, hidden, mi->item, mi->n, w->dlogp, dentropy, w->dh,
                       t->grads);
}

static int micro_gradient(struct train *t, struct train_data *d,
                          const struct mini *mini, double beta, enum pass_sum sum,
                          struct train_result *r, struct err *e)
{
    struct train_work *w = t->work;
    const struct micro *mi = &w->micro;
    const size_t C = t->m->arch.C;
    const int entropy = mini->fused || t->o.algo.entropy_coef != 0;
    const float *hidden;
    const int rc = forward(t, &hidden, d->tok[TOK_LOGP],
                           entropy ? d->tok[TOK_ENTROPY] : NULL, d->tok[TOK_VNEW], e);

    if (rc < 0)
        return rc;
    losses(t, d, mini, beta, &r->stats);
    memset(w->dh, 0, mi->batch.B * C * sizeof *w->dh);
    if (t->head.C)
        head_values_backward(t, hidden, d->tok[TOK_DVALUE]);
    if (!(work_flags(t) & ALGO_SCORE))
        logits_backward(t, hidden);
    pass_backward(w->pass, &mi->batch, w->dh, t->grads, sum);
    r->rows += mi->batch.B;
    return 0;
}

/* The sums of all losses; the difference over a minibatch is its loss. */
static double total_loss(const struct train *t, const struct algo_stats *st)
{
    return st->policy.loss + t->o.algo.value_coef * st->value.loss + st->dpo.loss +
           st->bt.loss + st->loss;
}

int gradient_mini(struct train *t, struct train_data *d, struct mini *mini, double beta,
                  double *loss, struct train_result *r, struct err *e)
{
    const double before = total_loss(t, &r->stats);
    struct micro_walk walk = work_walk(t, mini->from, mini->n);
    enum pass_sum sum = PASS_FIRST;
    int rc;

    count_mini(t, d, mini);
    pass_clear(t->m, t->grads);
    memset(t->head.g, 0, work_head_floats(t) * sizeof *t->head.g);
    while ((rc = work_next(t, &walk, d, e)) > 0) {
        if ((rc = micro_gradient(t, d, mini, beta, sum, r, e)) < 0)
            return rc;
        sum = PASS_NEXT;
    }
    if (sum == PASS_FIRST) /* no pass: nothing was set */
        par_zero(kern_par(t->m->kern), t->grads, model_trained(t->m)->size);
    *loss = total_loss(t, &r->stats) - before;
    if (rc == 0 && !isfinite(*loss))
        return err_set(e, ERR_NUMERIC, "step %llu: the loss is not a number",
                       (unsigned long long)t->steps);
    return rc;
}
