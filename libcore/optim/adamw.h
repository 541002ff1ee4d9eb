/*
 * AdamW (Loshchilov and Hutter 2019) over one float32 block, in one pass.
 *
 *     w -= lr decay w                                 decoupled, before the step
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *     w -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
 *
 * g is the gradient times `scale` (the clip factor), so that clipping needs no pass of
 * its own.  Every element is its own computation: the bits do not depend on threads.
 */
#ifndef CAGSR_OPTIM_ADAMW_H
#define CAGSR_OPTIM_ADAMW_H

#include "base/par.h"

#include <stddef.h>
#include <stdint.h>

struct adamw {
    double beta1, beta2, eps; /* 0.9, 0.95, 1e-8 */
};

/* A run of elements with one weight decay; long tensors are cut so that threads share
 * them (ADAMW_RUN elements at most). */
enum { ADAMW_RUN = 65536 };
struct adamw_run {
    size_t offset, n;
    float decay;
};

/* Runs needed for a tensor of n elements. */
size_t adamw_runs(size_t n);

/* Appends the runs of [offset, offset + n) to out; returns how many. */
size_t adamw_cut(struct adamw_run *out, size_t offset, size_t n, double decay);

/* Step t = 1, 2, ... at learning rate lr.  w, m, v are updated at the runs' elements; g
 * is read only.  Cannot fail. */
void adamw_step(const struct adamw *o, struct par *par, const struct adamw_run *runs,
                size_t nruns, float *w, const float *g, float *m, float *v, uint64_t t,
                double lr, double scale);

#endif
