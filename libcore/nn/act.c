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
