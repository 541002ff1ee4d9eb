/*
 * The loops of xent.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_XENT_SIMD_H
#define CAGSR_NN_XENT_SIMD_H

#include "nn/xent.h"

/* One job for both directions; each uses its members. */
struct xent_job {
    const struct kern *k;
    float *logp, *entropy_out, *lse_out, *dz;
    const float *z, *temperature, *lse, *entropy, *dlogp, *dentropy;
    const int32_t *target;
    size_t V;
};

ISA_DECLARE(xent_rows, (const struct xent_job *j, size_t from, size_t to));
ISA_DECLARE(xent_rows_back, (const struct xent_job *j, size_t from, size_t to));

#endif
