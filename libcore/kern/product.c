#include "kern/impl.h"
#include "kern/narrow.h"
#include "kern/pack.h"
#include "kern/shape.h"
#include "tensor/dims.h"

/*
 * A product of any two matrices by the kernels of pack.h.
 *
 * c is computed in parts of at most PART_ROWS x PART_COLS (of a unit, whose words are half as
 * large, UNIT_PART_ROWS), each as deep as the scratch holds both operands, and with what is left of
 * the depth after it.  Of a part all threads together pack both operands, a into tiles, b into
 * panels (or widen those that are bfloat16): every number is copied once, beside the hundreds or
 * thousands of multiplications that it takes part in, and both copies, at most 10 MB, stay in the
 * last cache.  b's are kept for the next rows: so a part is not high, but wide and deep.  Then they
 * multiply: a task is some panels, at most TASK_PANELS, times a range of tiles, which stays in the
 * second cache, and so does a block of a panel while the tiles go by.  A task goes on to its next
 * block of depth while its area of c is in the second cache: c itself lies in memory, and goes
 * there once for a part.
 *
 * In bf16 arithmetic (bf16.h) the copies are rounded: in place, or they are words for the
 * unit, half as large.  A unit is so fast that each way of c to memory counts, and each of its
 * operand to the first cache: so its tasks are as many rows as can be.
 *
 * Where pieces of c are handed on instead (struct gemm_pieces) a part is of the whole depth, and
 * as many columns as the scratch has room for then; of pairs of columns, of both halves.
 *
 * The bits of c do not depend on how it is cut (pack.h), so the number of tasks may follow
 * the number of threads.
 */
enum {
    PART_ROWS = 768, /* whole tiles */
    UNIT_PART_ROWS = 1536,
    PART_COLS = 3072, /* whole panels */
    PART_DEEP = 640,  /* of a part that is as large as can be */
    PACK_ROWS = 48,   /* packed at once: whole tiles */
    PACK_PANELS = 4,
    PACK_DEEP = 32,
    TASK_PANELS = 16,
    TASKS_PER_THREAD = 8,
    UNIT_ROWS_LEAST = 128, /* of a task of a unit */
    UNIT_ROWS_MOST = 512,
    PAST_LEAST = 1 << 18 /* floats of c */
};

_Static_assert((int)PART_DEEP >= (int)PACK_DEPTH,
               "a part is a block of depth at least");

size_t product_scratch(const struct kern *k)
{
    (void)k;
    return (size_t)PART_DEEP * (PART_ROWS + PART_COLS);
}

/* A part of c and a block of depth, and what is packed of it. */
struct part {
    const struct product *p;
    const struct bf16_unit *unit;           /* NULL: the kernels of pack.h */
    size_t width, height;                   /* of panels and tiles */
    size_t halves;                          /* 2: of pairs of columns */
    size_t most_rows, most_cols, most_deep; /* of a part */
    size_t r0, rows, c0, cols, k0, deep;
    size_t b_packs; /* tasks of packing panels; those of tiles follow */
    float *a;       /* tiles; or the unit's left operand, as words */
    const float *b; /* panels, `step` floats or words apart */
    size_t step;
    size_t task_rows, task_cols, ranges; /* of a task; ranges of columns */
};

/* The scratch as the words of kern/bf16.h. */
static uint32_t *as_words(float *scratch)
{
    return (void *)scratch;
}

/* ---- packing ------------------------------------------------------------------------ */

/*
 * What is packed from rows is shared out by rows; what is packed from columns by depth,
 * for its rows lie side by side in memory and are read from end to end.
 */
static struct pack_rows some_depth(const struct part *t, size_t i)
{
    return (struct pack_rows){t->deep, i * PACK_DEEP,
                              least((i + 1) * PACK_DEEP, t->deep)};
}

