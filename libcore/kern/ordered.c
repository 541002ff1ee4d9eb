#include "kern/ordered.h"

#include "kern/impl.h"
#include "tensor/dims.h"

#include <assert.h>

_Static_assert(ORDERED_ROWS == (int)BF16_STEP && ORDERED_ROWS % BF16_HEIGHT == 0,
               "rows are whole tiles, and whole steps of depth");
_Static_assert(ORDERED_ROWS_ALONE == (int)BF16_HEIGHT, "a tile");
_Static_assert(ORDERED_COLUMNS == (int)BF16_WIDTH && ORDERED_COLUMNS % BF16_STEP == 0,
               "columns are whole panels, and whole steps of depth");

int ordered_wanted(const struct kern *k)
{
    return kern_unit(k) != NULL;
}

size_t ordered_bytes(size_t M, size_t K)
{
    return round_up(M, ORDERED_ROWS) / 2 * round_up(K, ORDERED_COLUMNS) *
           sizeof(uint32_t);
}

size_t ordered_rows_of(const struct ordered *o)
{
    return o->columns || o->panels ? ORDERED_ROWS : ORDERED_ROWS_ALONE;
}

void ordered_put(const struct ordered *o, const struct kern *k, const float *x,
                 size_t ld, size_t row, size_t rows, size_t col, size_t cols)
{
    const struct pack_rows some = {o->M, row, row + rows};
    const size_t by_rows = bf16_tile_words(o->K), deep = bf16_pairs(o->M);

    assert(row % ordered_rows_of(o) == 0 && col % ORDERED_COLUMNS == 0 &&
           cols % ORDERED_COLUMNS == 0);
    if (o->rows)
        bf16_left_from_rows(
            k->orders, o->rows + row / BF16_HEIGHT * by_rows + col / 2 * BF16_HEIGHT,
            by_rows, x, ld, rows, cols);
    if (o->columns)
        bf16_left_from_columns(k->orders, o->columns + col * deep, x, ld, cols, some);
    if (o->panels)
        bf16_panels_from_columns(k->orders, o->panels + col * deep, x, ld, cols, some);
}

/* ---- products ---------------------------------------------------------------------- */

/* What all have in common; not with a depth of 0, which nobody orders. */
static void multiply(struct product p)
{
    assert(ordered_wanted(p.k));
    p.how |= ROUNDED;
    if (p.rows > 0 && p.cols > 0)
        product_multiply(&p);
}

void ordered_rows(struct kern *k, float *y, size_t ldy, const struct ordered *x,
                  const struct gemm_weight *w)
{
    assert(ordered_wanted(k) && w->pairs && w->K == x->K);
    gemm_rows_left(k, y, ldy, x->rows, x->M, w);
}

int ordered_rows_pairs(struct kern *k, const struct gemm_pieces *to,
                       const struct ordered *x, const struct gemm_weight *w)
{
    assert(ordered_wanted(k) && w->pairs && w->K == x->K);
    return gemm_rows_pairs_left(k, to, x->rows, x->M, w);
}

int ordered_nt_pairs(struct kern *k, const struct gemm_pieces *to,
                     const struct ordered *x, const float *W, size_t ldw, size_t N)
{
    assert(ordered_wanted(k));
    return N % 2 == 0 && gemm_hand_on((struct product){.k = k,
                                                       .how = TRANS_B | PAIRS,
                                                       .left = x->rows,
                                                       .b = W,
                                                       .ldb = ldw,
                                                       .rows = x->M,
                                                       .cols = N,
                                                       .depth = x->K,
                                                       .to = to});
}

void ordered_nt(struct kern *k, float *y, size_t ldy, const struct ordered *x,
                const float *W, size_t ldw, size_t N, float beta)
{
    multiply((struct product){.k = k,
                              .how = TRANS_B,
                              .left = x->rows,
                              .b = W,
                              .c = y,
                              .ldb = ldw,
                              .ldc = ldy,
                              .rows = x->M,
                              .cols = N,
                              .depth = x->K,
                              .beta = beta});
}

void ordered_nn(struct kern *k, float *dx, size_t lddx, const struct ordered *dy,
                const float *W, size_t ldw, size_t N, float beta)
{
    multiply((struct product){.k = k,
                              .left = dy->rows,
                              .b = W,
                              .c = dx,
                              .ldb = ldw,
                              .ldc = lddx,
                              .rows = dy->M,
                              .cols = N,
                              .depth = dy->K,
                              .beta = beta});
}

void ordered_tn_left(struct kern *k, float *dW, size_t lddw, const struct ordered *dy,
                     const float *x, size_t ldx, size_t N, float beta)
{
    multiply((struct product){.k = k,
                              .how = PAST,
                              .left = dy->columns,
                              .b = x,
                              .c = dW,
                              .ldb = ldx,
                              .ldc = lddw,
                              .rows = dy->K,
                              .cols = N,
                              .depth = dy->M,
                              .beta = beta});
}

void ordered_tn_right(struct kern *k, float *dW, size_t lddw, const float *dy,
                      size_t lddy, const struct ordered *x, size_t N, float beta)
{
    multiply((struct product){.k = k,
                              .how = TRANS_A | PACKED_B | PAST,
                              .a = dy,
                              .pairs = x->panels,
                              .c = dW,
                              .lda = lddy,
                              .ldc = lddw,
                              .rows = N,
                              .cols = x->K,
                              .depth = x->M,
                              .beta = beta});
}

void ordered_tn(struct kern *k, float *dW, size_t lddw, const struct ordered *dy,
                const struct ordered *x, float beta)
{
    assert(dy->M == x->M);
    multiply((struct product){.k = k,
                              .how = PACKED_B | PAST,
                              .left = dy->columns,
                              .pairs = x->panels,
                              .c = dW,
                              .ldc = lddw,
                              .rows = dy->K,
                              .cols = x->K,
                              .depth = x->M,
                              .beta = beta});
}
