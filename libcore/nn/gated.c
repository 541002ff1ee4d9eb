#include "nn/gated.h"

#include "kern/bf16.h"
#include "nn/act_simd.h"
#include "tensor/dims.h"

/* ---- whole matrices ------------------------------------------------------------------ */

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), gated_rows, (j, from, to));
}

static void backward_range(void *ctx, size_t from, size_t to)
{
    const struct act_job *j = ctx;

    ISA_CALL(kern_isa(j->k), gated_rows_back, (j, from, to));
}

void gated_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                   enum act act)
{
    struct act_job j = {.k = k,
                        .y = y,
                        .x = x,
                        .F = F,
                        .ldy = F,
                        .ldx = 2 * F,
                        .across = F,
                        .act = act};

    kern_rows(k, N, ACT_COST * F, forward_range, &j);
}

void gated_backward(struct kern *k, float *dx, const float *dy, const float *x,
                    size_t N, size_t F, enum act act)
{
    struct act_job j = {.k = k,
                        .dx = dx,
                        .dy = dy,
                        .x = x,
                        .F = F,
                        .ldx = 2 * F,
                        .across = F,
                        .lddy = F,
                        .lddx = 2 * F,
                        .dacross = F,
                        .act = act};

    kern_rows(k, N, ACT_COST * F, backward_range, &j);
}

/* ---- pieces -------------------------------------------------------------------------- */

struct gate {
    struct kern *k;
    struct gated_to y;
    const struct ordered *dx;
    uint16_t *kept;        /* what the gate is made of, for the way back */
    const uint16_t *again; /* there */
    size_t F;
    enum act act;
};

static int fits(const struct gate *g)
{
    return g->F % ORDERED_COLUMNS == 0 || g->y.floats;
}

static void keep(const struct gate *g, const struct gemm_piece *p)
{
    const enum isa isa = kern_isa(g->k);
    const size_t ld = 2 * g->F;
    uint16_t *to = g->kept + p->row * ld + p->col;

    bf16_narrow(isa, to, ld, p->x, p->ld, p->rows, p->cols);
    bf16_narrow(isa, to + g->F, ld, p->x + p->across, p->ld, p->rows, p->cols);
}

/* What is to be in order takes the place of the gates first. */
static void take_forward(void *ctx, const struct gemm_piece *p)
{
    const struct gate *g = ctx;
    struct act_job j = {.k = g->k,
                        .y = p->x,
                        .x = p->x,
                        .F = p->cols,
                        .ldy = p->ld,
                        .ldx = p->ld,
                        .across = p->across,
                        .act = g->act};

    if (g->kept)
        keep(g, p);
    if (g->y.floats) {
        j.y = g->y.floats + p->row * g->F + p->col;
        j.ldy = g->F;
    }
    forward_range(&j, 0, p->rows);
    if (g->y.ordered)
        ordered_put(g->y.ordered, g->k, p->x, p->ld, p->row, p->rows, p->col, p->cols);
}

/* A block of a piece, which stays in the first cache. */
enum { SOME_ROWS = ORDERED_ROWS, SOME_COLS = ORDERED_COLUMNS };

static void back_block(const struct gate *g, const struct gemm_piece *p)
{
    _Alignas(64) float y[SOME_ROWS * SOME_COLS], dx[2 * SOME_ROWS * SOME_COLS];
    const size_t F = g->F;
    const struct act_job j = {.k = g->k,
                              .y = y,
                              .dx = dx,
                              .dy = p->x,
                              .halves = g->again + p->row * 2 * F + p->col,
                              .F = p->cols,
                              .ldy = SOME_COLS,
                              .ldx = 2 * F,
                              .across = F,
                              .lddy = p->ld,
                              .lddx = 2 * SOME_COLS,
                              .dacross = SOME_COLS,
                              .act = g->act};

    ISA_CALL(kern_isa(g->k), gated_halves_back, (&j, 0, p->rows));
    ordered_put(g->y.ordered, g->k, y, SOME_COLS, p->row, p->rows, p->col, p->cols);
    for (size_t half = 0; half < 2; half++)
        ordered_put(g->dx, g->k, dx + half * SOME_COLS, 2 * SOME_COLS, p->row, p->rows,
                    half * F + p->col, p->cols);
}

static void take_backward(void *ctx, const struct gemm_piece *p)
{
    for (size_t r = 0; r < p->rows; r += SOME_ROWS)
        for (size_t c = 0; c < p->cols; c += SOME_COLS)
            back_block(ctx,
                       &(struct gemm_piece){.x = p->x + r * p->ld + c,
                                            .ld = p->ld,
                                            .row = p->row + r,
                                            .rows = least(SOME_ROWS, p->rows - r),
                                            .col = p->col + c,
                                            .cols = least(SOME_COLS, p->cols - c)});
}

int gated_rows_product(struct kern *k, struct gated_to y, struct gated_from h, size_t N,
                       const struct gemm_weight *w, enum act act)
{
    struct gate g = {.k = k, .y = y, .F = w->N / 2, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    if (!fits(&g))
        return 0;
    return h.x ? gemm_rows_pairs(k, &to, h.x, h.ld, N, w)
               : ordered_rows_pairs(k, &to, h.ordered, w);
}

int gated_product(struct kern *k, const struct ordered *y, uint16_t *x,
                  struct gated_from h, const float *W, size_t ldw, size_t N, size_t F,
                  size_t K, enum act act)
{
    struct gate g = {.k = k, .y.ordered = y, .kept = x, .F = F, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    if (!fits(&g))
        return 0;
    return h.x ? gemm_nt_pairs(k, &to, h.x, h.ld, W, ldw, N, 2 * F, K)
               : ordered_nt_pairs(k, &to, h.ordered, W, ldw, 2 * F);
}

int gated_product_backward(struct kern *k, const struct ordered *dx,
                           const struct ordered *y, const uint16_t *x,
                           const float *dout, size_t ldd, const float *W, size_t ldw,
                           size_t N, size_t F, size_t C, enum act act)
{
    struct gate g = {.k = k, .y.ordered = y, .dx = dx, .again = x, .F = F, .act = act};
    const struct gemm_pieces to = {take_backward, &g};

    return fits(&g) && gemm_nn_pieces(k, &to, dout, ldd, W, ldw, N, C, F);
}
