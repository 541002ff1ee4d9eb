/* The loops of few.c: kern/isa.h says how they are built. */
#ifndef CAGSR_KERN_FEW_SIMD_H
#define CAGSR_KERN_FEW_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* c (M, N) = a b, K deep, in blocks of `depth`; panels of the whole depth, one behind the other, at
 * b. */
ISA_DECLARE(few_panels, (float *c, size_t ldc, const float *a, size_t lda,
                         const float *b, size_t M, size_t N, size_t K, size_t depth));

#endif
