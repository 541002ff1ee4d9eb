#include "nn/rmsnorm.h"

#include "nn/rmsnorm_simd.h"
#include "tensor/dims.h"

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

/* Rows that are put in order together, some columns at a time. */
static void ordered_rows_range(void *ctx, size_t from, size_t to)
{
    const struct rmsnorm_job *j = ctx;
    const struct ordered *o = j->ordered;
    _Alignas(64) float y[ORDERED_ROWS * ORDERED_COLUMNS], r[ORDERED_ROWS];
    const size_t most = ordered_rows_of(o);

    for (size_t i = from; i < to; i++) {
        const size_t row = i * most, rows = least(most, j->N - row);
        struct rmsnorm_job some = *j;

        some.x += row * j->ldx;
        some.r_out = j->r_out ? j->r_out + row : r;
        some.r = some.r_out;
        some.y = y;
        ISA_CALL(kern_isa(j->k), rmsnorm_scales, (&some, 0, rows));
        for (size_t c = 0; c < j->C; c += ORDERED_COLUMNS) {
            ISA_CALL(kern_isa(j->k), rmsnorm_some,
                     (&some, 0, rows, c, ORDERED_COLUMNS));
            ordered_put(o, j->k, y, ORDERED_COLUMNS, row, rows, c, ORDERED_COLUMNS);
        }
    }
}

void rmsnorm_ordered(struct kern *k, const struct ordered *y, float *r, const float *x,
                     const float *w, struct rmsnorm p)
{
    struct rmsnorm_job j = {.k = k,
                            .ordered = y,
                            .r_out = r,
                            .x = x,
                            .w = w,
                            .N = y->M,
                            .H = 1,
                            .C = y->K,
                            .ldx = y->K,
                            .ldy = ORDERED_COLUMNS,
                            .p = p};
    const size_t most = ordered_rows_of(y);

    kern_rows(k, ceil_div(y->M, most), 3 * most * y->K, ordered_rows_range, &j);
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
