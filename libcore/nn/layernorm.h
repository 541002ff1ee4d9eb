/*
 * Layer norm over the last axis (Ba, Kiros, Hinton 2016):
 *     y = (x - m) r w + b,   m = mean(x),  r = 1 / sqrt(mean((x - m)^2) + eps)
 *   x, y   (N, C)   row-major, contiguous; y may not alias x
 *   w, b   (C)      gain and bias; b may be NULL
 *   m, r   (N)      out: kept for the backward pass; both may be NULL in forward
 * Cannot fail; N == 0 is a no-op.  A row's bits depend on that row only.  Rows are
 * shared out over k's threads.
 */
#ifndef CAGSR_NN_LAYERNORM_H
#define CAGSR_NN_LAYERNORM_H

#include "kern/kern.h"

#include <stddef.h>

void layernorm_forward(struct kern *k, float *y, float *m, float *r, const float *x,
                       const float *w, const float *b, size_t N, size_t C, float eps);

/* With h = (x - m) r, g = dy w, over the row:
 *     dx += r (g - mean(g) - h mean(g h)),   dw += sum_n dy h,   db += sum_n dy
 * All accumulate; dx may not alias dy; dw, db may be NULL. */
void layernorm_backward(struct kern *k, float *dx, float *dw, float *db,
                        const float *dy, const float *x, const float *w, const float *m,
                        const float *r, size_t N, size_t C);

#endif
