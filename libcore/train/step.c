#include "train/step.h"

#include "base/rng.h"
#include "optim/clipnorm.h"
#include "train/gradient.h"
#include "train/work.h"

#include <math.h>
#include <string.h>

/* ---- samples and model: do they belong together? --------------------------------------- */

/* Were weights rounded, the sampler's or here? */
static int has_rounded(const struct train *t, const struct train_cand *y)
{
    return y->rounded || kern_dtype(t->m->kern) == KERN_BF16;
}

static void compare(struct train_check *c, const double *old, const double *sampler,
                    size_t T, int rounded)
{
    for (size_t k = 0; k < T; k++) {
        const double dev = fabs(old[k] - sampler[k]);
        c->max = fmax(c->max, dev);
        c->mean += dev;
    }
    c->tokens += T;
    c->rounded += rounded ? T : 0;
}

/* One candidate of rounded weights is enough to be lenient: batches are not mixed. */
static int is_rounding(const struct train_check *c)
{
    return c->rounded ? c->mean <= TRAIN_ROUNDED_PERCENT / 100.0
                      : expm1(c->max) <= TRAIN_RATIO_PERCENT / 100.0;
}

/* Compares the groups order[0..n) and, on a run's first step, refuses what does not
 * belong together. */
static int check_sampler(struct train *t, const struct train_data *d, size_t n,
                         const double *old, struct train_result *r, struct err *e)
{
    struct train_check c = {0};

    for (size_t i = 0; i < n; i++) {
        const struct train_group *g = &d->group[t->work->order[i]];
        for (size_t k = g->cand0; k < g->cand0 + g->n; k++)
            if (d->cand[k].has_logp)
                compare(&c, old + d->off[k], d->tok[TOK_SAMPLER] + d->off[k],
                        d->cand[k].T, has_rounded(t, &d->cand[k]));
    }
    if (c.tokens)
        c.mean /= (double)c.tokens;
    r->check = c;
    if (t->steps == 0 && !is_rounding(&c))
        return err_set(
            e, ERR_RECORD,
            "the samples' log-probabilities are off by up to %.3g nats (mean "
            "%.3g): another model drew them, or at another temperature; "
            "--off-policy takes them as they are",
            c.max, c.mean);
    return 0;
}

static int must_match(const struct train *t)
{
    return (work_flags(t) & ALGO_ON_POLICY) && !t->o.off_policy;
}

static void take_sampler(struct train_data *d)
{
    for (size_t i = 0; i < d->ncands; i++)
        if (d->cand[i].has_logp)
            memcpy(d->tok[TOK_OLD] + d->off[i], d->tok[TOK_SAMPLER] + d->off[i],
                   d->cand[i].T * sizeof(double));
}

/* ---- an optimizer step ----------------------------------------------------------------- */

/* Norm, clip, AdamW. */
static int apply(struct train *t, struct train_result *r, struct err *e)
{
    struct train_work *w = t->work;
    struct par *par = kern_par(t->m->kern);
    const double a =
        clipnorm(par, t->grads, model_trained(t->m)->size, w->norm_scratch);
    const double b =
        t->head.C ? clipnorm(NULL, t->head.g, t->head.C + 1, w->norm_scratch) : 0;
    const double norm = sqrt(a * a + b * b);

    if (!isfinite(norm))
        return err_set(e, ERR_NUMERIC, "step %llu: the gradient is not finite",
                       (unsigned long long)t->steps);
    const double scale = clipnorm_scale(norm, t->o.grad_clip);
    const double lr = schedule_lr(&t->o.schedule, (size_t)t->steps);
    t->steps++;
    adamw_step(&t->o.adamw, par, w->run, w->nruns, model_trained_params(t->m), t->grads,
               t->exp_avg, t->exp_avg_sq, t->steps, lr, scale);
    if (t->head.C)
        adamw_step(&t->o.adamw, NULL, w->head_run, w->nhead_runs, t->head.w, t->head.g,
                   t->head.m, t->head.v, t->steps, lr, scale);
    r->lr = lr;
    r->grad_norm += norm;
    return 0;
}

/* ---- an update ------------------------------------------------------------------------ */

static void natural_order(struct train *t, const struct train_data *d)
{
    for (size_t g = 0; g < d->ngroups; g++)
        t->work->order[g] = g;
}

static size_t minibatch(const struct train *t, const struct train_data *d)
{
    return t->o.minibatch && t->o.minibatch < d->ngroups ? t->o.minibatch : d->ngroups;
}

/* One optimizer step on one batch needs no pass of its own for the old
 * log-probabilities: they are what the training pass gives, and the ratio is 1. */
