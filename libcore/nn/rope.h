/*
 * Rotary position embedding (Su et al., 2021), the half-split form of Hugging Face and
 * of checkpoints in its layout: dimension i of a head is paired with i + R/2, i < R/2,
 * and the pair at position p is turned by the angle p f_i:
 *     x_i' = x_i cos - x_{i+R/2} sin,    x_{i+R/2}' = x_{i+R/2} cos + x_i sin
 * Dimensions R..D-1 stay (partial rotation).
 *
 * The frequencies f are data: a table of R/2 doubles, radians per position, filled once
 * at load by rope_freq and the scaling that the model asks for.  Angles, sines and
 * cosines are computed in double and stored as floats, once per batch for all layers.
 */
#ifndef CAGSR_NN_ROPE_H
#define CAGSR_NN_ROPE_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

/* f_i = base^(-2 i / R), i < R/2. */
void rope_freq(double *f, size_t R, double base);

/* Position interpolation ("linear"): every f divided by factor. */
void rope_scale_linear(double *f, size_t R, double factor);

/* Llama 3.1's scaling.  With wavelength l = 2 pi / f and `original` the context of
 * pre-training: unchanged where l < original / high, divided by factor where
 * l > original / low, and in between blended linearly in original / l. */
struct rope_llama3 {
    double factor, low, high, original;
};
void rope_scale_llama3(double *f, size_t R, struct rope_llama3 s);

/* Sines and cosines of N rows at positions pos (N): cs (N, R) out, of each row R/2
 * cosines, then R/2 sines, both times `scale` (1, or yarn's attention factor). */
void rope_table(struct kern *k, float *cs, const int32_t *pos, size_t N,
                const double *f, size_t R, float scale);

/* Turns, in place, the H heads of D floats that lie side by side in each of N rows of
 * x, ldx apart.  cs (N, R) is rope_table's.  A row's bits depend on that row only. */
void rope_forward(struct kern *k, float *x, size_t ldx, const float *cs, size_t N,
                  size_t H, size_t D, size_t R);

/* The gradient is turned back, in place: dx holds the gradient with respect to the
 * turned x on entry, with respect to the original on return (no accumulation). */
void rope_backward(struct kern *k, float *dx, size_t lddx, const float *cs, size_t N,
                   size_t H, size_t D, size_t R);

#endif
