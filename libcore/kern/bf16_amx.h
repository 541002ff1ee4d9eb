/*
 * bf16 arithmetic by AMX.  Includers define
 *
 *     UNIT_TARGET           the attribute of functions that use the instructions
 *     TILES_BEGIN(config)   64 bytes: the tiles' shapes; all tiles become 0        ldtilecfg
 *     TILES_STORED()        what was stored, by these instructions or others, is in memory
 *     TILES_END()           the tiles are given up                              tilerelease
 *     TILE_ZERO(t)                                                                 tilezero
 *     TILE_LOAD(t, p, n)    16 rows of 16 words, n bytes apart                    tileloadd
 *     TILE_STREAM(t, p, n)  the same of what is not needed again soon           tileloaddt1
 *     TILE_DOT(c, a, b)     c += a b: 16 x 16 floats, 16 pairs deep               tdpbf16ps
 *     TILE_STORE(t, p, n)                                                        tilestored
 *     STORE_PAST(p, from)   16 floats to a line, past the caches                   vmovntps
 *     PAST_STORED()         what was written so is there for other threads           sfence
 *
 * Tiles are named by number, which compilers want to see: hence macros below, not an enum.
 *
 * A tile of a is 16 of its rows, 16 words of each; of b 16 pairs in depth of 16 columns, as
 * they lie in a band.  A step makes four dots, to four tiles of sums: by the time that a sum is
 * asked for again it is done (52 cycles after 4 x 16).  What it loads for them has two forms:
 *   across  a tile of a and four of b: 5 loads.  For few rows, with weights from memory: of a,
 *           which comes from the second cache, it is a kilobyte for 64 cycles.  Four strips that
 *           lay apart, as streams, gave more than two (32 rows 591 against 499 GFLOP/s, 128 rows
 *           1257 against 993); now they are two bands, which is not measured.
 *   square  two tiles of a and two of b: 4 loads.  For many rows.  It asks the second cache for
 *           twice as much of a, but a block of a band may be twice as deep, and sums wait
 *           there seldom: the products of a training pass of 512 rows took 345 ms (median 500)
 *           instead of 381 (572), 108 of both being packing, and 373 (457) with blocks of 288.
 *           An odd last tile of a is multiplied twice.
 * a streams past the first cache, for the block of b to stay there: measured, that is a fifth
 * faster than asking ahead for it (tests/bench/RESULTS.md).  All tiles are whole, for operands are
 * padded with zeros, so the shapes stand for good.
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

#define TILES_8(x) x, x, x, x, x, x, x, x
static const struct tiles_config tiles_config = {
    .palette = 1, .bytes = {TILES_8(64)}, .rows = {TILES_8(16)}};

#define SUM_0 0
#define SUM_1 1
#define SUM_2 2
#define SUM_3 3
#define LEFT_0 4
#define RIGHT_0 5
#define RIGHT_1 6
#define RIGHT_2 7 /* across */
#define LEFT_1 7  /* square */

/* Bytes of a row of a, and from a row of a band to the next. */
enum { ROW = BF16_STRIP * sizeof(uint32_t), BAND_ROW = BF16_BAND * sizeof(uint32_t) };

/* Two tiles of sums side by side, and two that lie `second` floats behind. */
UNIT_TARGET ISA_BODY void sums_begin(const struct bf16_tile *t, size_t second)
{
    const size_t row = t->ldfrom * sizeof(float);
    const float *c = t->from;

    TILES_STORED();
    if (c) {
        TILE_LOAD(SUM_0, c, row);
        TILE_LOAD(SUM_1, c + LINE, row);
        TILE_LOAD(SUM_2, c + second, row);
        TILE_LOAD(SUM_3, c + second + LINE, row);
    } else {
        TILE_ZERO(SUM_0);
        TILE_ZERO(SUM_1);
        TILE_ZERO(SUM_2);
        TILE_ZERO(SUM_3);
    }
}

/* A tile of sums in memory of ours, which lies in the first cache. */
UNIT_TARGET ISA_BODY void tile_past(const struct bf16_tile *t, float *to,
                                    const float *sum)
{
    for (size_t r = 0; r < BF16_HEIGHT; r++)
        STORE_PAST(to + r * t->ldto, sum + r * LINE);
}

