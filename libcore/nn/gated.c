#include "nn/gated.h"

#include "nn/act_simd.h"
#include "tensor/dims.h"

#include <string.h>

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
    struct gated_to y, dx;
    float *x;        /* out, or NULL */
    const float *in; /* x of the way back */
    size_t F;
    enum act act;
};

static int fits(const struct gate *g)
{
    return g->F % ORDERED_COLUMNS == 0 || (!g->y.ordered && !g->dx.ordered);
}

/* Both halves of a piece to their places in x. */
static void keep(const struct gate *g, const float *piece, size_t row, size_t rows,
                 size_t col, size_t cols)
{
    for (size_t r = 0; r < rows; r++, piece += 2 * cols) {
        float *x = g->x + (row + r) * 2 * g->F + col;

        memcpy(x, piece, cols * sizeof *x);
        memcpy(x + g->F, piece + cols, cols * sizeof *x);
    }
}

/* What is to be in order takes the place of the gates it was made of. */
static void take_forward(void *ctx, float *piece, size_t row, size_t rows, size_t col,
                         size_t cols)
{
    const struct gate *g = ctx;
    struct act_job j = {.k = g->k,
                        .y = piece,
                        .x = piece,
                        .F = cols,
                        .ldy = 2 * cols,
                        .ldx = 2 * cols,
                        .across = cols,
                        .act = g->act};

    if (g->x)
        keep(g, piece, row, rows, col, cols);
    if (g->y.floats) {
        j.y = g->y.floats + row * g->F + col;
        j.ldy = g->F;
    }
    forward_range(&j, 0, rows);
    if (g->y.ordered)
        ordered_put(g->y.ordered, g->k, piece, 2 * cols, row, rows, col, cols);
}

/* Rows row.., columns col.. of which a gradient goes back: at most so many of both, which stay in
 * the first cache. */
enum { BACK_ROWS = ORDERED_ROWS, BACK_COLS = ORDERED_COLUMNS };

static void back_block(const struct gate *g, const float *dy, size_t lddy, size_t row,
                       size_t rows, size_t col, size_t cols)
{
    _Alignas(64) float y[BACK_ROWS * BACK_COLS], dx[2 * BACK_ROWS * BACK_COLS];
    const size_t F = g->F;
    struct act_job j = {.k = g->k,
                        .y = g->y.ordered ? y : NULL,
                        .dx = dx,
                        .dy = dy,
                        .x = g->in + row * 2 * F + col,
                        .F = cols,
                        .ldy = cols,
                        .ldx = 2 * F,
                        .across = F,
                        .lddy = lddy,
                        .lddx = 2 * cols,
                        .dacross = cols,
                        .act = g->act};

    if (g->y.floats) {
        j.y = g->y.floats + row * F + col;
        j.ldy = F;
    }
    if (g->dx.floats) {
        j.dx = g->dx.floats + row * 2 * F + col;
        j.lddx = 2 * F;
        j.dacross = F;
    }
    backward_range(&j, 0, rows);
    if (g->y.ordered)
        ordered_put(g->y.ordered, g->k, y, cols, row, rows, col, cols);
    if (g->dx.ordered) {
        ordered_put(g->dx.ordered, g->k, dx, 2 * cols, row, rows, col, cols);
        ordered_put(g->dx.ordered, g->k, dx + cols, 2 * cols, row, rows, F + col, cols);
    }
}

static void take_backward(void *ctx, float *piece, size_t row, size_t rows, size_t col,
                          size_t cols)
{
    for (size_t r = 0; r < rows; r += BACK_ROWS)
        for (size_t c = 0; c < cols; c += BACK_COLS)
            back_block(ctx, piece + r * cols + c, cols, row + r,
                       least(BACK_ROWS, rows - r), col + c, least(BACK_COLS, cols - c));
}

int gated_rows_product(struct kern *k, struct gated_to y, const float *h, size_t ldh,
                       size_t N, const struct gemm_weight *w, enum act act)
{
    struct gate g = {.k = k, .y = y, .F = w->N / 2, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    return fits(&g) && gemm_rows_pairs(k, &to, h, ldh, N, w);
}

int gated_product(struct kern *k, struct gated_to y, float *x, const float *h,
                  size_t ldh, const float *W, size_t ldw, size_t N, size_t F, size_t K,
                  enum act act)
{
    struct gate g = {.k = k, .y = y, .x = x, .F = F, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    return fits(&g) && gemm_nt_pairs(k, &to, h, ldh, W, ldw, N, 2 * F, K);
}

int gated_product_backward(struct kern *k, struct gated_to dx, struct gated_to y,
                           const float *x, const float *dout, size_t ldd,
                           const float *W, size_t ldw, size_t N, size_t F, size_t C,
                           enum act act)
{
    struct gate g = {.k = k, .y = y, .dx = dx, .in = x, .F = F, .act = act};
    const struct gemm_pieces to = {take_backward, &g};

    return fits(&g) && gemm_nn_pieces(k, &to, dout, ldd, W, ldw, N, C, F);
}
