/*
 * The linear layer:  y = x W^T + b.
 *   x   (M, K)   y (M, N)   rows contiguous, or ldx, ldy apart where given
 *   W   (N, K)   b (N), or NULL for none
 * Cannot fail.  The struct kern's threads share the work; results do not depend on
 * their number.
 */
#ifndef CAGSR_NN_LINEAR_H
#define CAGSR_NN_LINEAR_H

#include "kern/gemm.h"

/* Many rows, free order of summation (scoring, training). */
void linear_forward(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
                    const float *W, const float *b, size_t M, size_t N, size_t K);

/* The batch-invariant twin for sampling; W is packed in w. */
void linear_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
                 const struct gemm_weight *w, const float *b, size_t M);

/* dx += dy W,  dW = beta dW + dy^T x,  db += sum over rows of dy.  Any of dx, dW, db may
 * be NULL: that gradient is not wanted.  With beta 0, dW need not be initialised. */
void linear_backward(struct kern *k, float *dx, size_t lddx, float *dW, float beta,
                     float *db, const float *dy, size_t lddy, const float *x,
                     size_t ldx, const float *W, size_t M, size_t N, size_t K);

/* y (N, C) += x, rows ldy and ldx apart. */
void add_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
              size_t N, size_t C);

/* The same, rows contiguous: the residual stream's sum. */
void add_forward(struct kern *k, float *y, const float *x, size_t N, size_t C);

/* y = by x over (N, C); y may be x. */
void scale_forward(struct kern *k, float *y, const float *x, float by, size_t N,
                   size_t C);

#endif
