#include "train/step.h"

#include "base/arena.h"
#include "base/rng.h"
#include "model/head.h"
#include "model/pass.h"
#include "optim/clipnorm.h"
#include "train/micro.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct train_work {
    struct arena arena;
    struct pass *pass;
    struct head *head;
    struct micro micro;
    size_t max_rows;
    float *dh;                                /* (max_rows, C) */
    float *logp, *entropy, *dlogp, *dentropy; /* (items) */
    size_t cap_items;
    struct adamw_run *run, *head_run;
    size_t nruns, nhead_runs;
    double *norm_scratch;
    size_t *order, cap_groups;
};

static const struct algo *algo_of(const struct train *t)
{
    return algo_get(t->o.algo.kind);
}

static unsigned flags_of(const struct train *t)
{
    return algo_of(t)->flags;
}

static enum micro_kind micro_kind_of(const struct train *t)
{
    return flags_of(t) & ALGO_SCORE ? MICRO_LAST : MICRO_TOKENS;
}

/* Candidates that a micro-batch must not part. */
static size_t together(const struct train *t)
{
    return flags_of(t) & ALGO_PAIR ? 2 : 1;
}

/* ---- memory -------------------------------------------------------------------------- */

static size_t head_floats(const struct train *t)
{
    return flags_of(t) & (ALGO_VALUE | ALGO_SCORE) ? t->m->arch.C + 1 : 0;
}

static size_t count_runs(const struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += adamw_runs(p->param[i].rows * p->param[i].cols);
    return n;
}

/* The walk that measures and carves what has a fixed size. */
static void layout(struct train *t, struct arena *a)
{
    struct train_work *w = t->work;
    const size_t n = t->m->plan.size, h = head_floats(t);

    t->grads = arena_take(a, n, sizeof(float));
    t->exp_avg = arena_take(a, n, sizeof(float));
    t->exp_avg_sq = arena_take(a, n, sizeof(float));
    t->head.w = arena_take(a, h, sizeof(float));
    t->head.g = arena_take(a, h, sizeof(float));
    t->head.m = arena_take(a, h, sizeof(float));
    t->head.v = arena_take(a, h, sizeof(float));
    w->run = arena_take(a, count_runs(&t->m->plan), sizeof *w->run);
    w->head_run = arena_take(a, adamw_runs(h) + 1, sizeof *w->head_run);
    w->norm_scratch = arena_take(a, clipnorm_scratch(n) + 1, sizeof(double));
}

/* Runs of the plan's parameters; only matrices decay. */
static void cut_runs(struct train *t)
{
    struct train_work *w = t->work;
    const struct plan *p = &t->m->plan;
    const size_t h = head_floats(t);

    for (size_t i = 0; i < p->n; i++) {
        const struct plan_param *q = &p->param[i];
        w->nruns += adamw_cut(w->run + w->nruns, q->offset, q->rows * q->cols,
                              q->flags & PLAN_VECTOR ? 0 : t->o.decay);
    }
    if (h)
        w->nhead_runs = adamw_cut(w->head_run, 0, h, 0);
}

/* METHOD 3.7: the score begins with weights of deviation 1/sqrt(C + 1); the critic with
 * zeros (3.2). */
static void init_head(struct train *t)
{
    const size_t C = t->m->arch.C;
    double z[2];

    t->head.C = head_floats(t) ? C : 0;
    if (!(flags_of(t) & ALGO_SCORE))
        return;
    for (size_t i = 0; i < C; i++) {
        rng_normal2(z, t->o.seed, 0x5c04e, i);
        t->head.w[i] = (float)(z[0] / sqrt((double)C + 1));
    }
}

int train_new(struct train **out, struct model *m, const struct train_opts *o,
              struct err *e)
{
    struct train *t = calloc(1, sizeof *t);
    int rc;

