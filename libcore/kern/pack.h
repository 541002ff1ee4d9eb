/*
 * Our own kernels for y = x W^T with few rows of x, batch-invariant by construction:
 * an element of y is one chain  acc = fma(x_k, w_k, acc),  k = 0, 1, ... K-1, from 0,
 * in every kernel, so its bits cannot depend on which rows were computed beside it.
 * AVX2 and AVX-512 give equal bits; ISA_PLAIN multiplies and adds (no fma there).
 *
 * W is packed in panels of pack_width() outputs: of each panel, for each k, the weights
 * of its outputs side by side (zeros beyond N).  A panel is read once, front to back,
 * for all rows: memory sees one stream.
 */
#ifndef CAGSR_KERN_PACK_H
#define CAGSR_KERN_PACK_H

#include "kern/isa.h"

#include <stddef.h>

/* Outputs per panel. */
size_t pack_width(enum isa isa);

/* Floats of a packed (N, K). */
size_t pack_floats(enum isa isa, size_t N, size_t K);

/* Packs panel j of W (N, K) to its place in `packed` (64-byte aligned). */
void pack_panel(enum isa isa, float *packed, size_t j, const float *W, size_t ldw,
                size_t N, size_t K);

/* Columns of panel j of y (M, N) = x W^T.  Safe from many threads on different j. */
void pack_multiply(enum isa isa, float *y, size_t ldy, const float *x, size_t ldx,
                   const float *packed, size_t j, size_t M, size_t N, size_t K);

#endif
