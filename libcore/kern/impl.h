/* Private part: what the files of kern/ share.  Nobody else includes it. */
#ifndef CAGSR_KERN_IMPL_H
#define CAGSR_KERN_IMPL_H

#include "kern/bf16.h"
#include "kern/blas_load.h"
#include "kern/gemm.h"

enum { KERN_NAME = 160 };

/* A piece of a product (struct gemm_pieces): at most so many floats; of many rows so many rows
 * and columns, of each half if there are two, whole panels of every kind. */
enum {
    PIECE_ROWS = 256, /* of a unit; */
    PIECE_ROWS_FLOAT =
        128, /* without: a's rows are twice as long, and go by for each piece */
    PIECE_COLS = 64,
    PIECE_FLOATS = 2 * PIECE_COLS * PIECE_ROWS,
};

struct kern {
    struct par *par;
    enum isa isa;
    enum isa orders; /* whose loops put operands of the unit in order: kern/bf16.h */
    enum kern_backend backend;
    enum kern_dtype dtype;
    const struct bf16_unit *unit; /* NULL: none, or KERN_F32 */
    int both;                     /* both operands are rounded: KERN_BF16 */
    struct blas blas;             /* KERN_OPENBLAS */
    int blas_openmp;              /* OpenBLAS built on OpenMP: see blas_init */
    float *pieces;                /* (threads, PIECE_FLOATS) */
    float *scratch; /* of all threads: kern/product.c, or padded tiles in kern/blas.c */
    size_t scratch_floats;
    char name[KERN_NAME];
};

/* Grows the scratch to at least this many floats, 64-byte aligned, contents lost. */
int kern_scratch(struct kern *k, size_t n, struct err *e) MUST_CHECK;

/* par_for, but in the caller alone where that is faster than waking the others. */
void kern_share(const struct kern *k, size_t multiplications, size_t n,
                void (*fn)(void *ctx, size_t i, size_t worker), void *ctx);

/* c (rows, cols) = beta c + op(a) op(b), summed over depth: a is (rows, depth) or, with
 * TRANS_A, (depth, rows); b is (depth, cols) or, with TRANS_B, (cols, depth), or panels of
 * the whole depth with PACKED_B, or, with PACKED_B and b NULL, `pairs`: of kern/narrow.h, or
 * of kern/bf16.h if k has a unit.  With ROUNDED in bf16 arithmetic.  With PAIRS, of columns half
 * of cols apart, of which both go to `to` at once: not with panels still to be packed from
 * columns.  With PAST c is not read again soon. */
enum { TRANS_A = 1, TRANS_B = 2, PACKED_B = 4, ROUNDED = 8, PAIRS = 16, PAST = 32 };
struct product {
    const struct kern *k;
    unsigned how;
    const float *a, *b;
    float *c;
    size_t lda, ldb, ldc, rows, cols, depth;
    float beta;
    const uint32_t *pairs;
    const struct gemm_pieces *to; /* instead of c, by way of memory of a thread */
    const uint32_t *left;         /* instead of a: for the unit, of the whole depth */
};

/* KERN_PACK: product.c.  Floats of scratch; the product, depth > 0. */
size_t product_scratch(const struct kern *k);
void product_multiply(const struct product *p);

/* 1 if p->to can have it: halves consist of whole panels, and the scratch is enough for the whole
 * depth. */
int product_pieces(const struct product *p);

/* 1 if pieces of the product were handed to p.to, rounded if k rounds both; 0: they cannot be had, or
 * there are none.  gemm.c. */
int gemm_hand_on(struct product p) MUST_CHECK;

/* gemm_rows and gemm_rows_pairs, x of M rows being in order for the unit: gemm.c. */
void gemm_rows_left(struct kern *k, float *y, size_t ldy, const uint32_t *left,
                    size_t M, const struct gemm_weight *w);
int gemm_rows_pairs_left(struct kern *k, const struct gemm_pieces *to,
                         const uint32_t *left, size_t M,
                         const struct gemm_weight *w) MUST_CHECK;

/* KERN_OPENBLAS: blas.c.  blas_init loads it and sets one thread per call; the name is then e.g.
 * "openblas-0.3.21/SkylakeX"; the rest as gemm.h's, K > 0 and depth > 0. */
int blas_init(struct kern *k, struct err *e) MUST_CHECK;
void blas_name(const struct kern *k, char *name, size_t size);
int blas_pack(struct gemm_weight *w, struct kern *k, const float *W, size_t ldw,
              size_t N, size_t K, struct err *e) MUST_CHECK;
void blas_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w);
void blas_multiply(const struct product *p);

#endif
