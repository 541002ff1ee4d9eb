/*
 * What the units' loops share.  The loops stand in headers (kern/bf16_avx512.h,
 * kern/bf16_amx.h) and name their instructions by macros, for they are compiled twice: with
 * the processor's, and for tests with functions that do the same anywhere.
 *
 * A unit multiplies a tile of the left operand with a block of depth of a panel, and adds to a
 * tile of sums, which it loads and stores whole.  A block stays in the first cache while the
 * tiles go by, and between two blocks of a panel the tiles' sums stay in the second: c is
 * written once, for it lies in memory.  Blocks come from memory too, or from the last cache
 * if they were packed just before: so all tiles together ask for the next one while they
 * compute.  An element's sum goes on where the block before it left it, so its bits do not
 * depend on where blocks end, nor on the order below.
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
    STEP_STRIP = STEP_PAIRS * BF16_STRIP
};
typedef float line_sum __attribute__((vector_size(64)));
typedef uint32_t line_word __attribute__((vector_size(64)));

/* to (BF16_HEIGHT, BF16_WIDTH) = from + a b, `steps` times BF16_STEP deep, rows of sums ldto
 * and ldfrom apart; from NULL: 0.  Only the first `rows` rows are wanted; all may be written.
 * The strips of b lie `apart` words apart.  With each step `share` lines are asked for of
 * every strip of the block `ahead`. */
struct bf16_tile {
    const float *from;
    float *to;
    const uint32_t *a, *b, *ahead;
    size_t ldfrom, ldto, rows, apart, steps, share;
};

/* Lines of every strip, into the second cache. */
ISA_BODY void ask_strips(const uint32_t *p, size_t apart, size_t lines)
{
    UNROLL
    for (size_t v = 0; v < LINES; v++)
        for (size_t i = 0; i < lines; i++)
            __builtin_prefetch(p + v * apart + i * LINE, 0, 2);
}

/* To be written. */
ISA_BODY void ask_rows(float *c, size_t ldc)
{
    for (size_t r = 0; r < BF16_HEIGHT; r++)
        UNROLL
    for (size_t v = 0; v < LINES; v++)
        __builtin_prefetch(c + r * ldc + v * LINE, 1, 3);
}

/* ---- tiles that are not whole parts of c --------------------------------------------- */

/* TILES: so many tiles' sums wait in the second cache for the next block. */
enum { TILE_SUMS = BF16_HEIGHT * BF16_WIDTH, TILES = 16 };

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

ISA_BODY int is_whole(const struct bf16_place *at)
{
    return at->rows == BF16_HEIGHT && at->cols == BF16_WIDTH;
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

/* What goes together: a panel, from column n on, and some tiles, from row m on, with sums of
 * theirs. */
struct bf16_area {
    const struct bf16_product *p;
    size_t m, tiles, n;
    float *sum; /* (tiles, TILE_SUMS) */
};

/* The block of p's columns n.. from depth k on; its words. */
ISA_BODY const uint32_t *block_of(const struct bf16_product *p, size_t n, size_t k)
{
    return p->b + n / BF16_WIDTH * p->step + k / 2 * BF16_STRIP;
}

ISA_BODY const uint32_t *left_of(const struct bf16_product *p, size_t m, size_t k)
{
    return p->a + m / BF16_HEIGHT * p->tile + k / BF16_STEP * STEP_LEFT;
}

/* Sums of tile i before the block at depth k: where they are. */
ISA_BODY void tile_from(const struct bf16_area *r, struct bf16_tile *t,
                        const struct bf16_place *at, float *sum, size_t k)
{
    t->from = sum;
    t->ldfrom = BF16_WIDTH;
    if (k > 0)
        return;
    if (r->p->beta == 0) {
        t->from = NULL;
    } else if (is_whole(at)) {
        t->from = at->c;
        t->ldfrom = at->ldc;
    } else {
        take_sums(sum, at);
    }
}

/* Tile i with a block; `last`: of the panel. */
ISA_BODY void one_tile(const struct bf16_area *r, struct bf16_tile *t, size_t i,
                       size_t k, int last, void (*tile)(const struct bf16_tile *t))
{
    const size_t m = r->m + i * BF16_HEIGHT;
    const struct bf16_place at = place_of(r->p, m, r->n);
    float *sum = r->sum + i * TILE_SUMS;
    const int whole = last && is_whole(&at);

    tile_from(r, t, &at, sum, k);
    t->to = whole ? at.c : sum;
    t->ldto = whole ? at.ldc : BF16_WIDTH;
    t->a = left_of(r->p, m, k);
    t->rows = at.rows;
    if ((t->from == at.c || t->to == at.c) && m + 2 * BF16_HEIGHT <= r->p->M)
        ask_rows(at.c + BF16_HEIGHT * at.ldc, at.ldc);
    tile(t);
    if (last && !whole)
        give_sums(&at, sum);
}

/* The block at depth k, `deep` deep; the next one is asked for: of one tile's rows nothing of a
 * panel is used twice, so no whole block has to be there when it begins. */
enum { AHEAD_STEPS = 4 };

ISA_BODY void one_block(const struct bf16_area *r, size_t k, size_t deep, int last,
                        void (*tile)(const struct bf16_tile *t))
{
    const struct bf16_product *p = r->p;
    struct bf16_tile t = {.b = block_of(p, r->n, k),
                          .ahead = last ? block_of(p, r->n + BF16_WIDTH, 0)
                                        : block_of(p, r->n, k + deep),
                          .apart = p->step / LINES,
                          .steps = ceil_div(deep, BF16_STEP),
                          .share = ceil_div(STEP_STRIP / LINE, r->tiles)};

    if (r->tiles == 1 && !last)
        t.ahead = block_of(p, r->n, k + AHEAD_STEPS * BF16_STEP);
    for (size_t i = 0; i < r->tiles; i++, t.ahead += t.steps * t.share * LINE)
        one_tile(r, &t, i, k, last, tile);
}

/* Blocks of one tile are all but the last steps, and these, which ask for the next panel. */
ISA_BODY size_t block_deep(const struct bf16_area *r, size_t k)
{
    const size_t K = r->p->K, left = K - k, tail = AHEAD_STEPS * BF16_STEP;

    if (r->tiles > 1)
        return least(bf16_depth(K), left);
    return left > tail ? round_up(left - tail, BF16_STEP) : left;
}

ISA_BODY void one_panel(const struct bf16_area *r,
                        void (*tile)(const struct bf16_tile *t))
{
    for (size_t k = 0, deep; k < r->p->K; k += deep) {
        deep = block_deep(r, k);
        one_block(r, k, deep, k + deep >= r->p->K, tile);
    }
}

static void scale_sums(const struct bf16_product *p)
{
    for (size_t m = 0; m < p->M && p->beta != 0 && p->beta != 1; m++)
        for (size_t n = 0; n < p->N; n++)
            p->c[m * p->ldc + n] *= p->beta;
}

ISA_BODY void bf16_blocks(const struct bf16_product *p,
                          void (*tile)(const struct bf16_tile *t))
{
    _Alignas(64) float sum[TILES * TILE_SUMS];
    struct bf16_area r = {.p = p, .sum = sum};

    scale_sums(p);
    for (; r.m < p->M; r.m += r.tiles * BF16_HEIGHT) {
        r.tiles = least(TILES, ceil_div(p->M - r.m, BF16_HEIGHT));
        for (r.n = 0; r.n < p->N; r.n += BF16_WIDTH)
            one_panel(&r, tile);
    }
}

#endif
