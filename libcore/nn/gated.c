#include "nn/gated.h"

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
    int kept;        /* what the gate is made of is somebody else's */
    const float *in; /* x of the way back */
    size_t F;
    enum act act;
};

static int fits(const struct gate *g)
{
    return g->F % ORDERED_COLUMNS == 0 || g->y.floats;
}

/* A gate's result that is to be in order takes the place of the gates where these are not kept;
 * else it goes by way of some rows on the stack. */
enum { SOME_ROWS = ORDERED_ROWS, SOME_COLS = ORDERED_COLUMNS };

static struct act_job forward_of(const struct gate *g, const struct gemm_piece *p)
{
    return (struct act_job){.k = g->k,
                            .y = p->x,
                            .x = p->x,
                            .F = p->cols,
                            .ldy = p->ld,
                            .ldx = p->ld,
                            .across = p->across,
                            .act = g->act};
}

static void forward_block(const struct gate *g, const struct gemm_piece *p)
{
    _Alignas(64) float y[SOME_ROWS * SOME_COLS];
    struct act_job j = forward_of(g, p);

    j.y = y;
    j.ldy = SOME_COLS;
    forward_range(&j, 0, p->rows);
    ordered_put(g->y.ordered, g->k, y, SOME_COLS, p->row, p->rows, p->col, p->cols);
}

/* fn of blocks of a piece that stay in the first cache. */
static void in_blocks(const struct gate *g, const struct gemm_piece *p,
                      void (*fn)(const struct gate *g, const struct gemm_piece *p))
{
    for (size_t r = 0; r < p->rows; r += SOME_ROWS)
        for (size_t c = 0; c < p->cols; c += SOME_COLS)
            fn(g, &(struct gemm_piece){.x = p->x + r * p->ld + c,
                                       .ld = p->ld,
                                       .across = p->across,
                                       .row = p->row + r,
                                       .rows = least(SOME_ROWS, p->rows - r),
                                       .col = p->col + c,
                                       .cols = least(SOME_COLS, p->cols - c)});
}

static void take_forward(void *ctx, const struct gemm_piece *p)
{
    const struct gate *g = ctx;
    struct act_job j = forward_of(g, p);

    if (g->y.floats) {
        j.y = g->y.floats + p->row * g->F + p->col;
        j.ldy = g->F;
    } else if (g->kept) {
        in_blocks(g, p, forward_block);
        return;
    }
    forward_range(&j, 0, p->rows);
    if (g->y.ordered)
        ordered_put(g->y.ordered, g->k, p->x, p->ld, p->row, p->rows, p->col, p->cols);
}

static void back_block(const struct gate *g, const struct gemm_piece *p)
{
    _Alignas(64) float y[SOME_ROWS * SOME_COLS], dx[2 * SOME_ROWS * SOME_COLS];
    const size_t F = g->F;
    struct act_job j = {.k = g->k,
                        .y = y,
                        .dx = dx,
                        .dy = p->x,
                        .x = g->in + p->row * 2 * F + p->col,
                        .F = p->cols,
                        .ldy = SOME_COLS,
                        .ldx = 2 * F,
                        .across = F,
                        .lddy = p->ld,
                        .lddx = 2 * SOME_COLS,
                        .dacross = SOME_COLS,
                        .act = g->act};

    backward_range(&j, 0, p->rows);
    ordered_put(g->y.ordered, g->k, y, SOME_COLS, p->row, p->rows, p->col, p->cols);
    for (size_t half = 0; half < 2; half++)
        ordered_put(g->dx, g->k, dx + half * SOME_COLS, 2 * SOME_COLS, p->row, p->rows,
                    half * F + p->col, p->cols);
}

static void take_backward(void *ctx, const struct gemm_piece *p)
{
    in_blocks(ctx, p, back_block);
}

int gated_rows_product(struct kern *k, struct gated_to y, const float *h, size_t ldh,
                       size_t N, const struct gemm_weight *w, enum act act)
{
    struct gate g = {.k = k, .y = y, .F = w->N / 2, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    return fits(&g) && gemm_rows_pairs(k, &to, h, ldh, N, w);
}

int gated_product(struct kern *k, const struct ordered *y, float *x, const float *h,
                  size_t ldh, const float *W, size_t ldw, size_t N, size_t F, size_t K,
                  enum act act)
{
    struct gate g = {.k = k, .y.ordered = y, .kept = x != NULL, .F = F, .act = act};
    const struct gemm_pieces to = {take_forward, &g};

    return fits(&g) && gemm_nt_pairs(k, &to, x, 2 * F, h, ldh, W, ldw, N, 2 * F, K);
}

int gated_product_backward(struct kern *k, const struct ordered *dx,
                           const struct ordered *y, const float *x, const float *dout,
                           size_t ldd, const float *W, size_t ldw, size_t N, size_t F,
                           size_t C, enum act act)
{
    struct gate g = {.k = k, .y.ordered = y, .dx = dx, .in = x, .F = F, .act = act};
    const struct gemm_pieces to = {take_backward, &g};

    return fits(&g) && gemm_nn_pieces(k, &to, dout, ldd, W, ldw, N, C, F);
}
