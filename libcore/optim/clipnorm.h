/*
 * The norm of a gradient, and the factor that clips it.
 *
 * Squares are added in double, in blocks of a fixed size and then block after block, so
 * that the bits are the same for any number of threads.
 */
#ifndef CAGSR_OPTIM_CLIPNORM_H
#define CAGSR_OPTIM_CLIPNORM_H

#include "base/par.h"

#include <stddef.h>

/* Doubles of scratch that clipnorm() wants for n elements. */
size_t clipnorm_scratch(size_t n);

/* sqrt(sum g_i^2) over the whole block, its padding (zeros) included.  NaN or infinite
 * if an element is. */
double clipnorm(struct par *par, const float *g, size_t n, double *scratch);

/* min(1, max / (norm + 1e-6)); 1 where max is 0 (no clipping). */
double clipnorm_scale(double norm, double max);

#endif
