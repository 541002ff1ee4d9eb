/*
 * The one seam for dense products.  All matrices are row-major float32; a weight W is
 * (N, K): N outputs, K inputs, as checkpoints store it.  M is the number of rows.
 *
 * A struct kern of KERN_BF16 that rounds both operands (kern/kern.h) computes in bf16
 * arithmetic (kern/bf16.h): all products but those with weights packed as KERN_F32.
 *
 * Two ways, for two needs:
 *
 * gemm_rows is batch-invariant.  The bits of a row of y depend on that row of x and on
 * W alone: not on M, not on the row's place or its neighbours, not on threads.  It is
 * the only product on the sampling path, for prefill and decoding alike.  Weights are
 * packed once.
 *
 * gemm_nt, gemm_nn, gemm_tn are for many rows (scoring, training) and for weights that
 * change.  For given shapes the result is the same at any number of threads and in any
 * run.  With KERN_PACK, gemm_nt gives the bits of gemm_rows (so a scored row is the
 * sampled one); OpenBLAS sums in an order of its own that differs with M.
 *
 * Shapes are the caller's to check, once, at load: kernels cannot fail.  M, N or K may
 * be 0 (a sum over nothing is 0).  Outputs may not overlap inputs.  A struct kern runs
 * one product at a time; do not call these from inside par_for on the same pool.
 */
#ifndef CAGSR_KERN_GEMM_H
#define CAGSR_KERN_GEMM_H

#include "base/err.h"
#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

/* A weight made ready for gemm_rows.  Fields are private but for N and K. */
struct gemm_weight {
    size_t N, K;
    float *panels;   /* packed, in the caller's memory (kern/pack.h), */
    uint32_t *pairs; /* or as bfloat16 (kern/narrow.h), */
    const float *W;  /* or W itself, borrowed, */
    size_t ld;       /* its rows so far apart */
};

/* Bytes that gemm_pack needs for an (N, K) weight kept as `type`; 0 where W is only
 * borrowed.  A multiple of 64. */
size_t gemm_pack_bytes(const struct kern *k, size_t N, size_t K, enum kern_dtype type);

/* Packs W (N, K), rows ldw apart, into mem: gemm_pack_bytes() bytes, 64-byte aligned,
 * owned by the caller, alive as long as w.  With KERN_BF16 numbers are rounded to that
 * type.  Products with it have the bits that the rounded W has with KERN_F32, unless k
 * rounds both operands.  Where gemm_pack_bytes() is 0, W itself must stay alive and
 * unchanged; otherwise it may go.  ERR_NOMEM, or ERR_FILE if the library
 * refuses the shape; then w is zeroed. */
int gemm_pack(struct gemm_weight *w, struct kern *k, void *mem, const float *W,
              size_t ldw, size_t N, size_t K, enum kern_dtype type,
              struct err *e) MUST_CHECK;

/* The same in pieces, for a W that is never whole in memory: gemm_pack_bytes() must not be
 * 0.  Begins a weight of zeros; then rows n0..n0+n-1 of W, n0 a multiple of GEMM_PIECE, by
 * the calling thread alone, which may be one of par_for's. */
enum { GEMM_PIECE = 192 };
void gemm_pack_begin(struct gemm_weight *w, void *mem, size_t N, size_t K,
                     enum kern_dtype type);
void gemm_pack_rows(const struct gemm_weight *w, const struct kern *k, const float *W,
                    size_t ldw, size_t n0, size_t n);

/* Rows n0..n0+n-1 of W as a weight of their own, which lives in w's memory; n0 a multiple of
 * GEMM_PIECE. */
struct gemm_weight gemm_slice(const struct gemm_weight *w, const struct kern *k,
                              size_t n0, size_t n);

/* Rows n0..n0+n-1 of W as they were packed (or are, where W is borrowed), to out, ldo
 * apart. */
void gemm_unpack(const struct gemm_weight *w, const struct kern *k, float *out,
                 size_t ldo, size_t n0, size_t n);

/* Forgets w (a zeroed one is fine); the memory stays the caller's. */
void gemm_weight_release(struct gemm_weight *w);

/* y (M, N) = x (M, K) W^T.  y is overwritten. */
void gemm_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w);

/*
 * Products for whoever wants what comes of y rather than y: pieces are handed on while they are in
 * a cache near by.
 */

/* Rows row..row+rows-1, columns col..col+cols-1 of y: x (rows, cols), rows ld apart.  Of pairs, y
 * (M, 2 F) whose columns belong together F apart: columns col.. with col < F, and F + col..,
 * which lie `across` floats behind the others of their row. */
struct gemm_piece {
    float *x;
    size_t ld, across;
    size_t row, rows, col, cols;
};

/* Who takes pieces: they cover y once; many threads call at a time.  A piece is the taker's to
 * write on.  Where operands can be in order (kern/ordered.h) row is a multiple of 32, and so are
 * rows but the last. */
struct gemm_pieces {
    void (*take)(void *ctx, const struct gemm_piece *p);
    void *ctx;
};

/* gemm_rows, in pairs.  1, or 0 and nothing was handed on: with OpenBLAS, where halves end within
 * panels, and where a row of the depth is too much for the scratch. */
int gemm_rows_pairs(struct kern *k, const struct gemm_pieces *to, const float *x,
                    size_t ldx, size_t M, const struct gemm_weight *w) MUST_CHECK;

/* y (M, N) = beta y + x (M, K) W^T.   With beta 0, y need not be initialised. */
void gemm_nt(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta);

/* gemm_nt with beta 0, in pairs; 1 or 0 as gemm_rows_pairs. */
int gemm_nt_pairs(struct kern *k, const struct gemm_pieces *to, const float *x,
                  size_t ldx, const float *W, size_t ldw, size_t M, size_t N,
                  size_t K) MUST_CHECK;

/* dx (M, K) = beta dx + dy (M, N) W:   the gradient of the input. */
void gemm_nn(struct kern *k, float *dx, size_t lddx, const float *dy, size_t lddy,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta);

/* gemm_nn with beta 0, in pieces; 1 or 0 as gemm_rows_pairs. */
int gemm_nn_pieces(struct kern *k, const struct gemm_pieces *to, const float *dy,
                   size_t lddy, const float *W, size_t ldw, size_t M, size_t N,
                   size_t K) MUST_CHECK;

/* dW (N, K) = beta dW + dy (M, N)^T x (M, K):   the gradient of the weight.  A large one that is not
 * added to is not in the caches afterwards, with a unit. */
void gemm_tn(struct kern *k, float *dW, size_t lddw, const float *dy, size_t lddy,
             const float *x, size_t ldx, size_t M, size_t N, size_t K, float beta);

#endif
