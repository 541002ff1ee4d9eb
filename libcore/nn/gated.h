/*
 * The gate of a gated MLP:  y = act(gate) up, where x (N, 2 F) holds gate in columns 0..F-1 of each
 * row and up in F..2F-1, as the product with the joined weights leaves them (swiglu: ACT_SILU;
 * geglu: ACT_GELU_TANH).
 *
 * Cannot fail.  The bits of a row depend on that row only.  Rows are shared out over k's
 * threads.
 */
#ifndef CAGSR_NN_GATED_H
#define CAGSR_NN_GATED_H

#include "kern/ordered.h"
#include "nn/act.h"

#include <stddef.h>

/* y (N, F); may not alias x. */
void gated_forward(struct kern *k, float *y, const float *x, size_t N, size_t F,
                   enum act act);

/* dx (N, 2 F), overwritten, may be x: to the gate dy up act'(gate), to up dy act(gate). */
void gated_backward(struct kern *k, float *dx, const float *dy, const float *x,
                    size_t N, size_t F, enum act act);

/* What the product reads, of N rows: float32, rows ld apart, or, x being NULL, in order by rows. */
struct gated_from {
    const float *x;
    size_t ld;
    const struct ordered *ordered;
};

/* The gate's y as float32, or in order for the products that read it: the other is NULL. */
struct gated_to {
    float *floats;
    const struct ordered *ordered;
};

/*
 * The gate together with the product that it belongs to, piece by piece, with the bits of both one
 * after the other: 1; or 0 where the product cannot be had in pieces (kern/gemm.h), or F is no
 * multiple of ORDERED_COLUMNS and something is wanted in order, and nothing was done.
 */

/* x = h W^T by gemm_rows, h (N, K); y.  x is never whole in memory. */
int gated_rows_product(struct kern *k, struct gated_to y, struct gated_from h, size_t N,
                       const struct gemm_weight *w, enum act act) MUST_CHECK;

/* x (N, 2 F) = h W^T by gemm_nt, W (2 F, K); y in order.  x is kept as bfloat16; NULL: nobody
 * wants it. */
int gated_product(struct kern *k, const struct ordered *y, uint16_t *x,
                  struct gated_from h, const float *W, size_t ldw, size_t N, size_t F,
                  size_t K, enum act act) MUST_CHECK;

/* dy (N, F) = dout W by gemm_nn, dout (N, C), W (C, F); dx, and y again, in order: both of x as it
 * was kept.  dy is never whole in memory. */
int gated_product_backward(struct kern *k, const struct ordered *dx,
                           const struct ordered *y, const uint16_t *x,
                           const float *dout, size_t ldd, const float *W, size_t ldw,
                           size_t N, size_t F, size_t C, enum act act) MUST_CHECK;

#endif
