/* The loops of attention_unit.c, for each instruction set (kern/isa.h). */
#ifndef CAGSR_NN_ATTENTION_UNIT_SIMD_H
#define CAGSR_NN_ATTENTION_UNIT_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* A chunk of scores: a row for each key, from key `first` on, a column for each query; n columns,
 * a multiple of 16.  Query x sees the keys from[x]..to[x]-1. */
struct attn_chunk {
    float *p, *ds; /* (keys, n) */
    const float *lse, *delta;
    const int32_t *from, *to;
    size_t first, keys, n;
    float scale, cap;
};

/* k . q in p and v . dout in ds become probabilities, and gradients of scores, each 0 where a query
 * does not see a key. */
ISA_DECLARE(attn_chunk_weights, (const struct attn_chunk *c));

/* y[i] = a_i . b_i: rows of n numbers, lda and ldb apart. */
ISA_DECLARE(attn_chunk_dots, (float *y, const float *a, size_t lda, const float *b,
                              size_t ldb, size_t rows, size_t n));

/* y (rows, n) = by x, rows ldy and ldx apart; x is there in whole vectors. */
ISA_DECLARE(attn_chunk_give, (float *y, size_t ldy, const float *x, size_t ldx,
                              size_t rows, size_t n, float by));

#endif
