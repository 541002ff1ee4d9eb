/*
 * The letters.  A dimension is one capital, a size_t; its index is the small letter
 * (t < T).  Matrices are row-major; "x (B, C)" says rows first.  A leading dimension
 * `ldx` is the distance between rows in floats, at least the row's length.
 *
 *   B   rows of a batch: all tokens of all its sequences, packed end to end, no padding
 *   T   tokens of a response, or of one sequence
 *   P   tokens of a prompt
 *   S   keys that a query may see (source positions)
 *   C   channels: the width of the hidden state
 *   H   query heads
 *   G   key/value heads: H / G query heads share one (grouped-query attention)
 *   D   width of one head
 *   R   how many of the D are rotated (R == D unless rotation is partial), even
 *   F   width inside the MLP
 *   V   vocabulary: rows of the embedding
 *   L   layers
 *   N   rows of a row-wise layer (norm, activation, cross-entropy)
 *
 * Products (kern/gemm.h) have letters of their own, those of BLAS:
 *   M   rows of x
 *   N   outputs: rows of the weight
 *   K   inputs: columns of the weight, summed over
 */
#ifndef CAGSR_TENSOR_DIMS_H
#define CAGSR_TENSOR_DIMS_H

#include <stddef.h>

/* The smallest multiple of `m` that is at least `n`; m > 0. */
static inline size_t round_up(size_t n, size_t m)
{
    return (n + m - 1) / m * m;
}

/* How many pieces of at most `by` n things make; by > 0. */
static inline size_t ceil_div(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* n things in ranges as equal as they can be, at most `most` in each: how many, rounded up to a
 * multiple of `unit`.  All > 0. */
static inline size_t share_out(size_t n, size_t most, size_t unit)
{
    return round_up(ceil_div(n, ceil_div(n, most)), unit);
}

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t greatest(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
