/*
 * The loops of xent.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_XENT_SIMD_H
#define CAGSR_NN_XENT_SIMD_H

#include "nn/xent.h"

/* One job for both directions; each uses its members. */
struct xent_job {
    const struct kern *k;
    struct xent_sums *sums;
    float *dz;
    const float *z, *temperature, *lse, *entropy, *dlogp, *dentropy;
    const int32_t *target;
    size_t V, from; /* columns of z, and the first one's id */
};

ISA_DECLARE(xent_rows_add, (const struct xent_job *j, size_t from, size_t to));
ISA_DECLARE(xent_rows_back, (const struct xent_job *j, size_t from, size_t to));

#endif
