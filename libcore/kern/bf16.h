/*
 * bf16 arithmetic: both operands of a product are rounded to bfloat16 (to nearest, ties to
 * even), products of two such numbers are exact in float32, and float32 is what they are
 * summed in.  It has two forms:
 *
 * By widening, everywhere: the rounded numbers are float32 numbers, multiplied by the kernels
 * of kern/pack.h.  The bits are those of float32 products of rounded operands.
 *
 * By a unit, where the processor has instructions for it (kern/isa.h): AVX512_BF16 adds two
 * products at a time to 16 sums, AMX 16 x 16 x 32 of them.  A unit sums in the order of its
 * instructions, the whole depth in one chain that begins with what is there, so its bits are
 * its own: within float32's rounding of the others', and as elsewhere those of an element
 * depend on its row of a and its column of b alone, for depth is padded with zeros and rows
 * never meet.  Both round sums to nearest whatever the processor's state says, take operands
 * below 2^-126 for 0, and sums below that become 0.  Infinity and NaN are float32's.
 *
 * The operands of a unit are words of 32 bits: two neighbours in depth, the even one in the
 * lower half (as in kern/narrow.h).  Depth is padded with zeros to BF16_STEP numbers.
 *   left    tiles of BF16_HEIGHT rows, the last one padded with rows of zeros: for each
 *           BF16_STEP of depth the words of a row, then those of the next, a kilobyte in all
 *   panels  BF16_WIDTH columns, in bands of BF16_BAND: for each pair in depth the words of
 *           a band side by side, zeros beyond the last column; one band behind the other
 * A strip, BF16_STRIP columns, is what an instruction takes.  A band is as many as rows of candidates
 * that are decoded together go through at once: so weights are read in the order of memory, which
 * gives more then (Zen 5, two threads, eight rows: 65 GB/s; of two strips side by side 51).
 * What is packed is the same for both units; `isa` (not ISA_AUTO) is whose loops pack.  Those of
 * ISA_AVX512_BF16 and ISA_AMX are one; in place of numbers below 2^-126, which no unit sees, they
 * leave 0 (kern/bf16_order.h).
 */
#ifndef CAGSR_KERN_BF16_H
#define CAGSR_KERN_BF16_H

#include "base/err.h"
#include "kern/isa.h"
#include "kern/pack.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BF16_STEP = 32,
    BF16_HEIGHT = 16,
    BF16_STRIP = 16,
    BF16_BAND = 32,
    BF16_WIDTH = 64
};

/* Words of a row of the left operand, and rows of words of a band, K deep. */
size_t bf16_pairs(size_t K);

/* Words of a tile of the left operand: one is that far behind the other. */
size_t bf16_tile_words(size_t K);

/* Words of a band, likewise; and to where depth k of it begins, k a multiple of BF16_STEP. */
size_t bf16_band_words(size_t K);

/* c (M, N) = beta c + a b, K deep.  a: tiles of the left operand, `tile` words apart; panels of
 * b, `step` words apart; each of the whole depth, or of more.  With beta 0 c need not be
 * initialised.  past: c is not read again soon, beta is 0, and what fills whole cache lines goes past
 * the caches, which saves reading the lines first. */
struct bf16_product {
    float *c;
    const uint32_t *a, *b;
    const uint32_t *then; /* columns that are asked for at the end; NULL: none */
    size_t ldc, tile, step, M, N, K;
    float beta;
    int past;
};

/* c (M, N) = a b, or with `add` c + a b, of a few rows as they are: M <= BF16_FEW, each `pairs` words,
 * lda apart; b: N / BF16_STRIP strips, `apart` words from one to the next, of which as many rows are
 * read.  N is whole strips.  What is summed, and how, is written above. */
enum { BF16_FEW = 6 };
struct bf16_few {
    float *c;
    const uint32_t *a, *b;
    size_t ldc, lda, apart, M, N, pairs;
    int add;
};

/* Who multiplies so.  Safe from many threads on different c.  b may begin and end within a panel, where
 * that is whole `columns`: it reads so many at once.  Products of a few rows are AVX512_BF16's in AMX
 * too, whose tiles would be empty. */
struct bf16_unit {
    const char *name;
    void (*multiply)(const struct bf16_product *p);
    void (*few)(const struct bf16_few *p);
    size_t columns;
};

/* The unit of an instruction set that this processor has; NULL: it has none. */
const struct bf16_unit *bf16_unit_of(enum isa isa);

/* A small product by the unit, compared with the same in whole numbers (microseconds).
 * ERR_NUMERIC. */
int bf16_check(const struct bf16_unit *u, struct err *e) MUST_CHECK;

/* Some depth of the left operand, tiles `tile` words apart, from M rows of A (M, K), ld apart: a
 * is where that depth begins.  Or the left operand from M columns of a matrix (k.K, M), of which A
 * is the rows k.from..k.to-1: k.from a multiple of BF16_STEP, and k.to too unless it is k.K. */
void bf16_left_from_rows(enum isa isa, uint32_t *a, size_t tile, const float *A,
                         size_t ld, size_t M, size_t K);
void bf16_left_from_columns(enum isa isa, uint32_t *a, const float *A, size_t ld,
                            size_t M, struct pack_rows k);

/* Panels from the N rows of W (N, K), ldw apart; or from N columns of a matrix (k.K, N), of which B
 * is the rows k.from..k.to-1, as above. */
void bf16_panels_from_rows(enum isa isa, uint32_t *p, const float *W, size_t ldw,
                           size_t N, size_t K);
void bf16_panels_from_columns(enum isa isa, uint32_t *p, const float *B, size_t ldb,
                              size_t N, struct pack_rows k);

/* y (n) = x rounded, as float32; y may be x. */
void bf16_round(enum isa isa, float *y, const float *x, size_t n);

/* 1 if rows that lie `apart` bytes apart, the first at p, all begin with a cache line. */
static inline int bf16_lines(const void *p, size_t apart)
{
    return ((uintptr_t)p | apart) % 64 == 0;
}

/* h (rows, n) = x rounded, as bfloat16, which is the upper half of a float32; rows ldh and ldx
 * apart.  For what is not read again soon: where rows of h begin with a cache line it is written past
 * the caches, which saves reading its old bytes first.  And x (n) of h again.  By the calling thread
 * alone. */
void bf16_narrow(enum isa isa, uint16_t *h, size_t ldh, const float *x, size_t ldx,
                 size_t rows, size_t n);
void bf16_widen(enum isa isa, float *x, const uint16_t *h, size_t n);

#endif