    *out = NULL;
    if (!t || !(t->work = calloc(1, sizeof *t->work))) {
        free(t);
        return err_set(e, ERR_NOMEM, "no memory for training");
    }
    t->o = *o;
    t->m = m;
    t->kl = o->kl;
    struct train_work *w = t->work;
    w->max_rows = o->rows;
    layout(t, &w->arena);
    if ((rc = arena_alloc(&w->arena, "gradients and moments", e)) < 0 ||
        (rc = pass_new(&w->pass, m, w->max_rows, PASS_TRAIN, e)) < 0 ||
        (rc = head_new(&w->head, m, e)) < 0) {
        train_free(t);
        return rc;
    }
    layout(t, &w->arena);
    if (!(w->dh = malloc(w->max_rows * m->arch.C * sizeof *w->dh))) {
        train_free(t);
        return err_set(e, ERR_NOMEM, "no memory for training");
    }
    cut_runs(t);
    init_head(t);
    *out = t;
    return 0;
}

void train_free(struct train *t)
{
    if (!t)
        return;
    struct train_work *w = t->work;
    pass_free(w->pass);
    head_free(w->head);
    micro_release(&w->micro);
    arena_release(&w->arena);
    free(w->dh);
    free(w->logp);
    free(w->entropy);
    free(w->dlogp);
    free(w->dentropy);
    free(w->order);
    free(w);
    free(t);
}

size_t train_bytes(const struct model *m, const struct train_opts *o)
{
    return 3 * m->plan.size * sizeof(float) + o->rows * m->arch.C * sizeof(float) +
           pass_bytes(m, o->rows, PASS_TRAIN) + head_bytes(m);
}

static int resize(float **p, size_t n)
{
    free(*p);
    return (*p = malloc(n * sizeof **p)) ? 0 : -1;
}

/* Room for the data: taken before a step, and only when it is larger than any before. */
static int reserve(struct train *t, const struct train_data *d, struct err *e)
{
    struct train_work *w = t->work;
    const size_t longest = micro_longest(d, micro_kind_of(t), together(t));
    int rc = micro_reserve(&w->micro, d, e);

    if (rc >= 0 && w->cap_items < w->micro.cap_items) {
        w->cap_items = w->micro.cap_items;
        if (resize(&w->logp, w->cap_items) || resize(&w->entropy, w->cap_items) ||
            resize(&w->dlogp, w->cap_items) || resize(&w->dentropy, w->cap_items))
            rc = err_set(e, ERR_NOMEM, "no memory for %zu tokens", w->cap_items);
    }
    if (rc >= 0 && longest > w->max_rows) {
        w->max_rows = longest;
        if (resize(&w->dh, w->max_rows * t->m->arch.C))
            rc = err_set(e, ERR_NOMEM, "no memory for %zu rows", w->max_rows);
    }
    if (rc >= 0 && d->ngroups > w->cap_groups) {
        free(w->order);
        w->order = malloc(2 * d->ngroups * sizeof *w->order);
        w->cap_groups = w->order ? 2 * d->ngroups : 0;
        if (!w->order)
            rc = err_set(e, ERR_NOMEM, "no memory for %zu prompts", d->ngroups);
    }
    return rc;
}

/* ---- the small head on top: value or score -------------------------------------------- */

static double head_value(const struct train_head *h, const float *row)
{
    double sum = h->w[h->C];

    for (size_t i = 0; i < h->C; i++)
        sum += (double)h->w[i] * (double)row[i];
    return sum;
}

static void head_values(const struct train *t, const float *hidden, double *out)
{
    const struct micro *mi = &t->work->micro;

    for (size_t i = 0; i < mi->n; i++)
        out[mi->token[i]] = head_value(&t->head, hidden + mi->item[i].row * t->head.C);
}

/* dh += dv w,  dw += dv h, in item order. */
static void head_values_backward(struct train *t, const float *hidden, const double *dv)
{
    const struct micro *mi = &t->work->micro;
    struct train_head *h = &t->head;

    for (size_t i = 0; i < mi->n; i++) {
        const float d = (float)dv[mi->token[i]];
        const float *row = hidden + mi->item[i].row * h->C;
        float *dh = t->work->dh + mi->item[i].row * h->C;
        for (size_t c = 0; c < h->C; c++) {
            dh[c] += d * h->w[c];
            h->g[c] += d * row[c];
        }
        h->g[h->C] += d;
    }
}

