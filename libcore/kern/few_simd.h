/* The loops of few.c: kern/isa.h says how they are built. */
#ifndef CAGSR_KERN_FEW_SIMD_H
#define CAGSR_KERN_FEW_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* Rows, few enough for the registers beside two panels' sums; panels side by side of one row. */
#if defined(__AVX512F__)
enum { FEW_TILE_ROWS = 6 };
#else
enum { FEW_TILE_ROWS = 3 };
#endif
enum { FEW_STREAMS = 4 };

/* One block of depth, K deep, of N columns: c (M, N) = or, if `add`, += a b.  Panels begin
 * `step` floats apart, at b. */
ISA_DECLARE(few_block,
            (float *c, size_t ldc, const float *a, size_t lda, const float *b,
             size_t step, size_t M, size_t N, size_t K, int add));

#endif
