#include "model/head_private.h"

#include "kern/gemm.h"
#include "model/private.h"
#include "tensor/dims.h"

/*
 * Logits of all rows and tokens, and their gradients, are what the memory of a training step is
 * busy with: a hundred megabytes for each chunk, which products write, sums read, and gradients
 * replace, and which two more products read to round them and put them in order.  A unit for bfloat16
 * computes faster than that.
 *
 * So here a part of the vocabulary is all that is there at once, and stays in the caches:
 *     forward    logits z (n, part), their sums, exponentials in two bytes, which are kept
 *     backward   from what is kept dz (n, part), made in small blocks, each of which is put in order
 *                for both products; and these, of the part:  d += dz W,  dW += dz^T x
 * The sums of d go on from part to part where they left off, and one product of the whole would
 * do the same.  Rows x are put in order once for all parts.
 */

int head_keeps(const struct model *m)
{
    return ordered_wanted(m->kern) && !(m->arch.logit_cap > 0) && !model_is_packed(m) &&
           m->arch.C % ORDERED_COLUMNS == 0;
}

void head_kept_carve(struct head *h, struct arena *a)
{
    const struct arch *c = &h->m->arch;
    const size_t n = h->rows, order = ordered_bytes(n, c->C);

    /* room for gradients in both orders, which take two bytes for a number each */
    h->z = arena_take(a, 2, ordered_bytes(n, h->part));
    h->in_order.rows = arena_take(a, 1, order);
    h->in_order.panels = arena_take(a, 1, order);
    h->e = arena_take(a, n * c->V, sizeof *h->e);
    h->peak = arena_take(a, n * ceil_div(c->V, h->part), sizeof *h->peak);
}

/* ---- forward ------------------------------------------------------------------------- */

/* Blocks of ORDERED_ROWS rows. */
static void order_range(void *ctx, size_t from, size_t to)
{
    const struct head *h = ctx;
    const struct ordered *o = &h->in_order;
    const size_t row = from * ORDERED_ROWS, end = least(to * ORDERED_ROWS, o->M);

    ordered_put(o, h->m->kern, h->x + row * o->K, o->K, row, end - row, 0, o->K);
}

void head_kept_order(struct head *h, size_t n)
{
    const size_t C = h->m->arch.C;

    h->in_order.M = n;
    h->in_order.K = C;
    kern_rows(h->m->kern, ceil_div(n, ORDERED_ROWS), ORDERED_ROWS * C, order_range, h);
}

/* What is kept of the part that begins at `from`, for n rows. */
static struct xent_kept kept_of(const struct head *h, size_t n, size_t from)
{
    return (struct xent_kept){h->e + n * from, h->peak + n * (from / h->part)};
}

void head_kept_add(struct head *h, size_t n, size_t from, size_t cols)
{
    const struct model *m = h->m;
    const size_t C = m->arch.C;
    const struct xent_kept part = kept_of(h, n, from);

    ordered_nt(m->kern, h->z, cols, &h->in_order, m->params + m->head + from * C, C,
               cols, 0);
    head_finish_part(m, h->z, n, from, cols);
    xent_keep(m->kern, h->sums, &part, h->z, h->target, h->temperature, n, from, cols);
}

/* ---- backward ------------------------------------------------------------------------ */

/* A part on its way back: its tokens, its rows of the head and of their gradient, or NULL. */
struct back {
    struct head *h;
    const struct xent_loss *loss;
    size_t n, from, cols;
    const float *W;
    float *dW;
};

static void make_gradients(const struct back *b, struct xent_to to)
{
    const struct xent_kept part = kept_of(b->h, b->n, b->from);

    xent_kept_backward(b->h->m->kern, to, b->loss, &part, b->n, b->from, b->cols);
}

/* d of the first part is overwritten. */
static float beta(const struct back *b)
{
    return b->from > 0;
}

static void by_order(const struct back *b)
{
    const struct head *h = b->h;
    const size_t C = h->m->arch.C,
                 words = ordered_bytes(b->n, b->cols) / sizeof(uint32_t);
    uint32_t *z = (void *)h->z;
    const struct ordered dz = {
        .M = b->n, .K = b->cols, .rows = z, .columns = b->dW ? z + words : NULL};

    make_gradients(b, (struct xent_to){.ordered = &dz});
    ordered_nn(h->m->kern, h->d, C, &dz, b->W, C, C, beta(b));
    if (b->dW)
        ordered_tn(h->m->kern, b->dW, C, &dz, &h->in_order, 1);
}

/* A last part of some width goes by way of float32; the bits are the same. */
static void by_floats(const struct back *b)
{
    const struct head *h = b->h;
    const size_t C = h->m->arch.C;

    make_gradients(b, (struct xent_to){.floats = h->z});
    gemm_nn(h->m->kern, h->d, C, h->z, b->cols, b->W, C, b->n, b->cols, C, beta(b));
    if (b->dW)
        ordered_tn_right(h->m->kern, b->dW, C, h->z, b->cols, &h->in_order, b->cols, 1);
}

void head_kept_backward(struct head *h, size_t n, const float *dlogp,
                        const float *dentropy, float *dW)
{
    const struct model *m = h->m;
    const size_t C = m->arch.C, V = m->arch.V;
    const struct xent_loss loss = {.sums = h->sums,
                                   .target = h->target,
                                   .temperature = h->temperature,
                                   .lse = h->lse,
                                   .entropy = h->entropy,
                                   .dlogp = dlogp,
                                   .dentropy = dentropy,
                                   .scale = m->arch.out_scale};

    for (size_t at = 0; at < V; at += h->part) {
        const struct back b = {h,
                               &loss,
                               n,
                               at,
                               least(h->part, V - at),
                               m->params + m->head + at * C,
                               dW ? dW + at * C : NULL};

        (b.cols % ORDERED_COLUMNS == 0 ? by_order : by_floats)(&b);
    }
}