/* Some depth of `columns` columns, packed by pack_from_columns or the like, rounded. */
static void round_columns(const struct part *t, float *to, size_t columns, size_t width,
                          struct pack_rows k)
{
    for (size_t j = 0; j < ceil_div(columns, width); j++)
        bf16_round(t->p->k->isa, to + (j * k.K + k.from) * width,
                   to + (j * k.K + k.from) * width, (k.to - k.from) * width);
}

static void tiles_from_columns(const struct part *t, struct pack_rows k)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const float *A = p->a + t->k0 * p->lda + t->r0;

    if (t->unit) {
        bf16_left_from_columns(p->k->orders, as_words(t->a), A + k.from * p->lda,
                               p->lda, t->rows, k);
        return;
    }
    pack_tiles_from_columns(isa, t->a, A, p->lda, t->rows, k);
    if (p->how & ROUNDED)
        round_columns(t, t->a, t->rows, t->height, k);
}

static void tiles_from_rows(const struct part *t, size_t from)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const float *A = p->a + (t->r0 + from) * p->lda + t->k0;
    const size_t rows = least(PACK_ROWS, t->rows - from);
    float *to = t->a + from * t->deep;

    if (t->unit) {
        bf16_left_from_rows(p->k->orders, as_words(t->a) + from * bf16_pairs(t->deep),
                            bf16_tile_words(t->deep), A, p->lda, rows, t->deep);
        return;
    }
    pack_tiles_from_rows(isa, to, A, p->lda, rows, t->deep);
    if (p->how & ROUNDED)
        bf16_round(isa, to, to, round_up(rows, t->height) * t->deep);
}

static void pack_tiles(const struct part *t, size_t i)
{
    if (t->p->how & TRANS_A)
        tiles_from_columns(t, some_depth(t, i));
    else
        tiles_from_rows(t, i * PACK_ROWS);
}

/* Some panels that are packed at once: their first column in b and in the part, columns. */
struct group {
    size_t from, at, cols;
};

static size_t groups_of_half(const struct part *t)
{
    return ceil_div(t->cols, PACK_PANELS * t->width);
}

static struct group group_of(const struct part *t, size_t i)
{
    const size_t half = i / groups_of_half(t), step = PACK_PANELS * t->width;
    const size_t at = i % groups_of_half(t) * step;

    return (struct group){half * (t->p->cols / 2) + t->c0 + at, half * t->cols + at,
                          least(step, t->cols - at)};
}

/* Words of bfloat16 panels as float32. */
static void widen_panels(const struct part *t, struct group g)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;

    for (size_t j = 0; j < g.cols; j += t->width)
        narrow_widen(isa, p->k->scratch + (g.at + j) * t->deep,
                     p->pairs + (g.from + j) / t->width * narrow_words(isa, p->depth),
                     t->k0, t->deep);
}

static void panels_from_rows(const struct part *t, struct group g)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const float *B = p->b + g.from * p->ldb + t->k0;
    float *to = p->k->scratch + g.at * t->deep;

    if (t->unit) {
        bf16_panels_from_rows(p->k->orders,
                              as_words(p->k->scratch) + g.at * bf16_pairs(t->deep), B,
                              p->ldb, g.cols, t->deep);
        return;
    }
    pack_from_rows(isa, to, B, p->ldb, g.cols, t->deep);
    if (p->how & ROUNDED)
        bf16_round(isa, to, to, round_up(g.cols, t->width) * t->deep);
}

static void panels_from_columns(const struct part *t, struct pack_rows k)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const float *B = p->b + t->k0 * p->ldb + t->c0;
    float *to = p->k->scratch;

    if (t->unit) {
        bf16_panels_from_columns(p->k->orders, as_words(to), B + k.from * p->ldb,
                                 p->ldb, t->cols, k);
        return;
    }
    pack_from_columns(isa, to, B, p->ldb, t->cols, k);
    if (p->how & ROUNDED)
        round_columns(t, to, t->cols, t->width, k);
}

