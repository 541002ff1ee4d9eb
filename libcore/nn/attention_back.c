#include "nn/attention.h"

#include "nn/attention_back_simd.h"
#include "nn/attention_unit.h"
#include "tensor/dims.h"

#include <assert.h>

static size_t slots_max(size_t S)
{
    return round_up(S + ATTN_PANEL, ATTN_PANEL) + ATTN_PANEL;
}

/* Floats of a task by vectors; a bias wants room above every position, too. */
static size_t vectors_floats(const struct attn_shape *s, size_t S)
{
    const size_t n = slots_max(S), W = round_up(s->D, ATTN_PANEL);
    const size_t bias = s->bias ? 2 * (s->H / s->G) : 0;

    return n * (2 * ATTN_SET + s->D + 3 * W + bias) + 3 * ATTN_SET * W;
}

int attn_by_unit(const struct kern *k, const struct attn_shape *s)
{
    return kern_unit(k) && !s->bias;
}

/* Of either. */
static size_t task_floats(const struct kern *k, const struct attn_shape *s, size_t S)
{
    const size_t vectors = vectors_floats(s, S);
    const size_t unit = attn_by_unit(k, s) ? attn_unit_bytes(s, S) / sizeof(float) : 0;

    return round_up(greatest(vectors, unit), ATTN_PANEL);
}

size_t attn_scratch(const struct kern *k, const struct attn_shape *s, size_t S)
{
    return par_threads(kern_par(k)) * task_floats(k, s, S);
}

static void vectors_task(void *ctx, size_t i, size_t worker)
{
    const struct attn_backward_job *b = ctx;

    ISA_CALL(kern_isa(b->k), attn_backward_run,
             (b, i / b->s->G, i % b->s->G, b->scratch + worker * b->per_worker));
}

static void unit_task(void *ctx, size_t i, size_t worker)
{
    const struct attn_backward_job *b = ctx;

    attn_unit_run(b, i / b->s->G, i % b->s->G, b->scratch + worker * b->per_worker);
}

/* Above what the rows of a run see; with a bias, above their positions as well. */
static size_t above(const struct attn_shape *s, const struct attn_run *r)
{
    return s->bias ? greatest(attn_seen(r), r->at + r->n) : attn_seen(r);
}

void attn_backward(struct kern *k, const struct attn_shape *s,
                   const struct attn_run *runs, const struct attn_grad *grads, size_t n,
                   size_t ldq, size_t ldout, size_t ldkv, float *scratch)
{
    const int unit = attn_by_unit(k, s);
    size_t S = 0;

    for (size_t r = 0; r < n; r++) {
        assert(runs[r].all || runs[r].at == runs[r].pre);
        assert(unit ||
               (runs[r].own.keep != ATTN_HALVES && runs[r].prefix.keep != ATTN_HALVES));
        S = greatest(S, above(s, &runs[r]));
    }
    struct attn_backward_job b = {.k = k,
                                  .s = s,
                                  .runs = runs,
                                  .grads = grads,
                                  .ldq = ldq,
                                  .ldout = ldout,
                                  .ldkv = ldkv,
                                  .keys = S,
                                  .scratch = scratch,
                                  .per_worker = task_floats(k, s, S)};
    par_for(kern_par(k), n * s->G, unit ? unit_task : vectors_task, &b);
}