static int is_fused(const struct train *t, const struct train_data *d)
{
    return !(work_flags(t) & ALGO_OLD) && t->o.epochs == 1 &&
           minibatch(t, d) == d->ngroups;
}

static int has_reference(const struct train_data *d)
{
    for (size_t i = 0; i < d->ncands; i++)
        if (!d->cand[i].has_ref)
            return 0;
    return d->ncands > 0;
}

/* Mean KL per sequence, entropy per token, of the policy that the update began with. */
static void measure(const struct train *t, const struct train_data *d,
                    struct train_result *r)
{
    double kl = 0, entropy = 0, seqs = 0;
    const size_t n = train_data_tokens(d);

    if (work_flags(t) & ALGO_SCORE)
        return; /* it has no log-probabilities */
    for (size_t k = 0; k < n; k++)
        entropy += d->tok[TOK_ENTROPY][k];
    for (size_t i = 0; i < d->ncands; i++) {
        if (!d->cand[i].has_ref)
            continue;
        seqs += 1;
        r->ref_tokens += d->cand[i].T;
        for (size_t k = d->off[i]; k < d->off[i + 1]; k++)
            kl += kl_value(KL_K1, d->tok[TOK_OLD][k], d->tok[TOK_REF][k]);
    }
    r->kl = seqs > 0 ? kl / seqs : 0;
    r->entropy = n ? entropy / (double)n : 0;
}

/* Everything that comes before the first gradient. */
int train_prepare(struct train *t, struct train_data *d, struct train_result *r,
                  struct err *e)
{
    int rc = work_reserve(t, d, e);

    *r = (struct train_result){.beta = t->kl.beta};
    if (rc < 0)
        return rc;
    if (!is_fused(t, d)) {
        natural_order(t, d);
        if ((rc = gradient_score(t, d, r, e)) < 0)
            return rc;
        if (must_match(t) &&
            (rc = check_sampler(t, d, d->ngroups, d->tok[TOK_OLD], r, e)) < 0)
            return rc;
        if (t->o.off_policy)
            take_sampler(d);
    }
    algo_advantages(&t->o.algo, d, t->kl.beta, has_reference(d), &t->baseline,
                    &r->stats);
    return 0;
}

static void shuffle(struct train *t, const struct train_data *d, size_t epoch)
{
    if (minibatch(t, d) == d->ngroups)
        natural_order(t, d);
    else
        rng_shuffle(t->work->order, d->ngroups, t->o.seed,
                    t->iterations * 65536 + epoch);
}

static void first_ratio(struct train_result *r)
{
    r->first_ratio_dev = r->stats.policy.ratio_max_dev;
}

int train_update(struct train *t, struct train_data *d, struct train_result *r,
                 struct err *e)
{
    const int fused = is_fused(t, d);
    const size_t size = minibatch(t, d);
    int rc;

    if (d->ncands == 0) {
        *r = (struct train_result){.beta = t->kl.beta};
        return 0;
    }
    if ((rc = train_prepare(t, d, r, e)) < 0)
        return rc;
    for (size_t epoch = 0; epoch < t->o.epochs; epoch++) {
        shuffle(t, d, epoch);
        for (size_t from = 0; from < d->ngroups; from += size) {
            const size_t left = d->ngroups - from;
            struct mini mini = {
                .from = from, .n = left < size ? left : size, .fused = fused};
            double loss;
            if ((rc = gradient_mini(t, d, &mini, t->kl.beta, &loss, r, e)) < 0)
                return rc;
            if (r->steps == 0)
                first_ratio(r);
            if (fused && must_match(t) &&
                (rc = check_sampler(t, d, d->ngroups, d->tok[TOK_LOGP], r, e)) < 0)
                return rc;
            if ((rc = apply(t, r, e)) < 0)
                return rc;
            r->loss += loss;
            r->steps++;
        }
    }
    r->loss /= (double)r->steps;
    r->grad_norm /= (double)r->steps;
    r->stats.tokens = train_data_tokens(d);
    measure(t, d, r);
    t->iterations++;
    if (r->ref_tokens)
        kl_control_update(&t->kl, r->kl, d->ncands);
    return 0;
}

int train_gradient(struct train *t, struct train_data *d, struct train_result *r,
                   struct err *e)
{
    struct mini mini = {.fused = is_fused(t, d), .n = minibatch(t, d)};

    r->stats = (struct algo_stats){0};
    r->steps = 1;
    shuffle(t, d, 0);
    const int rc = gradient_mini(t, d, &mini, t->kl.beta, &r->loss, r, e);
    first_ratio(r);
    return rc;
}
