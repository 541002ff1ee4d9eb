/*
 * Activations.  As the gate of a gated MLP: nn/gated.h.
 *
 * Cannot fail.  The bits of a row depend on that row only.  Rows are shared out over k's
 * threads.
 */
#ifndef CAGSR_NN_ACT_H
#define CAGSR_NN_ACT_H

#include "kern/kern.h"

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

/* dx = dy act'(x), overwritten; x is what went in, and may be dx. */
void act_backward(struct kern *k, float *dx, const float *dy, const float *x, size_t N,
                  size_t F, enum act act);

#endif