UNIT_TARGET ISA_BODY void sums_past(const struct bf16_tile *t, size_t second)
{
    enum { TILE = BF16_HEIGHT * LINE };
    _Alignas(64) float sum[4 * TILE];

    TILE_STORE(SUM_0, sum, ROW);
    TILE_STORE(SUM_1, sum + TILE, ROW);
    TILE_STORE(SUM_2, sum + 2 * TILE, ROW);
    TILE_STORE(SUM_3, sum + 3 * TILE, ROW);
    TILES_STORED();
    for (size_t i = 0; i < 4; i++)
        tile_past(t, t->to + i / 2 * second + i % 2 * LINE, sum + i * TILE);
}

UNIT_TARGET ISA_BODY void sums_end(const struct bf16_tile *t, size_t second)
{
    const size_t row = t->ldto * sizeof(float);

    if (t->past) {
        sums_past(t, second);
        return;
    }
    TILE_STORE(SUM_0, t->to, row);
    TILE_STORE(SUM_1, t->to + LINE, row);
    TILE_STORE(SUM_2, t->to + second, row);
    TILE_STORE(SUM_3, t->to + second + LINE, row);
}

UNIT_TARGET static void across_tile(const struct bf16_tile *t)
{
    const uint32_t *a = t->a, *b = t->b, *ahead = t->ahead;
    const size_t apart = t->apart;

    sums_begin(t, 2 * LINE);
    for (size_t i = 0; i < t->steps; i++) {
        ask_bands(ahead, apart, t->share, 2);
        TILE_STREAM(LEFT_0, a, ROW);
        TILE_LOAD(RIGHT_0, b, BAND_ROW);
        TILE_DOT(SUM_0, LEFT_0, RIGHT_0);
        TILE_LOAD(RIGHT_1, b + BF16_STRIP, BAND_ROW);
        TILE_DOT(SUM_1, LEFT_0, RIGHT_1);
        TILE_LOAD(RIGHT_2, b + apart, BAND_ROW);
        TILE_DOT(SUM_2, LEFT_0, RIGHT_2);
        TILE_LOAD(RIGHT_0, b + apart + BF16_STRIP, BAND_ROW);
        TILE_DOT(SUM_3, LEFT_0, RIGHT_0);
        a += STEP_LEFT;
        b += STEP_BAND;
        ahead += t->share * LINE;
    }
    sums_end(t, 2 * LINE);
}

UNIT_TARGET static void square_tile(const struct bf16_tile *t)
{
    const uint32_t *a = t->a, *b = t->b, *ahead = t->ahead;
    const size_t below = t->below;

    sums_begin(t, BF16_HEIGHT * t->ldfrom);
    for (size_t i = 0; i < t->steps; i++) {
        ask_bands(ahead, 0, t->share, 1);
        TILE_LOAD(RIGHT_0, b, BAND_ROW);
        TILE_STREAM(LEFT_0, a, ROW);
        TILE_DOT(SUM_0, LEFT_0, RIGHT_0);
        TILE_LOAD(RIGHT_1, b + BF16_STRIP, BAND_ROW);
        TILE_DOT(SUM_1, LEFT_0, RIGHT_1);
        TILE_STREAM(LEFT_1, a + below, ROW);
        TILE_DOT(SUM_2, LEFT_1, RIGHT_0);
        TILE_DOT(SUM_3, LEFT_1, RIGHT_1);
        a += STEP_LEFT;
        b += STEP_BAND;
        ahead += t->share * LINE;
    }
    sums_end(t, BF16_HEIGHT * t->ldto);
}

/* SQUARE_DEPTH: the most of a block of a band, 40 kB of the first cache's 48. */
enum { ACROSS_ROWS_MOST = 128, SQUARE_DEPTH = 640, TILES_COLUMNS = BF16_WIDTH };

UNIT_TARGET static void tiles_multiply(const struct bf16_product *p)
{
    static const struct bf16_form across = {BF16_HEIGHT, BF16_WIDTH, PANEL_DEPTH,
                                            BF16_HEIGHT, across_tile};
    static const struct bf16_form square = {2 * BF16_HEIGHT, BF16_BAND, SQUARE_DEPTH,
                                            2 * BF16_HEIGHT, square_tile};

    TILES_BEGIN(&tiles_config);
    if (p->M > ACROSS_ROWS_MOST)
        bf16_blocks(p, &square);
    else
        bf16_blocks(p, &across);
    TILES_END();
    if (p->past)
        PAST_STORED();
}

#endif
