/*
 * Every way of computing products that this build and processor have, and weights for them.
 */
#ifndef CAGSR_TESTS_PRODUCTS_H
#define CAGSR_TESTS_PRODUCTS_H

#include "kern/gemm.h"

#include <stddef.h>
#include <stdint.h>

enum { WAYS = 15 };
extern const struct kern_opts ways[WAYS];

/* Both operands rounded: bf16 arithmetic. */
int rounds_both(int way);

/* Emulation takes a hundred times as long, of whole tiles: not everything is done so. */
int is_too_long(int way, size_t M, size_t N, size_t K);

/* A weight with its memory. */
struct packed {
    struct gemm_weight w;
    float *W, *mem;
};

/* W (N, K), which is taken over, packed as `type`; normals of that seed as k has it, and then W is
 * what the product computes with. */
struct packed pack_as(struct kern *k, float *W, size_t N, size_t K,
                      enum kern_dtype type);
struct packed weight(struct kern *k, size_t N, size_t K, uint64_t seed);
void weight_free(struct packed *p);

/* x (n), as the product computes with it; to be freed. */
float *as_seen(int way, const float *x, size_t n);

#endif
