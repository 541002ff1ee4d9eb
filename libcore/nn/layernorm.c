#include "nn/layernorm.h"

#include "nn/layernorm_simd.h"

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct layernorm_job *j = ctx;

    ISA_CALL(kern_isa(j->k), layernorm_rows, (j, from, to));
}

void layernorm_forward(struct kern *k, float *y, float *m, float *r, const float *x,
                       const float *w, const float *b, size_t N, size_t C, float eps)
{
    struct layernorm_job j = {.k = k,
                              .y = y,
                              .m_out = m,
                              .r_out = r,
                              .x = x,
                              .w = w,
                              .b = b,
                              .N = N,
                              .C = C,
                              .eps = eps};

    kern_rows(k, N, 3 * C, forward_range, &j);
}

static void back_range(void *ctx, size_t from, size_t to, float *dw)
{
    const struct layernorm_job *j = ctx;

    ISA_CALL(kern_isa(j->k), layernorm_back, (j, from, to, dw));
}

void layernorm_backward(struct kern *k, float *dx, float *dw, float *db,
                        const float *dy, const float *x, const float *w, const float *m,
                        const float *r, size_t N, size_t C)
{
    struct layernorm_job j = {
        .k = k, .dx = dx, .x = x, .w = w, .m = m, .r = r, .dy = dy, .N = N, .C = C};

    kern_rows_sums(k, N, 4 * C, back_range, &j,
                   &(struct kern_sums){.to = {dw, db}, .n = C});
}
