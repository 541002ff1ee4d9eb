#include "kern/impl.h"
#include "kern/narrow.h"
#include "kern/pack.h"
#include "tensor/dims.h"

/*
 * A product of any two matrices by the kernels of pack.h.
 *
 * c is computed in parts of at most PART_ROWS x PART_COLS, each of them one block of depth
 * after the other.  Of a block all threads together pack both operands, a into tiles, b
 * into panels (or widen those that are bfloat16): every number is copied once, beside the
 * hundreds or thousands of
 * multiplications that it takes part in, and both copies, at most 6 MB, stay in the last
 * cache.  Then they multiply: a task is some panels, at most TASK_PANELS of 20 kB, which
 * stay in the second cache, times a range of tiles, each of which goes through the first
 * once.
 *
 * The bits of c do not depend on how it is cut (pack.h), so the number of tasks may follow
 * the number of threads.
 */
enum {
    PART_ROWS = 1536, /* whole tiles */
    PART_COLS = 3072, /* whole panels */
    PACK_ROWS = 48,   /* packed at once: whole tiles */
    PACK_PANELS = 4,
    PACK_DEEP = 32,
    TASK_PANELS = 16,
    TASKS_PER_THREAD = 8
};

size_t product_scratch(const struct kern *k)
{
    (void)k;
    return (size_t)PACK_DEPTH * (PART_ROWS + PART_COLS);
}

/* A part of c and a block of depth, and what is packed of it. */
struct part {
    const struct product *p;
    size_t r0, rows, c0, cols, k0, deep;
    size_t b_packs; /* tasks of packing panels; those of tiles follow */
    float *a;       /* tiles */
    const float *b; /* panels, `step` floats apart */
    size_t step;
    size_t task_rows, task_cols, ranges; /* of a task; ranges of columns */
};

static size_t ceil_div(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
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

static void pack_tiles(const struct part *t, size_t i)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const size_t from = i * PACK_ROWS;

    if (p->trans & TRANS_A)
        pack_tiles_from_columns(isa, t->a, p->a + t->k0 * p->lda + t->r0, p->lda,
                                t->rows, some_depth(t, i));
    else
        pack_tiles_from_rows(isa, t->a + from * t->deep,
                             p->a + (t->r0 + from) * p->lda + t->k0, p->lda,
                             least(PACK_ROWS, t->rows - from), t->deep);
}

/* Some of the words of bfloat16 panels as float32. */
static void widen_panels(const struct part *t, size_t i)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const size_t width = pack_width(isa), end = ceil_div(t->cols, width);
    float *to = p->k->scratch;

    for (size_t j = i * PACK_PANELS; j < least((i + 1) * PACK_PANELS, end); j++)
        narrow_widen(isa, to + j * width * t->deep,
                     p->pairs + (t->c0 / width + j) * narrow_words(isa, p->depth),
                     t->k0, t->deep);
}

static void pack_panels(const struct part *t, size_t i)
{
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const size_t step = PACK_PANELS * pack_width(isa), from = i * step;
    float *to = p->k->scratch;

    if (p->pairs)
        widen_panels(t, i);
    else if (p->trans & TRANS_B)
        pack_from_rows(isa, to + from * t->deep, p->b + (t->c0 + from) * p->ldb + t->k0,
                       p->ldb, least(step, t->cols - from), t->deep);
    else
        pack_from_columns(isa, to, p->b + t->k0 * p->ldb + t->c0, p->ldb, t->cols,
                          some_depth(t, i));
}

/* 1 if b's panels are there already. */
static int has_panels(const struct product *p)
{
    return p->trans & PACKED_B && !p->pairs;
}

/* Tasks of packing. */
static size_t count_tiles(const struct part *t)
{
    return t->p->trans & TRANS_A ? ceil_div(t->deep, PACK_DEEP)
                                 : ceil_div(t->rows, PACK_ROWS);
}

static size_t count_panels(const struct part *t)
{
    const size_t width = pack_width(t->p->k->isa);

    if (has_panels(t->p) || t->r0 > 0)
        return 0;
    return t->p->pairs || t->p->trans & TRANS_B ? ceil_div(t->cols, PACK_PANELS * width)
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

static void multiply_task(void *arg, size_t i, size_t worker)
{
    const struct part *t = arg;
    const struct product *p = t->p;
    const enum isa isa = p->k->isa;
    const size_t r0 = i / t->ranges * t->task_rows, c0 = i % t->ranges * t->task_cols;

    (void)worker;
    pack_multiply(isa, p->c + (t->r0 + r0) * p->ldc + t->c0 + c0, p->ldc,
                  pack_left_tiles(isa, t->a + r0 * t->deep, t->deep),
                  t->b + c0 / pack_width(isa) * t->step, t->step,
                  least(t->task_rows, t->rows - r0), least(t->task_cols, t->cols - c0),
                  t->deep, t->k0 == 0 ? p->beta : 1);
}

/* Where b is packed already, its panels are those of the whole depth. */
static void find_panels(struct part *t)
{
    const struct product *p = t->p;
    const size_t width = pack_width(p->k->isa);

    if (has_panels(p)) {
        t->b = p->b + t->c0 * p->depth + t->k0 * width;
        t->step = p->depth * width;
    } else {
        t->b = p->k->scratch;
        t->step = t->deep * width;
    }
}

/* n things, each in one of ranges as equal as multiples of `unit` can be; at most `most`
 * in each.  Returns how many in each. */
static size_t share_out(size_t n, size_t most, size_t unit)
{
    return round_up(ceil_div(n, ceil_div(n, most)), unit);
}

/* Ranges of columns as wide as the second cache allows; then as many of rows as make
 * enough tasks. */
static size_t cut(struct part *t)
{
    const struct kern *k = t->p->k;
    const size_t width = pack_width(k->isa), height = pack_height(k->isa);
    const size_t wanted = TASKS_PER_THREAD * par_threads(k->par);

    t->task_cols = share_out(t->cols, TASK_PANELS * width, width);
    t->ranges = ceil_div(t->cols, t->task_cols);
    t->task_rows =
        share_out(t->rows, ceil_div(t->rows, ceil_div(wanted, t->ranges)), height);
    return t->ranges * ceil_div(t->rows, t->task_rows);
}

static void one_part(struct part *t)
{
    const struct product *p = t->p;
    const size_t work = t->rows * t->cols * t->deep;

    find_panels(t);
    t->a = p->k->scratch + (size_t)PACK_DEPTH * PART_COLS;
    t->b_packs = count_panels(t);
    kern_share(p->k, work, t->b_packs + count_tiles(t), pack_task, t);
    kern_share(p->k, work, cut(t), multiply_task, t);
}

void product_multiply(const struct product *p)
{
    const size_t depth = pack_depth(p->depth);

    for (size_t c = 0; c < p->cols; c += PART_COLS)
        for (size_t d = 0; d < p->depth; d += depth)
            for (size_t r = 0; r < p->rows; r += PART_ROWS) {
                struct part t = {.p = p,
                                 .r0 = r,
                                 .rows = least(PART_ROWS, p->rows - r),
                                 .c0 = c,
                                 .cols = least(PART_COLS, p->cols - c),
                                 .k0 = d,
                                 .deep = least(depth, p->depth - d)};

                one_part(&t);
            }
}
