/*
 * Gradients against finite differences.
 *
 * The loss of ctx is looked at as a function of the n floats at x; dx is the gradient
 * claimed.  Each element is moved by +-h and +-2h (x is put back), so the differences
 * err by O(h^4) and h may be large enough for float32: 1e-2 for numbers about 1.
 *
 * Returns the largest |difference - dx_i| over the larger of 1e-3 and the largest |dx|:
 * 0 is perfect, 1e-3 is what float32 layers reach, 1 is no gradient at all.  Not a
 * number anywhere gives INFINITY.  Above 512 elements, 512 of them are taken, spread
 * evenly, the first and the last among them.
 */
#ifndef CAGSR_TESTS_GRADCHECK_H
#define CAGSR_TESTS_GRADCHECK_H

#include <stddef.h>
#include <stdint.h>

double gradcheck(float *x, const float *dx, size_t n, float h,
                 double (*loss)(void *ctx), void *ctx);

/* n normal floats times `scale`, a function of seed alone. */
void fill_normal(float *x, size_t n, float scale, uint64_t seed);

/* sum_i a_i b_i in double: the usual loss, with random a, whose gradient is a. */
double dot_double(const float *a, const float *b, size_t n);

#endif
