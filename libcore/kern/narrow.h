/*
 * Panels of weights in bfloat16: half of what memory has to bring when few rows are
 * multiplied with a weight, which is what decoding waits for.
 *
 * Numbers are widened to float32 as they are read (a bfloat16 is the upper half of a
 * float32) and multiplied and summed in float32 as in kern/pack.h, in the same order: the
 * bits are those of the product with float32 panels of the same numbers.  So a checkpoint in
 * bfloat16 loses nothing.  One row takes half the time; many rows, which wait for arithmetic
 * and not for memory, pay for the widening (tests/bench/RESULTS.md).
 *
 * A panel is pack_width() columns, for each pair of k side by side: in a word of 32 bits,
 * the even k's number in the lower half, the odd one's in the upper, 0 behind an odd K.
 * (The order that processors' own bfloat16 products want.)
 */
#ifndef CAGSR_KERN_NARROW_H
#define CAGSR_KERN_NARROW_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* Words of a panel, K deep. */
size_t narrow_words(enum isa isa, size_t K);

/* A panel, zeros beyond column N, from the N rows of W, ldw apart, rounded to the nearest
 * bfloat16, ties to even.  Infinity and NaN stay what they are. */
void narrow_from_rows(enum isa isa, uint32_t *p, const float *W, size_t ldw, size_t N,
                      size_t K);

/* What was stored of column n of a panel of `width`. */
void narrow_row(float *row, const uint32_t *panel, size_t width, size_t n, size_t K);

/* Rows k0..k0+deep-1 of a panel as float32, to a panel of pack.h; k0 is even. */
void narrow_widen(enum isa isa, float *out, const uint32_t *panel, size_t k0,
                  size_t deep);

/* c (M, N) = a (M, K) b, rows ldc and lda apart, N <= pack_width() columns of one panel;
 * M, N, K > 0.  Safe from many threads on different c. */
void narrow_multiply(enum isa isa, float *c, size_t ldc, const float *a, size_t lda,
                     const uint32_t *panel, size_t M, size_t N, size_t K);

#endif
