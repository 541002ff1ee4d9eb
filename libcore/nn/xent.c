#include "nn/xent.h"

#include "nn/xent_simd.h"
#include "tensor/dims.h"

#include <math.h>

void xent_begin(struct xent_sums *sums, size_t N)
{
    for (size_t n = 0; n < N; n++)
        sums[n] = (struct xent_sums){.max = -INFINITY, .target = -INFINITY};
}

static void add_range(void *ctx, size_t from, size_t to)
{
    const struct xent_job *j = ctx;

    ISA_CALL(kern_isa(j->k), xent_rows_add, (j, from, to));
}

void xent_add(struct kern *k, struct xent_sums *sums, const float *z,
              const int32_t *target, const float *temperature, size_t N, size_t from,
              size_t n)
{
    struct xent_job j = {.k = k,
                         .sums = sums,
                         .z = z,
                         .target = target,
                         .temperature = temperature,
                         .V = n,
                         .from = from};

    kern_rows(k, N, 4 * n, add_range, &j);
}

void xent_end(const struct xent_sums *sums, float *logp, float *entropy, float *lse,
              const float *temperature, size_t N)
{
    for (size_t n = 0; n < N; n++) {
        const struct xent_sums *s = &sums[n];
        const double inv = 1 / (double)temperature[n], max = (double)s->max;
        const double base = log(s->e); /* lse - max / temperature */

        logp[n] = (float)(((double)s->target - max) * inv - base);
        lse[n] = (float)(max * inv + base);
        if (entropy)
            entropy[n] = (float)(base - s->eu / s->e);
    }
}

void xent_forward(struct kern *k, float *logp, float *entropy, float *lse,
                  const float *z, const int32_t *target, const float *temperature,
                  size_t N, size_t V)
{
    enum { TOGETHER = 512 };
    struct xent_sums sums[TOGETHER];

    for (size_t n = 0, many; n < N; n += many) {
        many = least(TOGETHER, N - n);
        xent_begin(sums, many);
        xent_add(k, sums, z + n * V, target + n, temperature + n, many, 0, V);
        xent_end(sums, logp + n, entropy ? entropy + n : NULL, lse + n, temperature + n,
                 many);
    }
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
