/*
 * bf16 arithmetic by AVX512_BF16.  Includers define
 *
 *     UNIT_TARGET           the attribute of functions that use the instruction
 *     PAIRS_DOT(s, w, v)    s + products of the words w and v, lane by lane, of 16 floats:
 *                           vdpbf16ps
 *     STORE_PAST(p, from)   16 floats to a line, past the caches                   vmovntps
 *     PAST_STORED()         what was written so is there for other threads           sfence
 *
 * A tile is gone through by at most 8 rows, with a band: for each pair in depth a vector of both
 * strips, and of each row one word in all lanes.  16 sums hide the latency of one; and eight rows,
 * candidates that are decoded together, take from memory every line of the panel once.
 */
#ifndef CAGSR_KERN_BF16_AVX512_H
#define CAGSR_KERN_BF16_AVX512_H

#include "kern/bf16_tile.h"

/* Rows and strips of the sums; and a block's depth, 48 kB: what of it has left the first cache when
 * the next rows go by comes from the second in time, and sums wait between blocks less often. */
enum { PAIRS_HEIGHT = 8, PAIRS_STRIPS = 2, PAIRS_DEPTH = 768 };

/* Pairs in depth from one time of asking to the next: at each, to see that there is nothing more to
 * ask for would cost 3 % of a product in the caches. */
enum { ASK_PAIRS = 4 };
_Static_assert(PAIRS_STRIPS *BF16_STRIP == BF16_BAND, "the strips of a band");

/* One pair in depth of R rows, a constant, so that the sums stay in registers. */
UNIT_TARGET ISA_BODY void pairs_dots(line_sum sum[PAIRS_HEIGHT][PAIRS_STRIPS],
                                     const uint32_t *a, const uint32_t *b, size_t R)
{
    line_word w[PAIRS_STRIPS];

    UNROLL
    for (size_t v = 0; v < PAIRS_STRIPS; v++)
        memcpy(&w[v], b + v * BF16_STRIP, sizeof w[v]);
    UNROLL
    for (size_t r = 0; r < R; r++) {
        const line_word x = (line_word){0} + a[r * STEP_PAIRS];

        UNROLL
        for (size_t v = 0; v < PAIRS_STRIPS; v++)
            sum[r][v] = PAIRS_DOT(sum[r][v], w[v], x);
    }
}

UNIT_TARGET ISA_BODY void pairs_begin(line_sum sum[PAIRS_HEIGHT][PAIRS_STRIPS],
                                      const float *from, size_t ld, size_t R)
{
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < PAIRS_STRIPS; v++)
        if (from)
            memcpy(&sum[r][v], from + r * ld + v * LINE, sizeof sum[r][v]);
        else
            sum[r][v] = (line_sum){0};
}

UNIT_TARGET ISA_BODY void pairs_end(line_sum sum[PAIRS_HEIGHT][PAIRS_STRIPS], float *to,
                                    size_t ld, int past, size_t R)
{
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < PAIRS_STRIPS; v++)
        if (past)
            STORE_PAST(to + r * ld + v * LINE, &sum[r][v]);
        else
            memcpy(to + r * ld + v * LINE, &sum[r][v], sizeof sum[r][v]);
}

/* n lines, into the first cache, and not by way of the last, where they would only push out what is
 * used again. */
ISA_BODY void pairs_ask(const uint32_t *ahead, size_t n)
{
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(ahead + i * LINE, 0, 0);
}

/* Rows row..row+R-1 of the tile, which ask for lines from..to-1 of its share, one step's behind the
 * other's. */
UNIT_TARGET ISA_BODY void pairs_rows(const struct bf16_tile *t, size_t row, size_t R,
                                     size_t from, size_t to)
{
    line_sum sum[PAIRS_HEIGHT][PAIRS_STRIPS];
    const uint32_t *a = t->a + row * STEP_PAIRS, *b = t->b;
    const uint32_t *ahead = t->ahead + from * t->steps * LINE;
    const size_t share = to - from, asks = ceil_div(share, STEP_PAIRS / ASK_PAIRS);

    pairs_begin(sum, t->from ? t->from + row * t->ldfrom : NULL, t->ldfrom, R);
    for (size_t s = 0; s < t->steps; s++, a += STEP_LEFT) {
        size_t left = share;

        for (size_t k = 0; k < STEP_PAIRS; k += ASK_PAIRS) {
            const size_t n = least(asks, left);

            pairs_ask(ahead, n);
            ahead += n * LINE;
            left -= n;
            UNROLL
            for (size_t i = k; i < k + ASK_PAIRS; i++, b += BF16_BAND)
                pairs_dots(sum, a + i, b, R);
        }
    }
    pairs_end(sum, t->to + row * t->ldto, t->ldto, t->past, R);
}

/* Some rows of the tile, at most PAIRS_HEIGHT. */
UNIT_TARGET static void pairs_some(const struct bf16_tile *t, size_t row, size_t rows,
                                   size_t from, size_t to)
{
    switch (rows) {
    case 1: pairs_rows(t, row, 1, from, to); break;
    case 2: pairs_rows(t, row, 2, from, to); break;
    case 3: pairs_rows(t, row, 3, from, to); break;
    case 4: pairs_rows(t, row, 4, from, to); break;
    case 5: pairs_rows(t, row, 5, from, to); break;
    case 6: pairs_rows(t, row, 6, from, to); break;
    case 7: pairs_rows(t, row, 7, from, to); break;
    default: pairs_rows(t, row, PAIRS_HEIGHT, from, to); break;
    }
}

UNIT_TARGET static void pairs_tile(const struct bf16_tile *t)
{
    const size_t half = ceil_div(t->rows, 2);

    if (t->rows <= PAIRS_HEIGHT) {
        pairs_some(t, 0, t->rows, 0, t->share);
        return;
    }
    pairs_some(t, 0, half, 0, t->share / 2);
    pairs_some(t, half, t->rows - half, t->share / 2, t->share);
}
_Static_assert(2 * PAIRS_HEIGHT == BF16_HEIGHT, "a tile is two times as many rows");

UNIT_TARGET static void pairs_multiply(const struct bf16_product *p)
{
    static const struct bf16_form form = {BF16_HEIGHT, BF16_BAND, PAIRS_DEPTH,
                                          PAIRS_HEIGHT, pairs_tile};

    bf16_blocks(p, &form);
    if (p->past)
        PAST_STORED();
}

#endif