static void pack_panels(const struct part *t, size_t i)
{
    if (t->p->pairs)
        widen_panels(t, group_of(t, i));
    else if (t->p->how & TRANS_B)
        panels_from_rows(t, group_of(t, i));
    else
        panels_from_columns(t, some_depth(t, i));
}

/* 1 if b's panels are there already. */
static int has_panels(const struct part *t)
{
    return t->p->how & PACKED_B && (t->unit || !t->p->pairs);
}

/* Tasks of packing. */
static size_t count_tiles(const struct part *t)
{
    if (t->p->left)
        return 0;
    return t->p->how & TRANS_A ? ceil_div(t->deep, PACK_DEEP)
                               : ceil_div(t->rows, PACK_ROWS);
}

static size_t count_panels(const struct part *t)
{
    if (has_panels(t) || t->r0 > 0)
        return 0;
    return t->p->pairs || t->p->how & TRANS_B ? t->halves * groups_of_half(t)
                                              : ceil_div(t->deep, PACK_DEEP);
}

static void pack_task(void *arg, size_t i, size_t worker)
{
    const struct part *t = arg;

    (void)worker;
    if (i < t->b_packs)
        pack_panels(t, i);
    else
        pack_tiles(t, i - t->b_packs);
}

/* ---- multiplying -------------------------------------------------------------------- */

/* Some rows and columns of a part: where they go to, the first of both. */
struct area {
    float *c;
    size_t ldc, r0, rows, c0, cols;
};

/* 1 if c goes past the caches: it is not read again soon, nor for the next block of depth, and so
 * large that a later reader would not find it there. */
static int goes_past(const struct part *t)
{
    const struct product *p = t->p;

    return p->how & PAST && p->beta == 0 && t->deep == p->depth &&
           p->rows * p->cols >= PAST_LEAST;
}

static void multiply_unit(const struct part *t, struct area a)
{
    const struct product *p = t->p;
    const size_t tile = bf16_tile_words(p->left ? p->depth : t->deep);
    const uint32_t *left =
        p->left ? p->left + t->r0 / BF16_HEIGHT * tile + t->k0 / 2 * BF16_HEIGHT
                : as_words(t->a);
    const uint32_t *b =
        has_panels(t) ? p->pairs + t->c0 / t->width * t->step + bf16_band_words(t->k0)
                      : (const void *)t->b;

    t->unit->multiply(&(struct bf16_product){.c = a.c,
                                             .a = left + a.r0 / BF16_HEIGHT * tile,
                                             .b = b + a.c0 / t->width * t->step,
                                             .ldc = a.ldc,
                                             .tile = tile,
                                             .step = t->step,
                                             .M = a.rows,
                                             .N = a.cols,
                                             .K = t->deep,
                                             .beta = t->k0 == 0 ? p->beta : 1,
                                             .past = goes_past(t)});
}

static void multiply_floats(const struct part *t, struct area a)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;

    pack_multiply(isa, &(struct pack_product){
                           .c = a.c,
                           .a = pack_left_tiles(isa, t->a + a.r0 * t->deep, t->deep),
                           .panels = t->b + a.c0 / t->width * t->step,
                           .ldc = a.ldc,
                           .step = t->step,
                           .M = a.rows,
                           .N = a.cols,
                           .K = t->deep,
                           .depth = pack_depth(p->depth),
                           .beta = t->k0 == 0 ? p->beta : 1});
}

static void multiply_area(const struct part *t, struct area a)
{
    (t->unit ? multiply_unit : multiply_floats)(t, a);
}

_Static_assert(PIECE_COLS % BF16_WIDTH == 0 && PIECE_COLS % WIDTH_MAX == 0,
               "a piece is whole panels");
_Static_assert(PIECE_ROWS % BF16_STEP == 0, "a piece begins where a step does");

