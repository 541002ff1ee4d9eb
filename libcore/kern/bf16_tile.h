/*
 * What the units' loops share.  The loops stand in headers (kern/bf16_avx512.h,
 * kern/bf16_amx.h) and name their instructions by macros, for they are compiled twice: with
 * the processor's, and for tests with functions that do the same anywhere.
 *
 * A unit multiplies some rows of the left operand with a block of depth of some strips, and
 * adds to a tile of sums, which it loads and stores whole: how high and wide a tile is, and how
 * deep a block, is the unit's form.  A block stays in the first cache while the tiles go by, and
 * between two blocks of the same strips the tiles' sums stay in the second: c is written once,
 * for it lies in memory.  Blocks come from memory too, or from the last cache if they were
 * packed just before: so all tiles together ask for the next one while they compute.  Where the
 * left operand's rows, of the whole depth, are more than the second cache has room for, several
 * strips take turns with each block of depth: the rows' share of it serves them all.  An
 * element's sum goes on where the block before it left it, so its bits do not depend on where
 * blocks end, nor on the order below, nor on the form.
 */
#ifndef CAGSR_KERN_BF16_TILE_H
#define CAGSR_KERN_BF16_TILE_H

#include "kern/bf16.h"
#include "tensor/dims.h"

#include <string.h>

/* A cache line of words, or of floats; words and lines of BF16_STEP of depth. */
enum {
    LINE = 16,
    STEP_PAIRS = BF16_STEP / 2,
    STEP_LEFT = STEP_PAIRS * BF16_HEIGHT,
    STEP_BAND = STEP_PAIRS * BF16_BAND,
    STEP_LINES = STEP_BAND / LINE
};
typedef float line_sum __attribute__((vector_size(64)));
typedef uint32_t line_word __attribute__((vector_size(64)));

/* A tile of sums, as high and wide as the form says: to = from + a b, `steps` times BF16_STEP
 * deep, rows of sums ldto and ldfrom apart; from NULL: 0.  Only the first `rows` rows are wanted;
 * all may be written.  past: `to` is whole lines, to go past the caches.  In a form of two tiles of
 * the left operand the second one lies `below` words behind a; 0, the first one again, where the
 * operand ends.  The bands of b lie `apart` words apart.  With each step `share` lines are asked
 * for of every band of the block `ahead`. */
struct bf16_tile {
    const float *from;
    float *to;
    const uint32_t *a, *b, *ahead;
    size_t ldfrom, ldto, rows, below, apart, steps, share;
    int past;
};

/* What a unit's function computes at once, at most TILE_SUMS sums: the rows of one or two tiles of the
 * left operand, the columns of a panel or of a band; how deep a block may be; and of how many rows
 * at most it reads a block once only. */
struct bf16_form {
    size_t rows, cols, depth, once;
    void (*tile)(const struct bf16_tile *t);
};

/* Lines of so many bands, a constant, into the second cache. */
ISA_BODY void ask_bands(const uint32_t *p, size_t apart, size_t lines, size_t bands)
{
    UNROLL
    for (size_t v = 0; v < bands; v++)
        for (size_t i = 0; i < lines; i++)
            __builtin_prefetch(p + v * apart + i * LINE, 0, 2);
}

/* A tile, to be written. */
ISA_BODY void ask_rows(const struct bf16_form *f, float *c, size_t ldc)
{
    for (size_t r = 0; r < f->rows; r++)
        UNROLL
    for (size_t v = 0; v < f->cols / LINE; v++)
        __builtin_prefetch(c + r * ldc + v * LINE, 1, 3);
}

/* ---- tiles that are not whole parts of c --------------------------------------------- */

/* TILES go together, at most: if each asks for two lines with every step, that is a block.  Where
 * their sums wait for the next block, in the second cache, it is those of WAITING_ROWS, with
 * WAITING_COLS if their share of the left operand is more than LEFT_STAYS bytes.  Blocks of
 * whole panels, at most PANEL_DEPTH deep, leave room in the first cache (48 kB where there is a unit)
 * for a tile of the left operand and one of the sums. */
enum {
    TILE_SUMS = BF16_HEIGHT * BF16_WIDTH,
    TILES = STEP_LINES / 2,
    WAITING_ROWS = 256,
    WAITING_COLS = 128,
    LEFT_STAYS = 512 << 10,
    PANEL_DEPTH = 288
};

