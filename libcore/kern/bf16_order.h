/*
 * Operands of a unit put in order by AVX512_BF16, which rounds 32 numbers with one instruction
 * where vectors of words need a dozen for 16 (kern/halves.h).  Numbers below 2^-126 become 0 by
 * it, as which the units take them anyway; all others get the same bits.  Includers define
 *
 *     UNIT_TARGET         the attribute of functions that use the instruction
 *     ROUND_TWO(lo, hi)   bfloat16 of 16 floats, then of 16 more           vcvtne2ps2bf16
 *     STORE_PAST(p, from) 64 bytes to a line, past the caches                    vmovntdq
 *     PAST_STORED()       what was written so is there for other threads           sfence
 *
 * and get order_past, order_left, order_across, order_turn and order_rows: a struct bf16_order of
 * kern/bf16_simd.h.
 */
#ifndef CAGSR_KERN_BF16_ORDER_H
#define CAGSR_KERN_BF16_ORDER_H

#include "kern/bf16_tile.h"

typedef uint16_t line_half __attribute__((vector_size(64)));

UNIT_TARGET ISA_BODY line_sum floats_at(const float *x)
{
    line_sum v;

    memcpy(&v, x, sizeof v);
    return v;
}

/* The words of BF16_STEP neighbours. */
UNIT_TARGET ISA_BODY line_word neighbours(const float *x)
{
    return (line_word)ROUND_TWO(floats_at(x), floats_at(x + LINE));
}

/* The same of n < BF16_STEP, and zeros. */
UNIT_TARGET ISA_BODY line_word last_neighbours(const float *x, size_t n)
{
    float part[BF16_STEP] = {0};

    memcpy(part, x, n * sizeof *x);
    return neighbours(part);
}

UNIT_TARGET ISA_BODY void past_row(uint16_t *h, const float *x, size_t n, int lines)
{
    for (; n >= BF16_STEP; n -= BF16_STEP, x += BF16_STEP, h += BF16_STEP) {
        const line_word v = neighbours(x);

        if (lines)
            STORE_PAST(h, &v);
        else
            memcpy(h, &v, sizeof v);
    }
    if (n > 0) {
        const line_word v = last_neighbours(x, n);

        memcpy(h, &v, n * sizeof *h);
    }
}

UNIT_TARGET static void order_past(uint16_t *h, size_t ldh, const float *x, size_t ldx,
                                   size_t rows, size_t n)
{
    const int lines = bf16_lines(h, ldh * sizeof *h);

    for (size_t r = 0; r < rows; r++)
        past_row(h + r * ldh, x + r * ldx, n, lines);
    PAST_STORED();
}

UNIT_TARGET ISA_BODY void order_pieces(uint32_t *w, size_t step, const float *x,
                                       size_t n)
{
    for (; n >= BF16_STEP; n -= BF16_STEP, x += BF16_STEP, w += step) {
        const line_word v = neighbours(x);

        memcpy(w, &v, sizeof v);
    }
    if (n > 0) {
        const line_word v = last_neighbours(x, n);

        memcpy(w, &v, sizeof v);
    }
}

UNIT_TARGET static void order_left(uint32_t *w, size_t step, const float *x, size_t ld,
                                   size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        order_pieces(w + r * STEP_PAIRS, step, x + r * ld, n);
}

/* ---- rows below each other ----------------------------------------------------------- */

/* Words of a row's numbers and those of the row below, of a strip. */
UNIT_TARGET ISA_BODY void put_pair(uint32_t *w, line_sum even, line_sum odd)
{
    const line_half h = (line_half)ROUND_TWO(even, odd);
    const line_half two =
        ISA_MIX(line_half, h, h, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);

    memcpy(w, &two, sizeof two);
}

/* A row of a strip, from column `from` of a band's n, then zeros. */
UNIT_TARGET ISA_BODY line_sum strip_row(const float *x, size_t n, size_t from)
{
    float part[BF16_STRIP] = {0};

    if (n >= from + BF16_STRIP)
        return floats_at(x + from);
    if (n > from)
        memcpy(part, x + from, (n - from) * sizeof *x);
    return floats_at(part);
}