/* A piece, in memory of this thread, to whoever takes it. */
static void one_piece(const struct part *t, struct area a, size_t worker)
{
    const struct product *p = t->p;
    const size_t second = has_panels(t) ? p->cols / 2 : t->cols;
    const struct gemm_piece x = {.x = p->k->pieces + worker * PIECE_FLOATS,
                                 .ld = t->halves * a.cols,
                                 .across = a.cols,
                                 .row = t->r0 + a.r0,
                                 .rows = a.rows,
                                 .col = t->c0 + a.c0,
                                 .cols = a.cols};

    a.c = x.x;
    a.ldc = x.ld;
    multiply_area(t, a);
    if (t->halves == 2) {
        a.c += x.across;
        a.c0 += second;
        multiply_area(t, a);
    }
    p->to->take(p->to->ctx, &x);
}

static void multiply_pieces(const struct part *t, const struct area *a, size_t worker)
{
    const size_t most =
        (t->unit ? PIECE_ROWS : PIECE_ROWS_FLOAT) / t->height * t->height;

    for (size_t r = 0; r < a->rows; r += most)
        for (size_t c = 0; c < a->cols; c += PIECE_COLS)
            one_piece(t,
                      (struct area){.r0 = a->r0 + r,
                                    .rows = least(most, a->rows - r),
                                    .c0 = a->c0 + c,
                                    .cols = least(PIECE_COLS, a->cols - c)},
                      worker);
}

static void multiply_task(void *arg, size_t i, size_t worker)
{
    const struct part *t = arg;
    const struct product *p = t->p;
    const size_t r0 = i / t->ranges * t->task_rows, c0 = i % t->ranges * t->task_cols;
    struct area a = {.ldc = p->ldc,
                     .r0 = r0,
                     .rows = least(t->task_rows, t->rows - r0),
                     .c0 = c0,
                     .cols = least(t->task_cols, t->cols - c0)};

    if (p->to) {
        multiply_pieces(t, &a, worker);
        return;
    }
    a.c = p->c + (t->r0 + r0) * p->ldc + t->c0 + c0;
    multiply_area(t, a);
}

/* Where b is packed already, its panels are those of the whole depth. */
static void find_panels(struct part *t)
{
    const struct product *p = t->p;
    const size_t depth = has_panels(t) ? p->depth : t->deep;

    t->b = has_panels(t) && !t->unit ? p->b + t->c0 * p->depth + t->k0 * t->width
                                     : p->k->scratch;
    t->step = t->width * (t->unit ? bf16_pairs(depth) : depth);
}

/* Ranges of columns as wide as the second cache allows; then as many of rows as make
 * enough tasks. */
static void cut_floats(struct part *t, size_t wanted)
{
    t->task_cols = share_out(t->cols, TASK_PANELS * t->width, t->width);
    t->ranges = ceil_div(t->cols, t->task_cols);
    t->task_rows =
        share_out(t->rows, ceil_div(t->rows, ceil_div(wanted, t->ranges)), t->height);
}

/* A panel's block that came to the first cache serves as many rows as can be: so ranges of
 * columns first.  Rows are pairs of tiles, and those of pieces begin where a step of depth does. */
enum { UNIT_HEIGHT = BF16_STEP };
_Static_assert(UNIT_HEIGHT % (2 * BF16_HEIGHT) == 0, "pairs of tiles");

static void cut_unit(struct part *t, size_t wanted)
{
    const size_t parts = ceil_div(t->rows, UNIT_ROWS_MOST);
    const size_t panels = ceil_div(t->cols, t->width);

    t->task_cols =
        share_out(panels, ceil_div(panels, ceil_div(wanted, parts)), 1) * t->width;
    t->ranges = ceil_div(t->cols, t->task_cols);
    const size_t rows = ceil_div(t->rows, ceil_div(wanted, t->ranges));
    t->task_rows = share_out(
        t->rows, least(rows > UNIT_ROWS_LEAST ? rows : UNIT_ROWS_LEAST, UNIT_ROWS_MOST),
        UNIT_HEIGHT);
}

