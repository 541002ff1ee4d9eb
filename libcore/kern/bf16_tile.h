/*
 * What the units' loops share.  The loops stand in headers (kern/bf16_avx512.h,
 * kern/bf16_amx.h) and name their instructions by macros, for they are compiled twice: with
 * the processor's, and for tests with functions that do the same anywhere.
 *
 * A product is a panel's block of depth after the other; a block stays in the first cache
 * while the tiles of the left operand go by, which come from the second.  Blocks come from
 * memory, unless they were packed just before: so all tiles together ask for the next block
 * while this one is computed with.  An element's sum goes on where the block before it left
 * it, so the bits do not depend on where blocks end.
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

/* A tile of the left operand times a block of a panel: c (rows, cols) += a b, `steps` times
 * BF16_STEP deep, or = if `fresh`.  With each step `share` lines from `ahead` on are asked
 * for. */
struct bf16_tile {
    float *c, *below; /* below: the tile that comes next, or NULL */
    const uint32_t *a, *b, *ahead;
    size_t ldc, rows, cols, steps, share;
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

/* All tiles of a block: p's columns n.., its depth from k on. */
ISA_BODY void bf16_block(const struct bf16_product *p, size_t n, size_t k, size_t steps,
                         const uint32_t *next, void (*tile)(const struct bf16_tile *t))
{
    const size_t tiles = ceil_div(p->M, BF16_HEIGHT);
    struct bf16_tile t = {.b = p->b + n / BF16_WIDTH * p->step + k / 2 * BF16_WIDTH,
                          .ahead = next,
                          .ldc = p->ldc,
                          .cols = least(BF16_WIDTH, p->N - n),
                          .steps = steps,
                          .share = ceil_div(STEP_RIGHT / LINE, tiles),
                          .fresh = k == 0 && p->beta == 0};

    for (size_t i = 0; i < tiles; i++, t.ahead += steps * t.share * LINE) {
        const size_t m = i * BF16_HEIGHT;

        t.c = p->c + m * p->ldc + n;
        t.below = m + 2 * BF16_HEIGHT <= p->M ? t.c + BF16_HEIGHT * p->ldc : NULL;
        t.a = p->a + m * bf16_pairs(p->K) + k / BF16_STEP * STEP_LEFT;
        t.rows = least(BF16_HEIGHT, p->M - m);
        tile(&t);
    }
}

ISA_BODY void bf16_scale(const struct bf16_product *p)
{
    for (size_t m = 0; m < p->M && p->beta != 0 && p->beta != 1; m++)
        for (size_t n = 0; n < p->N; n++)
            p->c[m * p->ldc + n] *= p->beta;
}

/* Of one tile's rows nothing of a panel is used twice: whole panels, as memory brings them,
 * asked for so many steps ahead. */
enum { AHEAD_STEPS = 4 };

ISA_BODY void bf16_few(const struct bf16_product *p,
                       void (*tile)(const struct bf16_tile *t))
{
    for (size_t n = 0; n < p->N; n += BF16_WIDTH)
        bf16_block(p, n, 0, ceil_div(p->K, BF16_STEP),
                   p->b + n / BF16_WIDTH * p->step + AHEAD_STEPS * STEP_RIGHT, tile);
}

/* Depth by depth, so that of the left operand one block is in use at a time. */
ISA_BODY void bf16_many(const struct bf16_product *p,
                        void (*tile)(const struct bf16_tile *t))
{
    const size_t depth = bf16_depth(p->K);

    for (size_t k = 0; k < p->K; k += depth)
        for (size_t n = 0; n < p->N; n += BF16_WIDTH) {
            const uint32_t *b = p->b + k / 2 * BF16_WIDTH;
            const size_t after = n + BF16_WIDTH;

            bf16_block(p, n, k, ceil_div(least(depth, p->K - k), BF16_STEP),
                       after < p->N ? b + after / BF16_WIDTH * p->step
                                    : p->b + (k + depth) / 2 * BF16_WIDTH,
                       tile);
        }
}

ISA_BODY void bf16_blocks(const struct bf16_product *p,
                          void (*tile)(const struct bf16_tile *t))
{
    bf16_scale(p);
    if (p->M <= BF16_HEIGHT)
        bf16_few(p, tile);
    else
        bf16_many(p, tile);
}

#endif
