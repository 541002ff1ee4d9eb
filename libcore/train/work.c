#include "train/work.h"

#include "base/rng.h"
#include "optim/clipnorm.h"

#include <math.h>
#include <stdlib.h>

static struct micro_form form_of(const struct train *t)
{
    const unsigned flags = work_flags(t);

    return (struct micro_form){.arch = &t->m->arch,
                               .kind = flags & ALGO_SCORE ? MICRO_LAST : MICRO_TOKENS,
                               .together = flags & ALGO_PAIR ? 2 : 1};
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
    const size_t n = model_trained(t->m)->size, h = work_head_floats(t);

    t->grads = arena_take(a, n, sizeof(float));
    t->exp_avg = arena_take(a, n, sizeof(float));
    t->exp_avg_sq = arena_take(a, n, sizeof(float));
    t->head.w = arena_take(a, h, sizeof(float));
    t->head.g = arena_take(a, h, sizeof(float));
    t->head.m = arena_take(a, h, sizeof(float));
    t->head.v = arena_take(a, h, sizeof(float));
    w->run = arena_take(a, count_runs(model_trained(t->m)), sizeof *w->run);
    w->head_run = arena_take(a, adamw_runs(h) + 1, sizeof *w->head_run);
    w->norm_scratch = arena_take(a, clipnorm_scratch(n) + 1, sizeof(double));
}

/* Runs of the plan's parameters; only matrices decay. */
static void cut_runs(struct train *t)
{
    struct train_work *w = t->work;
    const struct plan *p = model_trained(t->m);
    const size_t h = work_head_floats(t);

    for (size_t i = 0; i < p->n; i++) {
        const struct plan_param *q = &p->param[i];
        w->nruns += adamw_cut(w->run + w->nruns, q->offset, q->rows * q->cols,
                              q->flags & (PLAN_VECTOR | PLAN_FROZEN) ? 0 : t->o.decay);
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

    t->head.C = work_head_floats(t) ? C : 0;
    if (!(work_flags(t) & ALGO_SCORE))
        return;
    for (size_t i = 0; i < C; i++) {
        rng_normal2(z, t->o.seed, 0x5c04e, i);
        t->head.w[i] = (float)(z[0] / sqrt((double)C + 1));
    }
}

static enum pass_mode mode(const struct train_opts *o)
{
    return o->recompute ? PASS_RECOMPUTE : PASS_TRAIN;
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
        (rc = pass_new(&w->pass, m, w->max_rows, mode(o), e)) < 0 ||
        (rc = head_new(&w->head, m, HEAD_TRAIN, o->rows, e)) < 0) {
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
    return 3 * model_trained(m)->size * sizeof(float) +
           o->rows * m->arch.C * sizeof(float) + pass_bytes(m, o->rows, mode(o)) +
           head_bytes(m, HEAD_TRAIN, o->rows);
}

static int resize(float **p, size_t n)
{
    free(*p);
    return (*p = malloc(n * sizeof **p)) ? 0 : -1;
}

int work_reserve(struct train *t, const struct train_data *d, struct err *e)
{
    struct train_work *w = t->work;
    const struct micro_form form = form_of(t);
    const size_t longest = micro_longest(d, &form);
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

struct micro_walk work_walk(const struct train *t, size_t from, size_t n)
{
    return (struct micro_walk){t->work->order + from, n, 0, 0};
}

int work_next(struct train *t, struct micro_walk *walk, const struct train_data *d,
              struct err *e)
{
    const struct micro_form form = form_of(t);

    return micro_next(&t->work->micro, walk, d, t->work->max_rows, &form, e);
}
