/*
 * What the units' loops share.  The loops stand in headers (kern/bf16_avx512.h,
 * kern/bf16_amx.h) and name their instructions by macros, for they are compiled twice: with
 * the processor's, and for tests with functions that do the same anywhere.
 *
 * A unit multiplies a tile of the left operand with a block of depth of a panel, and adds to a
 * tile of sums, which it loads and stores whole.  A block stays in the first cache while the
 * tiles go by.  Blocks come from memory, unless they were packed just before: so all tiles
 * together ask for the next one while they compute.  An element's sum goes on where the block
 * before it left it, so its bits do not depend on where blocks end, nor on the order below.
 */
#ifndef CAGSR_KERN_BF16_TILE_H
#define CAGSR_KERN_BF16_TILE_H

#include "kern/bf16.h"
#include "tensor/dims.h"

#include <string.h>

/* A cache line of words, or of floats; lines of a panel's row, and of BF16_STEP of depth. */
enum {
    LINE = 16,
    LINES = BF16_WIDTH / LINE,
    STEP_PAIRS = BF16_STEP / 2,
    STEP_LEFT = STEP_PAIRS * BF16_HEIGHT,
    STEP_RIGHT = STEP_PAIRS * BF16_WIDTH
};
typedef float line_sum __attribute__((vector_size(64)));
typedef uint32_t line_word __attribute__((vector_size(64)));

/* c (BF16_HEIGHT, BF16_WIDTH), rows ldc apart, += a b, or = if `fresh`, `steps` times BF16_STEP
 * deep.  Only the first `rows` rows are wanted; all may be written.  With each step `share`
 * lines from `ahead` on are asked for. */
struct bf16_tile {
    float *c;
    const uint32_t *a, *b, *ahead;
    size_t ldc, rows, steps, share;
    int fresh;
};

/* Into the second cache; into the first; to be written. */
ISA_BODY void ask_second(const uint32_t *p, size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch(p + i * LINE, 0, 2);
}

ISA_BODY void ask_first(const uint32_t *p, size_t lines)
{
    UNROLL
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch(p + i * LINE, 0, 3);
}

ISA_BODY void ask_rows(float *c, size_t ldc)
{
    for (size_t r = 0; r < BF16_HEIGHT; r++)
        UNROLL
    for (size_t v = 0; v < LINES; v++)
        __builtin_prefetch(c + r * ldc + v * LINE, 1, 3);
}

/* ---- tiles that are not whole parts of c --------------------------------------------- */

enum { TILE_SUMS = BF16_HEIGHT * BF16_WIDTH, FEW_TILES = 8 };

/* c's rows and columns of a tile. */
struct bf16_place {
    float *c;
    size_t ldc, rows, cols;
};

ISA_BODY struct bf16_place place_of(const struct bf16_product *p, size_t m, size_t n)
{
    return (struct bf16_place){p->c + m * p->ldc + n, p->ldc,
                               least(BF16_HEIGHT, p->M - m),
                               least(BF16_WIDTH, p->N - n)};
}

ISA_BODY void take_sums(float *sum, const struct bf16_place *at)
{
    memset(sum, 0, TILE_SUMS * sizeof *sum);
    for (size_t r = 0; r < at->rows; r++)
        memcpy(sum + r * BF16_WIDTH, at->c + r * at->ldc, at->cols * sizeof *sum);
}

ISA_BODY void give_sums(const struct bf16_place *at, const float *sum)
{
    for (size_t r = 0; r < at->rows; r++)
        if (at->cols == BF16_WIDTH)
            memcpy(at->c + r * at->ldc, sum + r * BF16_WIDTH, BF16_WIDTH * sizeof *sum);
        else
            memcpy(at->c + r * at->ldc, sum + r * BF16_WIDTH, at->cols * sizeof *sum);
}

/* ---- the order ----------------------------------------------------------------------- */

/* The block of p's columns n.. from depth k on; its words. */
ISA_BODY const uint32_t *block_of(const struct bf16_product *p, size_t n, size_t k)
{
    return p->b + n / BF16_WIDTH * p->step + k / 2 * BF16_WIDTH;
}

ISA_BODY const uint32_t *left_of(const struct bf16_product *p, size_t m, size_t k)
{
    return p->a + m * bf16_pairs(p->K) + k / BF16_STEP * STEP_LEFT;
}

ISA_BODY size_t steps_at(const struct bf16_product *p, size_t k, size_t depth)
{
    return ceil_div(least(depth, p->K - k), BF16_STEP);
}

