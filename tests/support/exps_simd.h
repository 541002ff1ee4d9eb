/* exp of a row by kern/vec.h, for each instruction set: what test_vec looks at. */
#ifndef CAGSR_TESTS_EXPS_SIMD_H
#define CAGSR_TESTS_EXPS_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* y (n) = exp(x) */
ISA_DECLARE(exps, (float *y, const float *x, size_t n));

#endif
