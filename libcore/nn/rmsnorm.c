#include "nn/rmsnorm.h"

#include "nn/rmsnorm_simd.h"

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct rmsnorm_job *j = ctx;

    ISA_CALL(kern_isa(j->k), rmsnorm_rows, (j, from, to));
}

void rmsnorm_heads_forward(struct kern *k, float *y, size_t ldy, float *r,
                           const float *x, size_t ldx, const float *w, size_t N,
                           size_t H, size_t C, struct rmsnorm p)
{
    struct rmsnorm_job j = {.k = k,
                            .y = y,
                            .r_out = r,
                            .x = x,
                            .w = w,
                            .N = N,
                            .H = H,
                            .C = C,
                            .ldx = ldx,
                            .ldy = ldy,
                            .p = p};

    kern_rows(k, N, 2 * H * C, forward_range, &j);
}

void rmsnorm_forward(struct kern *k, float *y, float *r, const float *x, const float *w,
                     size_t N, size_t C, struct rmsnorm p)
{
    rmsnorm_heads_forward(k, y, C, r, x, C, w, N, 1, C, p);
}

static void back_range(void *ctx, size_t from, size_t to, float *dw)
{
    const struct rmsnorm_job *j = ctx;

    ISA_CALL(kern_isa(j->k), rmsnorm_back, (j, from, to, dw));
}

static void backward(struct rmsnorm_job *j, float *dw)
{
    kern_rows_sums(j->k, j->N, 4 * j->H * j->C, back_range, j,
                   &(struct kern_sums){.to = {dw}, .n = j->C});
}

void rmsnorm_heads_backward(struct kern *k, float *dy, size_t lddy, float *dw,
                            const float *x, size_t ldx, const float *w, const float *r,
                            size_t N, size_t H, size_t C, struct rmsnorm p)
{
    struct rmsnorm_job j = {.k = k,
                            .dx = dy,
                            .x = x,
                            .w = w,
                            .r = r,
                            .dy = dy,
                            .N = N,
                            .H = H,
                            .C = C,
                            .ldx = ldx,
                            .ldy = lddy,
                            .p = p,
                            .in_place = 1};

    backward(&j, dw);
}

void rmsnorm_backward(struct kern *k, float *dx, float *dw, const float *dy,
                      const float *x, const float *w, const float *r, size_t N,
                      size_t C, struct rmsnorm p)
{
    struct rmsnorm_job j = {.k = k,
                            .dx = dx,
                            .x = x,
                            .w = w,
                            .r = r,
                            .dy = dy,
                            .N = N,
                            .H = 1,
                            .C = C,
                            .ldx = C,
                            .ldy = C,
                            .p = p};

    backward(&j, dw);
}
