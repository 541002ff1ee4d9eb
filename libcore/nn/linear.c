#include "nn/linear.h"

#include "nn/linear_simd.h"

/* y += x over rows from..to; a leading dimension of 0 repeats one row: the bias. */
struct add_job {
    const struct kern *k;
    float *y;
    const float *x;
    size_t ldy, ldx, N;
};

static void add_range(void *ctx, size_t from, size_t to)
{
    const struct add_job *j = ctx;

    ISA_CALL(
        kern_isa(j->k), linear_add,
        (j->y + from * j->ldy, j->ldy, j->x + from * j->ldx, j->ldx, to - from, j->N));
}

static void add_bias(struct kern *k, float *y, size_t ldy, const float *b, size_t M,
                     size_t N)
{
    struct add_job j = {k, y, b, ldy, 0, N};

    if (b)
        kern_rows(k, M, N, add_range, &j);
}

void add_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
              size_t N, size_t C)
{
    struct add_job j = {k, y, x, ldy, ldx, C};

    kern_rows(k, N, 2 * C, add_range, &j);
}

void add_forward(struct kern *k, float *y, const float *x, size_t N, size_t C)
{
    add_rows(k, y, C, x, C, N, C);
}

struct scale_job {
    float *y;
    const float *x;
    float by;
    size_t C;
};

static void scale_range(void *ctx, size_t from, size_t to)
{
    const struct scale_job *j = ctx;

#pragma omp simd
    for (size_t i = from * j->C; i < to * j->C; i++)
        j->y[i] = j->by * j->x[i];
}

void scale_forward(struct kern *k, float *y, const float *x, float by, size_t N,
                   size_t C)
{
    struct scale_job j = {y, x, by, C};

    kern_rows(k, N, C, scale_range, &j);
}

void linear_forward(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
                    const float *W, const float *b, size_t M, size_t N, size_t K)
{
    gemm_nt(k, y, ldy, x, ldx, W, K, M, N, K, 0);
    add_bias(k, y, ldy, b, M, N);
}

void linear_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
                 const struct gemm_weight *w, const float *b, size_t M)
{
    gemm_rows(k, y, ldy, x, ldx, M, w);
    add_bias(k, y, ldy, b, M, w->N);
}

/* db += the sum of the rows of dy: over all rows, for a range of columns, so that the
 * order of the sum is that of the rows whoever does it. */
struct sum_job {
    const struct kern *k;
    float *db;
    const float *dy;
    size_t ld, M;
};

static void sum_columns(void *ctx, size_t from, size_t to)
{
    const struct sum_job *j = ctx;

    ISA_CALL(kern_isa(j->k), linear_sum,
             (j->db + from, j->dy + from, j->ld, j->M, to - from));
}

void linear_backward(struct kern *k, float *dx, size_t lddx, float *dW, float beta,
                     float *db, const float *dy, size_t lddy, const float *x,
                     size_t ldx, const float *W, size_t M, size_t N, size_t K)
{
    struct sum_job j = {k, db, dy, lddy, M};

    if (dx)
        gemm_nn(k, dx, lddx, dy, lddy, W, K, M, N, K, 1);
    if (dW)
        gemm_tn(k, dW, K, dy, lddy, x, ldx, M, N, K, beta);
    if (db)
        kern_columns(k, N, M, sum_columns, &j);
}
