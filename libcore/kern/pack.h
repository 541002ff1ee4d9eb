/*
 * Our own kernels for c = beta c + a b, where b comes in packed panels.
 *
 * Every element of c is computed alike, whatever is computed beside it: the depth K is cut
 * into blocks of pack_depth(K); within a block one chain acc = fma(a_k, b_k, acc) from 0,
 * k upwards; the blocks' sums are added to beta c in order.  So its bits depend on its
 * row of a and its column of b only: not on the number of rows, the place, the
 * partition, or threads.  AVX2 and AVX-512 give equal bits; ISA_PLAIN multiplies and
 * adds (no fma there).
 *
 * A panel is pack_width() columns of b: for each k, its numbers side by side, zeros
 * beyond the last column.  It is read front to back: memory sees one stream.
 */
#ifndef CAGSR_KERN_PACK_H
#define CAGSR_KERN_PACK_H

#include "kern/isa.h"

#include <stddef.h>

/* The length of a block: a multiple of 8, at most PACK_DEPTH, so that no block is much
 * shorter than the others (1536 is 3 x 512).  A depth of at most PACK_DEPTH is one block.  Longer ones
 * add to c less often; but a panel's has to stay in the caches while tiles go by. */
enum { PACK_DEPTH = 640 };
size_t pack_depth(size_t K);

/* Columns of a panel, and rows of a that are multiplied with it at once. */
size_t pack_width(enum isa isa);
size_t pack_height(enum isa isa);

/* Floats of all panels of N columns, K deep. */
size_t pack_floats(enum isa isa, size_t N, size_t K);

/* Panels from the N rows of W, ldw apart (b = W^T); one behind the other, K * pack_width()
 * floats each, 64-byte aligned. */
void pack_from_rows(enum isa isa, float *p, const float *W, size_t ldw, size_t N,
                    size_t K);

/* Row n of W back from the panels. */
void pack_row(enum isa isa, float *row, const float *p, size_t n, size_t K);

/* Some of the K rows of a matrix that are packed by columns: those from..to-1. */
struct pack_rows {
    size_t K, from, to;
};

/* The same from N columns of B, whose rows are ldb apart. */
void pack_from_columns(enum isa isa, float *p, const float *B, size_t ldb, size_t N,
                       struct pack_rows k);

/* The left operand: element (r, k) of the tile that begins at row m is
 * a[m * step + r * row + k * column]. */
struct pack_left {
    const float *a;
    size_t step, row, column;
};

/* 1 if it is tiles, of pack_left_tiles: else rows. */
static inline int is_tiles(const struct pack_left *a)
{
    return a->column != 1;
}

/* Rows that lie ld apart. */
static inline struct pack_left pack_left_rows(const float *a, size_t ld)
{
    return (struct pack_left){a, ld, ld, 1};
}

/* The same as tiles: what is copied, tile by tile, to `mem`, round_up(M, pack_height()) * K
 * floats; from M rows of A that lie ld apart, or, transposed, from M columns of A (K, M). */
struct pack_left pack_left_tiles(enum isa isa, const float *mem, size_t K);
void pack_tiles_from_rows(enum isa isa, float *mem, const float *A, size_t ld, size_t M,
                          size_t K);
void pack_tiles_from_columns(enum isa isa, float *mem, const float *A, size_t ld,
                             size_t M, struct pack_rows k);

/* c (M, N) = beta c + a (M, K) b, any K, in blocks of `depth`, that of the whole product,
 * pack_depth(K) where this is all of it; with beta 0, c need not be initialised.  The
 * panels of b lie `step` floats apart.  With the last of them the caches are asked for a panel that
 * comes `then`, as deep; NULL: for what lies behind. */
struct pack_product {
    float *c;
    struct pack_left a;
    const float *panels, *then;
    size_t ldc, step, M, N, K, depth;
    float beta;
};

/* Panel by panel, each of which stays in the first two caches while all tiles are multiplied with
 * it.  Safe from many threads on different parts of c. */
void pack_multiply(enum isa isa, const struct pack_product *p);

#endif