/* Few rows, more than a block deep, beta 0: a panel from front to back, as memory brings it,
 * and its sums on the stack: c's rows often lie so far apart that the first cache has no room
 * for them together, and a processor takes them for each other.  Of one tile's rows nothing of
 * a panel is used twice: no blocks. */
enum { AHEAD_STEPS = 4 };

ISA_BODY void bf16_few(const struct bf16_product *p,
                       void (*tile)(const struct bf16_tile *t))
{
    _Alignas(64) float sum[FEW_TILES * TILE_SUMS];
    const size_t tiles = ceil_div(p->M, BF16_HEIGHT);
    const size_t depth = tiles == 1 ? p->K : bf16_depth(p->K);

    for (size_t n = 0; n < p->N; n += BF16_WIDTH) {
        for (size_t k = 0; k < p->K; k += depth) {
            struct bf16_tile t = {.b = block_of(p, n, k),
                                  .ldc = BF16_WIDTH,
                                  .steps = steps_at(p, k, depth),
                                  .share = ceil_div(STEP_RIGHT / LINE, tiles),
                                  .fresh = k == 0};

            t.ahead = t.b + (tiles == 1 ? AHEAD_STEPS : t.steps) * STEP_RIGHT;
            for (size_t i = 0; i < tiles; i++, t.ahead += t.steps * t.share * LINE) {
                t.c = sum + i * TILE_SUMS;
                t.a = left_of(p, i * BF16_HEIGHT, k);
                t.rows = least(BF16_HEIGHT, p->M - i * BF16_HEIGHT);
                tile(&t);
            }
        }
        for (size_t i = 0; i < tiles; i++) {
            const struct bf16_place at = place_of(p, i * BF16_HEIGHT, n);

            give_sums(&at, sum + i * TILE_SUMS);
        }
    }
}

/* A tile of many: in c itself, or by way of the stack. */
ISA_BODY void bf16_tile_at(const struct bf16_product *p, size_t m, size_t n,
                           struct bf16_tile *t, void (*tile)(const struct bf16_tile *t))
{
    _Alignas(64) float sum[TILE_SUMS];
    const struct bf16_place at = place_of(p, m, n);

    t->rows = at.rows;
    if (at.rows == BF16_HEIGHT && at.cols == BF16_WIDTH) {
        if (m + 2 * BF16_HEIGHT <= p->M)
            ask_rows(at.c + BF16_HEIGHT * at.ldc, at.ldc);
        t->c = at.c;
        t->ldc = at.ldc;
        tile(t);
        return;
    }
    if (!t->fresh)
        take_sums(sum, &at);
    t->c = sum;
    t->ldc = BF16_WIDTH;
    tile(t);
    give_sums(&at, sum);
}

/* Many rows: depth by depth, so that of the left operand one block is in use at a time. */
ISA_BODY void bf16_many(const struct bf16_product *p,
                        void (*tile)(const struct bf16_tile *t))
{
    const size_t depth = bf16_depth(p->K), tiles = ceil_div(p->M, BF16_HEIGHT);

    for (size_t m = 0; m < p->M && p->beta != 0 && p->beta != 1; m++)
        for (size_t n = 0; n < p->N; n++)
            p->c[m * p->ldc + n] *= p->beta;
    for (size_t k = 0; k < p->K; k += depth)
        for (size_t n = 0; n < p->N; n += BF16_WIDTH) {
            const size_t after = n + BF16_WIDTH;
            struct bf16_tile t = {.b = block_of(p, n, k),
                                  .ahead = after < p->N ? block_of(p, after, k)
                                                        : block_of(p, 0, k + depth),
                                  .steps = steps_at(p, k, depth),
                                  .share = ceil_div(STEP_RIGHT / LINE, tiles),
                                  .fresh = k == 0 && p->beta == 0};

            for (size_t i = 0; i < tiles; i++, t.ahead += t.steps * t.share * LINE) {
                t.a = left_of(p, i * BF16_HEIGHT, k);
                bf16_tile_at(p, i * BF16_HEIGHT, n, &t, tile);
            }
        }
}

ISA_BODY void bf16_blocks(const struct bf16_product *p,
                          void (*tile)(const struct bf16_tile *t))
{
    if (p->M <= FEW_TILES * BF16_HEIGHT && p->K > bf16_depth(p->K) && p->beta == 0)
        bf16_few(p, tile);
    else
        bf16_many(p, tile);
}

#endif