/* c's rows and columns of a tile. */
struct bf16_place {
    float *c;
    size_t ldc, rows, cols;
};

ISA_BODY struct bf16_place place_of(const struct bf16_product *p,
                                    const struct bf16_form *f, size_t m, size_t n)
{
    return (struct bf16_place){p->c + m * p->ldc + n, p->ldc, least(f->rows, p->M - m),
                               least(f->cols, p->N - n)};
}

ISA_BODY int is_whole(const struct bf16_place *at, const struct bf16_form *f)
{
    return at->rows == f->rows && at->cols == f->cols;
}

ISA_BODY void take_sums(const struct bf16_form *f, float *sum,
                        const struct bf16_place *at)
{
    memset(sum, 0, f->rows * f->cols * sizeof *sum);
    for (size_t r = 0; r < at->rows; r++)
        memcpy(sum + r * f->cols, at->c + r * at->ldc, at->cols * sizeof *sum);
}

ISA_BODY void give_sums(const struct bf16_form *f, const struct bf16_place *at,
                        const float *sum)
{
    for (size_t r = 0; r < at->rows; r++)
        if (at->cols == f->cols)
            memcpy(at->c + r * at->ldc, sum + r * f->cols, f->cols * sizeof *sum);
        else
            memcpy(at->c + r * at->ldc, sum + r * f->cols, at->cols * sizeof *sum);
}

/* ---- the order ----------------------------------------------------------------------- */

/* What goes together: `cols` columns from column n on, the form's or more, and some tiles, from row m
 * on, with sums of theirs for each of the form's columns. */
struct bf16_area {
    const struct bf16_product *p;
    const struct bf16_form *f;
    size_t m, tiles, n, cols;
    float *sum; /* (cols / f->cols, tiles, f->rows f->cols) */
};

/* Words from a band to the next. */
ISA_BODY size_t bands_apart(const struct bf16_product *p)
{
    return p->step / (BF16_WIDTH / BF16_BAND);
}

/* The block of p's columns n.. from depth k on; its words. */
ISA_BODY const uint32_t *block_of(const struct bf16_product *p, size_t n, size_t k)
{
    return p->b + n / BF16_WIDTH * p->step +
           n % BF16_WIDTH / BF16_BAND * bands_apart(p) + k / 2 * BF16_BAND;
}

ISA_BODY const uint32_t *left_of(const struct bf16_product *p, size_t m, size_t k)
{
    return p->a + m / BF16_HEIGHT * p->tile + k / BF16_STEP * STEP_LEFT;
}

/* The left operand's tiles of `rows` rows from row m on. */
ISA_BODY void tile_left(const struct bf16_product *p, struct bf16_tile *t, size_t m,
                        size_t rows, size_t k)
{
    t->a = left_of(p, m, k);
    t->below = rows > BF16_HEIGHT ? (size_t)(left_of(p, m + BF16_HEIGHT, k) - t->a) : 0;
    t->rows = rows;
}

/* A tile's sums before the block at depth k: where they are. */
ISA_BODY void tile_from(const struct bf16_area *r, struct bf16_tile *t,
                        const struct bf16_place *at, float *sum, size_t k)
{
    t->from = sum;
    t->ldfrom = r->f->cols;
    if (k > 0)
        return;
    if (r->p->beta == 0) {
        t->from = NULL;
    } else if (is_whole(at, r->f)) {
        t->from = at->c;
        t->ldfrom = at->ldc;
    } else {
        take_sums(r->f, sum, at);
    }
}

/* Tile i with a block of the columns from n on; `last`: of the depth. */
ISA_BODY void one_tile(const struct bf16_area *r, struct bf16_tile *t, size_t n,
                       size_t i, size_t k, int last)
{
    const struct bf16_form *f = r->f;
    const size_t m = r->m + i * f->rows;
    const struct bf16_place at = place_of(r->p, f, m, n);
    float *sum = r->sum + ((n - r->n) / f->cols * r->tiles + i) * f->rows * f->cols;
    const int whole = last && is_whole(&at, f);

    tile_from(r, t, &at, sum, k);
    t->to = whole ? at.c : sum;
    t->ldto = whole ? at.ldc : f->cols;
    t->past = whole && r->p->past && bf16_lines(at.c, at.ldc * sizeof *at.c);
    tile_left(r->p, t, m, at.rows, k);
    if ((t->from == at.c || t->to == at.c) && !t->past && m + 2 * f->rows <= r->p->M)
        ask_rows(f, at.c + f->rows * at.ldc, at.ldc);
    f->tile(t);
    if (last && !whole)
        give_sums(f, &at, sum);
}

