/*
 * What the units' loops share.  The loops stand in headers (kern/bf16_avx512.h,
 * kern/bf16_amx.h) and name their instructions by macros, for they are compiled twice: with
 * the processor's, and for tests with functions that do the same anywhere.
 */
#ifndef CAGSR_KERN_BF16_TILE_H
#define CAGSR_KERN_BF16_TILE_H

#include "kern/bf16.h"
#include "tensor/dims.h"

#include <string.h>

/* Some rows of a, at most a unit's height, times a block of depth of one panel: `pairs`
 * words deep, a multiple of BF16_STEP / 2. */
struct bf16_tile {
    float *c;
    const uint32_t *a, *b;
    size_t ldc, lda, rows, cols, pairs;
    float beta;
};

/* A panel's block stays in the first cache while all rows go by: they come from the second,
 * which for `height` rows of them has the time of a whole tile. */
ISA_BODY void bf16_tiles(const struct bf16_product *p, size_t height,
                         void (*tile)(const struct bf16_tile *t))
{
    const size_t depth = bf16_depth(p->K);

    for (size_t n = 0; n < p->N; n += BF16_WIDTH)
        for (size_t k = 0; k < p->K; k += depth)
            for (size_t m = 0; m < p->M; m += height) {
                const struct bf16_tile t = {.c = p->c + m * p->ldc + n,
                                            .a = p->a + m * p->lda + k / 2,
                                            .b = p->b + n / BF16_WIDTH * p->step +
                                                 k / 2 * BF16_WIDTH,
                                            .ldc = p->ldc,
                                            .lda = p->lda,
                                            .rows = least(height, p->M - m),
                                            .cols = least(BF16_WIDTH, p->N - n),
                                            .pairs = bf16_pairs(least(depth, p->K - k)),
                                            .beta = k == 0 ? p->beta : 1};

                tile(&t);
            }
}

/* The rows of the tile's sums, BF16_WIDTH apart, to c. */
ISA_BODY void bf16_finish(const struct bf16_tile *t, const float *sum)
{
    for (size_t r = 0; r < t->rows; r++, sum += BF16_WIDTH) {
        float *c = t->c + r * t->ldc;

        if (t->beta == 0)
            memcpy(c, sum, t->cols * sizeof *c);
        else
            for (size_t n = 0; n < t->cols; n++)
                c[n] = t->beta * c[n] + sum[n];
    }
}

#endif
