/* The loops of narrow.c: kern/isa.h says how they are built. */
#ifndef CAGSR_KERN_NARROW_SIMD_H
#define CAGSR_KERN_NARROW_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* One block of depth: c (R, N) = (add ? c : 0) + a (R, deep) b, R <= pack_height(). */
ISA_DECLARE(narrow_tile, (float *c, size_t ldc, const float *a, size_t lda,
                          const uint32_t *b, size_t R, size_t N, size_t deep, int add));

/* The words of a block, rounded to nearest, ties to even, of a panel of pack.h. */
ISA_DECLARE(narrow_round, (uint32_t * b, const float *panel, size_t deep));

/* out (deep, width) from the words of a panel's block. */
ISA_DECLARE(narrow_widen, (float *out, const uint32_t *b, size_t deep));

#endif
