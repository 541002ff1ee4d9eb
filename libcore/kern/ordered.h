/*
 * Operands in order: a matrix X that products of a unit (kern/bf16.h) read is rounded and put
 * where the unit wants its numbers by whoever computes them, piece by piece, while they are in a
 * cache near by.  So X is never whole as float32, and products with it pack nothing of it.  Their
 * bits are those of the same products of the float32 numbers.
 */
#ifndef CAGSR_KERN_ORDERED_H
#define CAGSR_KERN_ORDERED_H

#include "kern/gemm.h"

/*
 * X (M, K), K a multiple of ORDERED_COLUMNS, in each order that somebody wants; NULL: nobody does.
 *     rows     X as the left operand of gemm_rows, gemm_nt and gemm_nn
 *     columns  X^T as the left operand of gemm_tn
 *     panels   X as the right operand of gemm_tn
 * Each is ordered_bytes(M, K) of the caller's, 64-byte aligned.
 */
struct ordered {
    size_t M, K;
    uint32_t *rows, *columns, *panels;
};

/* What is put together: rows, fewer where X is wanted by rows alone; and columns. */
enum { ORDERED_ROWS = 32, ORDERED_ROWS_ALONE = 16, ORDERED_COLUMNS = 64 };

/* 1 if products of k read operands in order: it rounds both, and has a unit. */
int ordered_wanted(const struct kern *k);

/* At most 2 M' K, M' being M in whole ORDERED_ROWS. */
size_t ordered_bytes(size_t M, size_t K);

/* How many rows are put together. */
size_t ordered_rows_of(const struct ordered *o);

/* Rows row..row+rows-1, columns col..col+cols-1 of X from x, rows ld apart, into all orders.  row is
 * a multiple of ordered_rows_of(o), and so are rows, unless they are the last of X; col
 * and cols of ORDERED_COLUMNS.  By the calling thread alone; others may put other rows or columns. */
void ordered_put(const struct ordered *o, const struct kern *k, const float *x,
                 size_t ld, size_t row, size_t rows, size_t col, size_t cols);

/* y (M, N) = X W^T, as gemm_rows; w is packed as KERN_BF16.  By rows. */
void ordered_rows(struct kern *k, float *y, size_t ldy, const struct ordered *x,
                  const struct gemm_weight *w);

/* The same in pairs, as gemm_rows_pairs; and as gemm_nt_pairs, W being (N, K).  By rows. */
int ordered_rows_pairs(struct kern *k, const struct gemm_pieces *to,
                       const struct ordered *x, const struct gemm_weight *w) MUST_CHECK;
int ordered_nt_pairs(struct kern *k, const struct gemm_pieces *to,
                     const struct ordered *x, const float *W, size_t ldw,
                     size_t N) MUST_CHECK;

/* y (M, N) = beta y + X W^T, as gemm_nt.  By rows. */
void ordered_nt(struct kern *k, float *y, size_t ldy, const struct ordered *x,
                const float *W, size_t ldw, size_t N, float beta);

/* dx (M, N) = beta dx + X W, as gemm_nn: W is (K, N).  By rows. */
void ordered_nn(struct kern *k, float *dx, size_t lddx, const struct ordered *dy,
                const float *W, size_t ldw, size_t N, float beta);

/* dW (K, N) = beta dW + X^T x, as gemm_tn: x is (M, N).  By columns. */
void ordered_tn_left(struct kern *k, float *dW, size_t lddw, const struct ordered *dy,
                     const float *x, size_t ldx, size_t N, float beta);

/* dW (N, K) = beta dW + dy^T X, as gemm_tn: dy is (M, N).  By panels. */
void ordered_tn_right(struct kern *k, float *dW, size_t lddw, const float *dy,
                      size_t lddy, const struct ordered *x, size_t N, float beta);

/* dW = beta dW + dy^T x, as gemm_tn: dW has dy's columns as rows, and x's as columns.  Of dy by
 * columns, of x by panels. */
void ordered_tn(struct kern *k, float *dW, size_t lddw, const struct ordered *dy,
                const struct ordered *x, float beta);

#endif
