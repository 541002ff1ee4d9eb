/*
 * The loops of xent.c and xent_kept.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_XENT_SIMD_H
#define CAGSR_NN_XENT_SIMD_H

#include "nn/xent.h"

/* One job for all directions; each uses its members. */
struct xent_job {
    const struct kern *k;
    struct xent_sums *sums;
    float *dz;
    const float *z, *temperature, *lse, *entropy, *dlogp, *dentropy;
    const int32_t *target;
    uint16_t *e; /* or NULL; what is kept of a part: nn/xent_kept.h */
    float *peak;
    size_t V, from; /* columns of z, and the first one's id */
};

ISA_DECLARE(xent_rows_add, (const struct xent_job *j, size_t from, size_t to));
ISA_DECLARE(xent_rows_back, (const struct xent_job *j, size_t from, size_t to));

/* A row's gradient from its kept e: what e is multiplied with, and what e log e is. */
struct xent_rate {
    float e, e_log_e;
};

/* dz (rows, cols), rows ld apart, from e, rows lde apart, and the rows' rates. */
ISA_DECLARE(xent_kept_block, (float *dz, size_t ld, const uint16_t *e, size_t lde,
                              const struct xent_rate *rate, size_t rows, size_t cols));

#endif