UNIT_TARGET ISA_BODY void order_band(uint32_t *w, const float *x, size_t ld,
                                     size_t rows, size_t n)
{
    for (size_t i = 0; i < rows; i += 2, w += BF16_BAND)
        UNROLL
    for (size_t s = 0; s < BF16_BAND; s += BF16_STRIP)
        put_pair(w + s, strip_row(x + i * ld, n, s),
                 i + 1 < rows ? strip_row(x + (i + 1) * ld, n, s) : (line_sum){0});
}

UNIT_TARGET static void order_across(uint32_t *w, size_t apart, const float *x,
                                     size_t ld, size_t rows, size_t n)
{
    for (; n >= BF16_BAND; n -= BF16_BAND, x += BF16_BAND, w += apart)
        order_band(w, x, ld, rows, BF16_BAND); /* a constant: no partial rows */
    if (n > 0)
        order_band(w, x, ld, rows, n);
}

/* ---- transposing ------------------------------------------------------------------- */

/* 16 rows of 16 words; four times, rows 1, 2, 4 and 8 apart change places of their words with
 * each other. */
#define SWAP_WORDS(a, b, first, second)                                                \
    do {                                                                               \
        const line_word x = a, y = b;                                                  \
                                                                                       \
        a = ISA_MIX(line_word, x, y, first);                                           \
        b = ISA_MIX(line_word, x, y, second);                                          \
    } while (0)
#define EVEN_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define ODD_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define EVEN_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define ODD_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define EVEN_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define ODD_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define EVEN_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define ODD_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

enum { SIDE = 16 };

UNIT_TARGET ISA_BODY void turn_lines(line_word r[SIDE])
{
    UNROLL
    for (size_t i = 0; i < SIDE; i += 2)
        SWAP_WORDS(r[i], r[i + 1], EVEN_1, ODD_1);
    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        if (!(i & 2))
            SWAP_WORDS(r[i], r[i + 2], EVEN_2, ODD_2);
    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        if (!(i & 4))
            SWAP_WORDS(r[i], r[i + 4], EVEN_4, ODD_4);
    UNROLL
    for (size_t i = 0; i < SIDE / 2; i++)
        SWAP_WORDS(r[i], r[i + 8], EVEN_8, ODD_8);
}

/* w (16, 16), rows ldw apart, from v (16, 16), rows ldv apart. */
UNIT_TARGET static void order_turn(uint32_t *w, size_t ldw, const uint32_t *v,
                                   size_t ldv)
{
    line_word r[SIDE];

    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        memcpy(&r[i], v + i * ldv, sizeof r[i]);
    turn_lines(r);
    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        memcpy(w + i * ldw, &r[i], sizeof r[i]);
}

/* One step of a strip from the rows of `wide` columns, n <= BF16_STEP deep. */
UNIT_TARGET ISA_BODY void order_step(uint32_t *p, const float *W, size_t ldw,
                                     size_t wide, size_t n)
{
    line_word r[SIDE];

    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        r[i] = i >= wide       ? (line_word){0}
               : n < BF16_STEP ? last_neighbours(W + i * ldw, n)
                               : neighbours(W + i * ldw);
    turn_lines(r);
    UNROLL
    for (size_t i = 0; i < SIDE; i++)
        memcpy(p + i * BF16_BAND, &r[i], sizeof r[i]);
}

UNIT_TARGET static void order_rows(uint32_t *p, const float *W, size_t ldw, size_t wide,
                                   size_t K)
{
    size_t k = 0;

    for (; wide == BF16_STRIP && k + BF16_STEP <= K; k += BF16_STEP)
        order_step(p + k / 2 * BF16_BAND, W + k, ldw, BF16_STRIP, BF16_STEP);
    for (; k < K; k += BF16_STEP)
        order_step(p + k / 2 * BF16_BAND, W + k, ldw, wide, least(K - k, BF16_STEP));
}

#endif
