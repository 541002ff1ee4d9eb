/*
 * Root-mean-square layer norm over the last axis (Zhang and Sennrich, 2019):
 *     y = x r (offset + w),   r = 1 / sqrt(mean(x^2) + eps)
 *   x, y   (N, C)   row-major, contiguous; y may not alias x
 *   w      (C)      gain
 *   r      (N)      out: kept for the backward pass; may be NULL in forward
 * Cannot fail; N == 0 is a no-op.  A row's bits depend on that row only.  Rows are
 * shared out over k's threads.
 */
#ifndef CAGSR_NN_RMSNORM_H
#define CAGSR_NN_RMSNORM_H

#include "kern/ordered.h"

#include <stddef.h>

struct rmsnorm {
    float eps;
    float offset; /* added to the gain: 0, or 1 in the gemma family */
};

void rmsnorm_forward(struct kern *k, float *y, float *r, const float *x, const float *w,
                     size_t N, size_t C, struct rmsnorm p);

/* y in order for the products that read it, y->M rows of x and y->K columns, a multiple of
 * ORDERED_COLUMNS; it is never whole as float32.  The numbers are rmsnorm_forward's. */
void rmsnorm_ordered(struct kern *k, const struct ordered *y, float *r, const float *x,
                     const float *w, struct rmsnorm p);

/* With g = offset + w and s = sum_j dy_j g_j x_j over the row:
 *     dx_i += r g_i dy_i - x_i r^3 s / C,     dw_i += sum_n dy_i x_i r
 * dx, dw accumulate; dx may not alias dy.  dw may be NULL. */
void rmsnorm_backward(struct kern *k, float *dx, float *dw, const float *dy,
                      const float *x, const float *w, const float *r, size_t N,
                      size_t C, struct rmsnorm p);

/* The same for each of H heads of C floats that lie side by side in each of N rows of
 * x, ldx apart, with one gain (C) for all of them; r (N, H).  y may be x. */
void rmsnorm_heads_forward(struct kern *k, float *y, size_t ldy, float *r,
                           const float *x, size_t ldx, const float *w, size_t N,
                           size_t H, size_t C, struct rmsnorm p);

/* In place: dy (N rows, lddy apart) holds the gradient with respect to y on entry, to x
 * on return (no accumulation); dw accumulates. */
void rmsnorm_heads_backward(struct kern *k, float *dy, size_t lddy, float *dw,
                            const float *x, size_t ldx, const float *w, const float *r,
                            size_t N, size_t H, size_t C, struct rmsnorm p);

#endif
