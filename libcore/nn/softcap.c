#include "nn/softcap.h"

#include "nn/softcap_simd.h"

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct softcap_job *j = ctx;

    ISA_CALL(kern_isa(j->k), softcap_rows, (j, from, to));
}

static void backward_range(void *ctx, size_t from, size_t to)
{
    const struct softcap_job *j = ctx;

    ISA_CALL(kern_isa(j->k), softcap_rows_back, (j, from, to));
}

/* An exponential costs like a handful of floats moved. */
enum { TANH_COST = 4 };

void softcap_forward(struct kern *k, float *z, size_t N, size_t V, float cap)
{
    struct softcap_job j = {.k = k, .z = z, .V = V, .cap = cap};

    kern_rows(k, N, TANH_COST * V, forward_range, &j);
}

void softcap_backward(struct kern *k, float *dz, const float *y, size_t N, size_t V,
                      float cap)
{
    struct softcap_job j = {.k = k, .dz = dz, .y = y, .V = V, .cap = cap};

    kern_rows(k, N, V, backward_range, &j);
}
