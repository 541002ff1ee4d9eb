/*
 * The passes over all logits of sample.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_MODEL_SAMPLE_SIMD_H
#define CAGSR_MODEL_SAMPLE_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

enum { SAMPLE_CHUNK = 1024 }; /* ids of one partial sum */

/* The largest of z (V); NaN if one is not finite. */
ISA_DECLARE(sample_peak, (const float *z, size_t V, float *out));

/* w (V) = exp((z - top) by), and the sums of it over chunks. */
ISA_DECLARE(sample_weigh,
            (float *w, double *sums, const float *z, size_t V, float top, float by));

#endif