/* ---- forward ------------------------------------------------------------------------- */

/* Runs the micro-batch and puts its log-probabilities, entropies (entropy may be NULL)
 * and values where they belong. */
static int forward(struct train *t, struct train_data *d, const float **hidden,
                   double *logp, double *entropy, double *value, struct err *e)
{
    struct train_work *w = t->work;
    struct micro *mi = &w->micro;
    const int rc = pass_forward(w->pass, &mi->batch, NULL, hidden, e);

    (void)d;
    if (rc < 0)
        return rc;
    if (!(flags_of(t) & ALGO_SCORE)) {
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

static void natural_order(struct train *t, const struct train_data *d)
{
    for (size_t g = 0; g < d->ngroups; g++)
        t->work->order[g] = g;
}

static struct micro_walk walk_over(const struct train *t, size_t from, size_t n)
{
    return (struct micro_walk){t->work->order + from, n, 0, 0};
}

static int next_micro(struct train *t, struct micro_walk *walk,
                      const struct train_data *d, struct err *e)
{
    return micro_next(&t->work->micro, walk, d, t->work->max_rows, micro_kind_of(t),
                      together(t), e);
}

/* TOK_OLD, TOK_ENTROPY, TOK_VALUE of everything. */
static int score_all(struct train *t, struct train_data *d, struct train_result *r,
                     struct err *e)
{
    struct micro_walk walk;
    const float *hidden;
    int rc;

    natural_order(t, d);
    walk = walk_over(t, 0, d->ngroups);
    while ((rc = next_micro(t, &walk, d, e)) > 0) {
        rc = forward(t, d, &hidden, d->tok[TOK_OLD], d->tok[TOK_ENTROPY],
                     d->tok[TOK_VALUE], e);
        if (rc < 0)
            return rc;
        r->rows += t->work->micro.batch.B;
    }
    return rc;
}

/* ---- samples and model: do they belong together? --------------------------------------- */

static void compare(struct train_check *c, const double *old, const double *sampler,
                    size_t T)
{
    for (size_t k = 0; k < T; k++) {
        const double dev = fabs(old[k] - sampler[k]);
        c->max = fmax(c->max, dev);
        c->mean += dev;
    }
    c->tokens += T;
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
                        d->cand[k].T);
    }
    if (c.tokens)
        c.mean /= (double)c.tokens;
    r->check = c;
    if (t->steps == 0 && expm1(c.max) > TRAIN_RATIO_PERCENT / 100.0)
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
    return (flags_of(t) & ALGO_ON_POLICY) && !t->o.off_policy;
}

static void take_sampler(struct train_data *d)
{
    for (size_t i = 0; i < d->ncands; i++)
        if (d->cand[i].has_logp)
            memcpy(d->tok[TOK_OLD] + d->off[i], d->tok[TOK_SAMPLER] + d->off[i],
                   d->cand[i].T * sizeof(double));
}

/* ---- backward ------------------------------------------------------------------------ */

/* What a minibatch is made of. */
struct mini {
    size_t from, n;    /* groups order[from .. from+n) */
    size_t nseq, ntok; /* that enter the loss */
    int fused;         /* TOK_OLD is not known yet: it is what this pass gives */
};

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

    if (mini->fused && !(flags_of(t) & ALGO_SCORE))
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

static int micro_gradient(struct train *t, struct train_data *d,
                          const struct mini *mini, double beta, struct train_result *r,
                          struct err *e)
{
    struct train_work *w = t->work;
    const struct micro *mi = &w->micro;
    const size_t C = t->m->arch.C;
    const int entropy = mini->fused || t->o.algo.entropy_coef != 0;
    const float *hidden;
    const int rc = forward(t, d, &hidden, d->tok[TOK_LOGP],
                           entropy ? d->tok[TOK_ENTROPY] : NULL, d->tok[TOK_VNEW], e);

