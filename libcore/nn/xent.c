#include "nn/xent.h"

#include "nn/xent_simd.h"

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct xent_job *j = ctx;

    ISA_CALL(kern_isa(j->k), xent_rows, (j, from, to));
}

void xent_forward(struct kern *k, float *logp, float *entropy, float *lse,
                  const float *z, const int32_t *target, const float *temperature,
                  size_t N, size_t V)
{
    struct xent_job j = {.k = k,
                         .logp = logp,
                         .entropy_out = entropy,
                         .lse_out = lse,
                         .z = z,
                         .target = target,
                         .temperature = temperature,
                         .V = V};

    kern_rows(k, N, 4 * V, forward_range, &j);
}

static void backward_range(void *ctx, size_t from, size_t to)
{
    const struct xent_job *j = ctx;

    ISA_CALL(kern_isa(j->k), xent_rows_back, (j, from, to));
}

void xent_backward(struct kern *k, float *dz, const float *z, const int32_t *target,
                   const float *temperature, const float *lse, const float *entropy,
                   const float *dlogp, const float *dentropy, size_t N, size_t V)
{
    struct xent_job j = {.k = k,
                         .dz = dz,
                         .z = z,
                         .target = target,
                         .temperature = temperature,
                         .lse = lse,
                         .entropy = entropy,
                         .dlogp = dlogp,
                         .dentropy = dentropy,
                         .V = V};

    kern_rows(k, N, 4 * V, backward_range, &j);
}