/* What is asked for with the block of columns n.. from depth k to `end`: the next one of the area, or
 * what comes behind it. */
ISA_BODY const uint32_t *block_behind(const struct bf16_area *r, size_t n, size_t end,
                                      size_t k)
{
    const struct bf16_product *p = r->p;
    const size_t next = n + r->f->cols;

    if (next < r->n + r->cols)
        return block_of(p, next, k);
    if (end < p->K)
        return block_of(p, r->n, end);
    return next >= p->N && p->then ? p->then : block_of(p, next, 0);
}

/* The block of columns n.. from depth k to `end`; the next one is asked for: where nothing of a panel is
 * used twice no whole block has to be there when it begins. */
enum { AHEAD_STEPS = 4 };

ISA_BODY int is_read_once(const struct bf16_area *r)
{
    return r->tiles == 1 && r->p->M - r->m <= r->f->once;
}

ISA_BODY void one_block(const struct bf16_area *r, size_t n, size_t k, size_t end)
{
    const struct bf16_product *p = r->p;
    const int last = end >= p->K;
    struct bf16_tile t = {.b = block_of(p, n, k),
                          .ahead = block_behind(r, n, end, k),
                          .apart = bands_apart(p),
                          .steps = ceil_div(end - k, BF16_STEP),
                          .share = ceil_div(STEP_LINES, r->tiles)};

    if (is_read_once(r) && !last)
        t.ahead = block_of(p, n, k + AHEAD_STEPS * BF16_STEP);
    for (size_t i = 0; i < r->tiles; i++, t.ahead += t.steps * t.share * LINE)
        one_tile(r, &t, n, i, k, last);
}

/* As equal as blocks can be.  Those that are read once are all but the last steps, and these, which
 * ask for the next columns. */
ISA_BODY size_t block_deep(const struct bf16_area *r, size_t k)
{
    const size_t K = r->p->K, left = K - k, tail = AHEAD_STEPS * BF16_STEP;

    if (!is_read_once(r))
        return least(share_out(K, r->f->depth, BF16_STEP), left);
    return left > tail ? round_up(left - tail, BF16_STEP) : left;
}

ISA_BODY void one_depth(const struct bf16_area *r)
{
    for (size_t k = 0, end; k < r->p->K; k = end) {
        end = k + block_deep(r, k);
        for (size_t n = r->n; n < r->n + r->cols; n += r->f->cols)
            one_block(r, n, k, end);
    }
}

static void scale_sums(const struct bf16_product *p)
{
    for (size_t m = 0; m < p->M && p->beta != 0 && p->beta != 1; m++)
        for (size_t n = 0; n < p->N; n++)
            p->c[m * p->ldc + n] *= p->beta;
}

/* Columns that go together with r's tiles. */
ISA_BODY size_t columns_of(const struct bf16_area *r)
{
    const size_t K = r->p->K, left = r->tiles * r->f->rows * K * sizeof(uint16_t);

    return K > r->f->depth && r->tiles > 1 && left > LEFT_STAYS ? WAITING_COLS
                                                                : r->f->cols;
}

ISA_BODY void bf16_blocks(const struct bf16_product *p, const struct bf16_form *f)
{
    _Alignas(64) float sum[WAITING_ROWS * WAITING_COLS];
    struct bf16_area r = {.p = p, .f = f, .sum = sum};
    const size_t most = p->K > f->depth ? WAITING_ROWS / f->rows : TILES;

    scale_sums(p);
    for (; r.m < p->M; r.m += r.tiles * f->rows) {
        r.tiles = least(most, ceil_div(p->M - r.m, f->rows));
        const size_t cols = columns_of(&r);
        for (r.n = 0; r.n < p->N; r.n += r.cols) {
            r.cols = least(cols, round_up(p->N - r.n, f->cols));
            one_depth(&r);
        }
    }
}
_Static_assert(TILE_SUMS *TILES <= WAITING_ROWS * WAITING_COLS,
               "sums of tiles that do not wait");

#endif
