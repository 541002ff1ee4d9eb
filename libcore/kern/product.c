#include "kern/impl.h"
#include "kern/pack.h"
#include "tensor/dims.h"

/*
 * A product of any two matrices by the kernels of pack.h, panels packed on the way.
 *
 * A task is a block of at most BLOCK_ROWS rows of c times a range of its panels.  For
 * each block of depth, the task's part of a (in place, or copied where it is transposed)
 * stays in the second cache, 384 kB; each panel is packed beside it, 48 kB, and
 * multiplied with it.  The bits of c do not depend on how it is cut (pack.h), so the
 * number of tasks may follow the number of threads.
 */
enum { BLOCK_ROWS = 384, TASKS_PER_THREAD = 4 };

size_t product_scratch(const struct kern *k)
{
    return PACK_DEPTH * (pack_width(k->isa) + BLOCK_ROWS);
}

struct cut {
    const struct product *p;
    size_t row_blocks, panels, panels_per_task;
};

/* One panel against one block of rows, `deep` of the depth from k0 on. */
static void multiply_panel(const struct product *p, float *panel, struct pack_left left,
                           size_t r0, size_t rows, size_t c0, size_t k0, size_t deep)
{
    const enum isa isa = p->k->isa;
    const size_t width = pack_width(isa);
    const size_t wide = p->cols - c0 < width ? p->cols - c0 : width;

    if (p->trans & TRANS_B)
        pack_from_rows(isa, panel, p->b + c0 * p->ldb + k0, p->ldb, wide, deep);
    else
        pack_from_columns(isa, panel, p->b + k0 * p->ldb + c0, p->ldb, wide, deep);
    pack_multiply(isa, p->c + r0 * p->ldc + c0, p->ldc, left, panel, rows, wide, deep,
                  k0 == 0 ? p->beta : 1);
}

static void one_task(void *arg, size_t i, size_t worker)
{
    const struct cut *c = arg;
    const struct product *p = c->p;
    const enum isa isa = p->k->isa;
    float *panel = p->k->scratch + worker * product_scratch(p->k);
    float *copy = panel + PACK_DEPTH * pack_width(isa);
    const size_t r0 = i % c->row_blocks * BLOCK_ROWS;
    const size_t rows = p->rows - r0 < BLOCK_ROWS ? p->rows - r0 : BLOCK_ROWS;
    const size_t from = i / c->row_blocks * c->panels_per_task;
    const size_t to =
        from + c->panels_per_task < c->panels ? from + c->panels_per_task : c->panels;

    for (size_t k0 = 0; k0 < p->depth; k0 += PACK_DEPTH) {
        const size_t deep = p->depth - k0 < PACK_DEPTH ? p->depth - k0 : PACK_DEPTH;
        const struct pack_left left =
            p->trans & TRANS_A ? pack_left_columns(isa, copy, p->a + k0 * p->lda + r0,
                                                   p->lda, rows, deep)
                               : pack_left_rows(p->a + r0 * p->lda + k0, p->lda);

        for (size_t j = from; j < to; j++)
            multiply_panel(p, panel, left, r0, rows, j * pack_width(isa), k0, deep);
    }
}

void product_multiply(const struct product *p)
{
    const size_t width = pack_width(p->k->isa);
    struct cut c = {p, (p->rows + BLOCK_ROWS - 1) / BLOCK_ROWS,
                    (p->cols + width - 1) / width, 0};
    const size_t wanted = TASKS_PER_THREAD * par_threads(p->k->par) / c.row_blocks + 1;

    c.panels_per_task = (c.panels + wanted - 1) / wanted;
    kern_share(p->k, p->rows * p->cols * p->depth,
               c.row_blocks * ((c.panels + c.panels_per_task - 1) / c.panels_per_task),
               one_task, &c);
}
