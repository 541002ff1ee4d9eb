/* What kern/vec.h makes of rows, for each instruction set: what test_vec looks at. */
#ifndef CAGSR_TESTS_VEC_SIMD_H
#define CAGSR_TESTS_VEC_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* y (n) = exp(x), log(x) */
ISA_DECLARE(exps, (float *y, const float *x, size_t n));
ISA_DECLARE(logs, (float *y, const float *x, size_t n));

/* One vector's lanes together, x (16) of which a set takes as many as its vectors have. */
struct across {
    size_t lanes;
    float sum, peak;
    double sum_double;
};

ISA_DECLARE(across, (struct across * out, const float *x));

/* max, min (n) of a and b, number by number */
ISA_DECLARE(extremes,
            (float *max, float *min, const float *a, const float *b, size_t n));

#endif
