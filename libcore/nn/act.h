/*
 * Activations, alone and as the gate of a gated MLP.
 *
 * Cannot fail.  The bits of a row depend on that row only.  Rows are shared out over k's
 * threads.
 */
#ifndef CAGSR_NN_ACT_H
#define CAGSR_NN_ACT_H

#include "kern/gemm.h"

#include <stddef.h>

enum act {
    ACT_GELU,      /* x Phi(x), Phi the normal distribution function */
    ACT_GELU_TANH, /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2: "gelu_new" */
    ACT_SILU,      /* x / (1 + exp(-x)) */
    ACT_RELU,      /* max(x, 0); derivative 0 at 0 */
};

/* y (N, F) = act(x); y may be x. */
void act_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                 enum act act);

/* dx = dy act'(x), overwritten; x is what went in. */
void act_backward(struct kern *k, float *dx, const float *dy, const float *x, size_t N,
                  size_t F, enum act act);

/* y (N, F) = act(gate) up, where x (N, 2 F) holds gate in columns 0..F-1 of each row
 * and up in F..2F-1, as the product with the joined weights leaves them (swiglu:
 * ACT_SILU; geglu: ACT_GELU_TANH).  y may not alias x. */
void gated_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                   enum act act);

/* The same of x W^T, rows of x ldx apart, which is never whole in memory: y (N, F), and 1; or 0
 * where gemm_rows_pairs cannot do it.  The bits of gemm_rows and gated_forward. */
int gated_product(struct kern *k, float *y, const float *x, size_t ldx, size_t N,
                  const struct gemm_weight *w, enum act act) MUST_CHECK;

/* dx (N, 2 F), overwritten: to the gate dy up act'(gate), to up dy act(gate). */
void gated_backward(struct kern *k, float *dx, const float *dy, const float *x,
                    size_t N, size_t F, enum act act);

#endif
