/*
 * bf16 arithmetic by AMX.  Includers define
 *
 *     UNIT_TARGET           the attribute of functions that use the instructions
 *     TILES_BEGIN(config)   64 bytes: the tiles' shapes; all tiles become 0        ldtilecfg
 *     TILES_END()           the tiles are given up                              tilerelease
 *     TILE_ZERO(t)                                                                 tilezero
 *     TILE_LOAD(t, p, n)    16 rows of 16 words, n bytes apart                    tileloadd
 *     TILE_DOT(c, a, b)     c += a b: 16 x 16 floats, 16 pairs deep               tdpbf16ps
 *     TILE_STORE(t, p, n)                                                        tilestored
 *
 * Tiles are named by number, which compilers want to see: hence macros below, not an enum.
 *
 * A tile of a is 16 of its rows, 16 words of each; of b 16 pairs in depth of 16 columns, as
 * they lie in a panel.  Three tiles of sums make a panel's 48 columns: by the time that the
 * third is asked for, the first is done (52 cycles after 3 x 16).  All tiles are whole, for
 * operands are padded with zeros, so the shapes stand for good; rows that nobody asked for
 * are not stored.
 */
#ifndef CAGSR_KERN_BF16_AMX_H
#define CAGSR_KERN_BF16_AMX_H

#include "kern/bf16_tile.h"

/* What ldtilecfg reads: palette 1, then of 16 tiles the bytes of a row and the rows. */
struct tiles_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

#define TILES_7(x) x, x, x, x, x, x, x
static const struct tiles_config tiles_config = {
    .palette = 1, .bytes = {TILES_7(64)}, .rows = {TILES_7(16)}};

#define SUM_0 0
#define SUM_1 1
#define SUM_2 2
#define LEFT 3
#define RIGHT_0 4
#define RIGHT_1 5
#define RIGHT_2 6

enum { TILE_PAIRS = BF16_STEP / 2, TILE_COLUMNS = 16 };

UNIT_TARGET static void tiles_tile(const struct bf16_tile *t)
{
    _Alignas(64) float sum[BF16_HEIGHT * BF16_WIDTH];
    const size_t across = BF16_WIDTH * sizeof(uint32_t);
    const uint32_t *a = t->a, *b = t->b;

    TILE_ZERO(SUM_0);
    TILE_ZERO(SUM_1);
    TILE_ZERO(SUM_2);
    for (size_t k = 0; k < t->pairs; k += TILE_PAIRS) {
        TILE_LOAD(LEFT, a, t->lda * sizeof *a);
        TILE_LOAD(RIGHT_0, b, across);
        TILE_DOT(SUM_0, LEFT, RIGHT_0);
        TILE_LOAD(RIGHT_1, b + TILE_COLUMNS, across);
        TILE_DOT(SUM_1, LEFT, RIGHT_1);
        TILE_LOAD(RIGHT_2, b + 2 * TILE_COLUMNS, across);
        TILE_DOT(SUM_2, LEFT, RIGHT_2);
        a += TILE_PAIRS;
        b += TILE_PAIRS * BF16_WIDTH;
    }
    TILE_STORE(SUM_0, sum, across);
    TILE_STORE(SUM_1, sum + TILE_COLUMNS, across);
    TILE_STORE(SUM_2, sum + 2 * TILE_COLUMNS, across);
    bf16_finish(t, sum);
}

UNIT_TARGET static void tiles_multiply(const struct bf16_product *p)
{
    TILES_BEGIN(&tiles_config);
    bf16_tiles(p, BF16_HEIGHT, tiles_tile);
    TILES_END();
}

#endif