static size_t cut(struct part *t)
{
    (t->unit ? cut_unit : cut_floats)(t, TASKS_PER_THREAD * par_threads(t->p->k->par));
    return t->ranges * ceil_div(t->rows, t->task_rows);
}

/* Where tiles are packed: behind the panels. */
static float *tiles_at(const struct part *t)
{
    const size_t deep = t->unit ? bf16_pairs(t->deep) : t->deep;

    return t->p->k->scratch +
           (has_panels(t) ? 0 : round_up(t->halves * t->cols, t->width) * deep);
}

static void one_part(struct part *t)
{
    const struct product *p = t->p;
    const size_t work = t->rows * t->cols * t->deep;

    find_panels(t);
    t->a = tiles_at(t);
    t->b_packs = count_panels(t);
    kern_share(p->k, work, t->b_packs + count_tiles(t), pack_task, t);
    kern_share(p->k, work, cut(t), multiply_task, t);
}

/* Rows of tiles in the scratch. */
static size_t scratch_rows(const struct part *t)
{
    return t->p->left ? 0 : round_up(least(t->p->rows, t->most_rows), t->height);
}

/* How deep a part can be: whole blocks of as many columns as can be. */
static size_t deep_part(const struct part *t, size_t room)
{
    const struct product *p = t->p;
    const size_t cols =
        has_panels(t) ? 0 : round_up(least(p->cols, PART_COLS), t->width);
    const size_t block = t->unit ? BF16_STEP : pack_depth(p->depth);
    const size_t both = scratch_rows(t) + cols;

    return both ? share_out(p->depth, room / both / block * block, block) : p->depth;
}

/* How many columns of each half fit beside the rows, of the whole depth; 0: none. */
static size_t wide_part(const struct part *t, size_t room)
{
    const struct product *p = t->p;
    const size_t fits = room / round_up(p->depth, t->unit ? BF16_STEP : 1);
    const size_t rows = scratch_rows(t);

    if (fits < rows || (t->halves == 2 && p->cols / 2 % t->width != 0))
        return 0;
    return has_panels(t)
               ? PART_COLS
               : least(PART_COLS, (fits - rows) / t->halves) / t->width * t->width;
}

/* Of which kernels' shape, and how large; where a part lies is still to be filled in. */
static struct part begin(const struct product *p)
{
    const struct kern *k = p->k;
    const struct bf16_unit *unit = p->how & ROUNDED ? k->unit : NULL;
    const size_t room = (unit ? 2 : 1) * k->scratch_floats;
    struct part t = {.p = p,
                     .unit = unit,
                     .width = unit ? (size_t)BF16_WIDTH : pack_width(k->isa),
                     .height = unit ? (size_t)BF16_HEIGHT : pack_height(k->isa),
                     .halves = p->how & PAIRS ? 2 : 1,
                     .most_rows = unit ? UNIT_PART_ROWS : PART_ROWS};

    t.most_cols = p->to ? wide_part(&t, room) : PART_COLS;
    t.most_deep = p->to ? p->depth : deep_part(&t, room);
    return t;
}

int product_pieces(const struct product *p)
{
    return begin(p).most_cols > 0;
}

void product_multiply(const struct product *p)
{
    struct part t = begin(p);
    const size_t cols = p->cols / t.halves;

    for (size_t c = 0; c < cols; c += t.most_cols)
        for (size_t d = 0; d < p->depth; d += t.most_deep)
            for (size_t r = 0; r < p->rows; r += t.most_rows) {
                t.r0 = r;
                t.rows = least(t.most_rows, p->rows - r);
                t.c0 = c;
                t.cols = least(t.most_cols, cols - c);
                t.k0 = d;
                t.deep = least(t.most_deep, p->depth - d);
                one_part(&t);
            }
}
