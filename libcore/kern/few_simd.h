/* The loops of few.c: kern/isa.h says how they are built. */
#ifndef CAGSR_KERN_FEW_SIMD_H
#define CAGSR_KERN_FEW_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* One block of depth, K deep, of N columns: c (M, N) = or, if `add`, += a b.  Panels begin
 * `step` floats apart, at b. */
ISA_DECLARE(few_block,
            (float *c, size_t ldc, const float *a, size_t lda, const float *b,
             size_t step, size_t M, size_t N, size_t K, int add));

#endif
