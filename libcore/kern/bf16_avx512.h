/*
 * bf16 arithmetic by AVX512_BF16.  Includers define
 *
 *     UNIT_TARGET           the attribute of functions that use the instruction
 *     PAIRS_DOT(s, w, v)    s + products of the words w and v, lane by lane, of 16 floats:
 *                           vdpbf16ps
 *     STORE_PAST(p, from)   16 floats to a line, past the caches                   vmovntps
 *     PAST_STORED()         what was written so is there for other threads           sfence
 *
 * A tile is gone through by at most 4 rows: for each pair in depth the four vectors of the
 * panel, and of each row one word in all lanes.  16 sums, the panel's vectors and the word fit
 * the 32 registers.
 */
#ifndef CAGSR_KERN_BF16_AVX512_H
#define CAGSR_KERN_BF16_AVX512_H

#include "kern/bf16_tile.h"

enum { PAIRS_HEIGHT = 4 };

/* The rows' pairs of one step of depth.  R is a constant, so that the sums stay in
 * registers. */
UNIT_TARGET ISA_BODY void pairs_step(line_sum sum[PAIRS_HEIGHT][LINES],
                                     const uint32_t *a, const uint32_t *b, size_t apart,
                                     size_t R)
{
    for (size_t k = 0; k < STEP_PAIRS; k++, b += BF16_STRIP) {
        line_word w[LINES];

        UNROLL
        for (size_t v = 0; v < LINES; v++)
            memcpy(&w[v], b + v * apart, sizeof w[v]);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            const line_word x = (line_word){0} + a[r * STEP_PAIRS + k];

            UNROLL
            for (size_t v = 0; v < LINES; v++)
                sum[r][v] = PAIRS_DOT(sum[r][v], w[v], x);
        }
    }
}

/* Rows row..row+R-1 of the tile. */
UNIT_TARGET ISA_BODY void pairs_rows(const struct bf16_tile *t, size_t row, size_t R)
{
    line_sum sum[PAIRS_HEIGHT][LINES];

    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < LINES; v++)
        if (t->from)
            memcpy(&sum[r][v], t->from + (row + r) * t->ldfrom + v * LINE,
                   sizeof sum[r][v]);
        else
            sum[r][v] = (line_sum){0};
    for (size_t i = 0; i < t->steps; i++) {
        if (row == 0)
            ask_strips(t->ahead + i * t->share * LINE, t->apart, t->share, LINES);
        pairs_step(sum, t->a + i * STEP_LEFT + row * STEP_PAIRS, t->b + i * STEP_STRIP,
                   t->apart, R);
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < LINES; v++) {
        float *to = t->to + (row + r) * t->ldto + v * LINE;

        if (t->past)
            STORE_PAST(to, &sum[r][v]);
        else
            memcpy(to, &sum[r][v], sizeof sum[r][v]);
    }
}

UNIT_TARGET static void pairs_tile(const struct bf16_tile *t)
{
    for (size_t row = 0; row < t->rows; row += PAIRS_HEIGHT)
        switch (t->rows - row) {
        case 1: pairs_rows(t, row, 1); break;
        case 2: pairs_rows(t, row, 2); break;
        case 3: pairs_rows(t, row, 3); break;
        default: pairs_rows(t, row, PAIRS_HEIGHT); break;
        }
}

UNIT_TARGET static void pairs_multiply(const struct bf16_product *p)
{
    static const struct bf16_form form = {BF16_HEIGHT, BF16_WIDTH, PANEL_DEPTH,
                                          pairs_tile};

    bf16_blocks(p, &form);
    if (p->past)
        PAST_STORED();
}

#endif
