/*
 * Soft capping (Bello et al., 2016; Gemma 2):  y = cap tanh(x / cap),
 * dy/dx = 1 - (y / cap)^2: y stays within -cap..cap, and is x where x is small.
 *
 * Cannot fail.  An element's bits depend on that element only.  Rows are shared out
 * over k's threads.
 */
#ifndef CAGSR_NN_SOFTCAP_H
#define CAGSR_NN_SOFTCAP_H

#include "kern/kern.h"

#include <stddef.h>

/* z (N, V) contiguous, in place; cap > 0. */
void softcap_forward(struct kern *k, float *z, size_t N, size_t V, float cap);

/* dz (N, V) in place: of y on entry, of x on return.  y is what forward left. */
void softcap_backward(struct kern *k, float *dz, const float *y, size_t N, size_t V,
                      float cap);

#endif
