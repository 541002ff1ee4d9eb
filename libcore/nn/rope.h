/*
 * Rotary position embedding (Su et al., 2021), the half-split form of Hugging Face and
 * of checkpoints in its layout: dimension i of a head is paired with i + R/2, i < R/2,
 * and the pair at position p is turned by the angle p f_i:
 *     x_i' = x_i cos - x_{i+R/2} sin,    x_{i+R/2}' = x_{i+R/2} cos + x_i sin
 * Dimensions R..D-1 stay (partial rotation).
 *
 * The frequencies f are data: a table of R/2 doubles, radians per position, filled once
 * at load from what a `struct rope` says.  Angles, sines and cosines are computed in
 * double and stored as floats, once per batch for all layers.
 */
#ifndef CAGSR_NN_ROPE_H
#define CAGSR_NN_ROPE_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

/* How the plain frequencies base^(-2i/R) are changed for contexts longer than that of
 * pre-training, `original`.  `turns` are those that a pair makes in `original`
 * positions: original f / (2 pi). */
enum rope_scaling {
    ROPE_PLAIN,
    ROPE_LINEAR,  /* position interpolation: divided by factor */
    ROPE_DYNAMIC, /* NTK-aware: at a position p >= original, with the length n = p + 1,
                     the base grows by (factor n / original - factor + 1)^(R/(R-2)) */
    ROPE_YARN,    /* Peng et al., 2023: kept where turns are more than high, divided by
                     factor where fewer than low, blended along i in between */
    ROPE_LLAMA3,  /* Llama 3.1: the same, blended along turns */
    ROPE_LONG,    /* LongRoPE (Ding et al., 2024): each divided by its own by[i] */
};

enum { ROPE_PAIRS_MAX = 256 }; /* of ROPE_LONG */

struct rope {
    double base;
    enum rope_scaling scaling;
    double factor;
    double original;
    double low, high;          /* turns */
    int fractional;            /* yarn: the blend's ends are not rounded to whole i */
    double gain;               /* of cosines and sines: 1, or yarn's attention factor */
    double by[ROPE_PAIRS_MAX]; /* (R/2) */
    double
        by_long[ROPE_PAIRS_MAX]; /* those beyond `original`, which no sequence of ours
                                       reaches: for files */
};

/* The frequencies (R/2) that r asks for; of ROPE_DYNAMIC those below `original`. */
void rope_freq(double *f, size_t R, const struct rope *r);

/* Sines and cosines of N rows at positions pos (N): cs (N, R) out, of each row R/2
 * cosines, then R/2 sines, both times r->gain.  f is rope_freq's.  A row depends on its
 * position only. */
void rope_table(struct kern *k, float *cs, const int32_t *pos, size_t N,
                const double *f, size_t R, const struct rope *r);

/* Turns, in place, the H heads of D floats that lie side by side in each of N rows of
 * x, ldx apart.  cs (N, R) is rope_table's.  A row's bits depend on that row only. */
void rope_forward(struct kern *k, float *x, size_t ldx, const float *cs, size_t N,
                  size_t H, size_t D, size_t R);

/* The gradient is turned back, in place: dx holds the gradient with respect to the
 * turned x on entry, with respect to the original on return (no accumulation). */
void rope_backward(struct kern *k, float *dx, size_t lddx, const float *cs, size_t N,
                   size_t H, size_t D, size_t R);

#endif
