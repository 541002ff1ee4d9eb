#include "nn/act.h"

#include "nn/act_simd.h"

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), act_rows, (j, from, to));
}

static void backward_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), act_rows_back, (j, from, to));
}

static void gated_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), gated_rows, (j, from, to));
}

static void gated_back_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), gated_rows_back, (j, from, to));
}

/* An exponential costs like a handful of floats moved. */
enum { ACT_COST = 4 };

void act_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                 enum act act)
{
    struct act_job j = {.k = k, .y = y, .x = x, .F = F, .act = act};

    kern_rows(k, N, ACT_COST * F, forward_range, &j);
}

void act_backward(struct kern *k, float *dx, const float *dy, const float *x, size_t N,
                  size_t F, enum act act)
{
    struct act_job j = {.k = k, .dx = dx, .dy = dy, .x = x, .F = F, .act = act};

    kern_rows(k, N, ACT_COST * F, backward_range, &j);
}

void gated_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                   enum act act)
{
    struct act_job j = {.k = k, .y = y, .x = x, .F = F, .ldy = F, .act = act};

    kern_rows(k, N, ACT_COST * F, gated_range, &j);
}

/* A piece of the product, to its place in y (rows, F). */
static void take_piece(void *ctx, float *piece, size_t row, size_t rows, size_t col,
                       size_t cols)
{
    struct act_job j = *(const struct act_job *)ctx;

    j.y += row * j.F + col;
    j.x = piece;
    j.ldy = j.F;
    j.F = cols;
    gated_range(&j, 0, rows);
}

int gated_product(struct kern *k, float *y, const float *x, size_t ldx, size_t N,
                  const struct gemm_weight *w, enum act act)
{
    struct act_job j = {.k = k, .y = y, .F = w->N / 2, .act = act};
    const struct gemm_pieces to = {take_piece, &j};

    return gemm_rows_pairs(k, &to, x, ldx, N, w);
}

void gated_backward(struct kern *k, float *dx, const float *dy, const float *x,
                    size_t N, size_t F, enum act act)
{
    struct act_job j = {.k = k, .dx = dx, .dy = dy, .x = x, .F = F, .act = act};

    kern_rows(k, N, ACT_COST * F, gated_back_range, &j);
}