    if (rc < 0)
        return rc;
    losses(t, d, mini, beta, &r->stats);
    memset(w->dh, 0, mi->batch.B * C * sizeof *w->dh);
    if (t->head.C)
        head_values_backward(t, hidden, d->tok[TOK_DVALUE]);
    if (!(flags_of(t) & ALGO_SCORE))
        head_backward(w->head, hidden, mi->item, mi->n, w->dlogp,
                      t->o.algo.entropy_coef != 0 ? w->dentropy : NULL, w->dh,
                      t->grads);
    pass_backward(w->pass, &mi->batch, w->dh, t->grads);
    r->rows += mi->batch.B;
    return 0;
}

/* The sums of all losses; the difference over a minibatch is its loss. */
static double total_loss(const struct train *t, const struct algo_stats *st)
{
    return st->policy.loss + t->o.algo.value_coef * st->value.loss + st->dpo.loss +
           st->bt.loss + st->loss;
}

/* Gradient of a minibatch into t->grads; its loss is returned in *loss. */
static int mini_gradient(struct train *t, struct train_data *d, struct mini *mini,
                         double beta, double *loss, struct train_result *r,
                         struct err *e)
{
    const double before = total_loss(t, &r->stats);
    struct micro_walk walk = walk_over(t, mini->from, mini->n);
    int rc;

    count_mini(t, d, mini);
    memset(t->grads, 0, t->m->plan.size * sizeof *t->grads);
    memset(t->head.g, 0, head_floats(t) * sizeof *t->head.g);
    while ((rc = next_micro(t, &walk, d, e)) > 0)
        if ((rc = micro_gradient(t, d, mini, beta, r, e)) < 0)
            return rc;
    *loss = total_loss(t, &r->stats) - before;
    if (rc == 0 && !isfinite(*loss))
        return err_set(e, ERR_NUMERIC, "step %llu: the loss is not a number",
                       (unsigned long long)t->steps);
    return rc;
}

/* Norm, clip, AdamW. */
static int apply(struct train *t, struct train_result *r, struct err *e)
{
    struct train_work *w = t->work;
    struct par *par = kern_par(t->m->kern);
    const double a = clipnorm(par, t->grads, t->m->plan.size, w->norm_scratch);
    const double b =
        t->head.C ? clipnorm(NULL, t->head.g, t->head.C + 1, w->norm_scratch) : 0;
    const double norm = sqrt(a * a + b * b);

    if (!isfinite(norm))
        return err_set(e, ERR_NUMERIC, "step %llu: the gradient is not finite",
                       (unsigned long long)t->steps);
    const double scale = clipnorm_scale(norm, t->o.grad_clip);
    const double lr = schedule_lr(&t->o.schedule, (size_t)t->steps);
    t->steps++;
    adamw_step(&t->o.adamw, par, w->run, w->nruns, t->m->params, t->grads, t->exp_avg,
               t->exp_avg_sq, t->steps, lr, scale);
    if (t->head.C)
        adamw_step(&t->o.adamw, NULL, w->head_run, w->nhead_runs, t->head.w, t->head.g,
                   t->head.m, t->head.v, t->steps, lr, scale);
    r->lr = lr;
    r->grad_norm += norm;
    return 0;
}

/* ---- an update ------------------------------------------------------------------------ */

static size_t minibatch(const struct train *t, const struct train_data *d)
{
    return t->o.minibatch && t->o.minibatch < d->ngroups ? t->o.minibatch : d->ngroups;
}

/* One optimizer step on one batch needs no pass of its own for the old
 * log-probabilities: they are what the training pass gives, and the ratio is 1. */
static int is_fused(const struct train *t, const struct train_data *d)
{
    return !(flags_of(t) & ALGO_OLD) && t->o.epochs == 1 &&
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

    if (flags_of(t) & ALGO_SCORE)
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
    int rc = reserve(t, d, e);

    *r = (struct train_result){.beta = t->kl.beta};
    if (rc < 0)
        return rc;
    if (!is_fused(t, d)) {
        if ((rc = score_all(t, d, r, e)) < 0)
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
            if ((rc = mini_gradient(t, d, &mini, t->kl.beta, &loss, r, e)) < 0)
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
    const int rc = mini_gradient(t, d, &mini, t->kl.beta, &r->loss, r, e);
    first_ratio(r);
    return rc;
}
