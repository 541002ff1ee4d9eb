#include "nn/attention.h"

#include "nn/attention_back_simd.h"
#include "tensor/dims.h"

#include <assert.h>

static size_t slots_max(size_t S)
{
    return round_up(S + ATTN_PANEL, ATTN_PANEL) + ATTN_PANEL;
}

size_t attn_scratch(const struct kern *k, const struct attn_shape *s, size_t S)
{
    const size_t n = slots_max(S), W = round_up(s->D, ATTN_PANEL);
    const size_t bias = s->bias ? 2 * (s->H / s->G) : 0;

    return par_threads(kern_par(k)) *
           (n * (2 * ATTN_SET + s->D + 3 * W + bias) + 3 * ATTN_SET * W);
}

static void backward_task(void *ctx, size_t i, size_t worker)
{
    const struct attn_backward_job *b = ctx;

    ISA_CALL(b->isa, attn_backward_run,
             (b, i / b->s->G, i % b->s->G, b->scratch + worker * b->per_worker));
}

void attn_backward(struct kern *k, const struct attn_shape *s,
                   const struct attn_run *runs, const struct attn_grad *grads, size_t n,
                   size_t ldq, size_t ldout, size_t ldkv, float *scratch)
{
    size_t S = 0;

    for (size_t r = 0; r < n; r++) {
        assert(runs[r].all || runs[r].at == runs[r].pre);
        assert(runs[r].own.keep != ATTN_HALVES && runs[r].prefix.keep != ATTN_HALVES);
        S = attn_seen(&runs[r]) > S ? attn_seen(&runs[r]) : S;
        if (s->bias && runs[r].at + runs[r].n > S)
            S = runs[r].at + runs[r].n;
    }
    struct attn_backward_job b = {.s = s,
                                  .runs = runs,
                                  .grads = grads,
                                  .ldq = ldq,
                                  .ldout = ldout,
                                  .ldkv = ldkv,
                                  .scratch = scratch,
                                  .per_worker =
                                      attn_scratch(k, s, S) / par_threads(kern_par(k)),
                                  .isa = kern_isa(k)};
    par_for(kern_par(k), n * s->G, backward_task, &b);
}
