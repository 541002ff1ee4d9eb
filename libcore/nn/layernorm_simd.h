/*
 * The loops of layernorm.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_LAYERNORM_SIMD_H
#define CAGSR_NN_LAYERNORM_SIMD_H

#include "nn/layernorm.h"

/* One job for both directions; each uses its members. */
struct layernorm_job {
    const struct kern *k;
    float *y, *m_out, *r_out, *dx;
    const float *x, *w, *b, *m, *r, *dy;
    size_t N, C;
    float eps;
};

/* y, m_out, r_out from x;  dx, and dw (C) and db (C) behind it += what these rows give to them
 * (dw NULL: neither is wanted). */
ISA_DECLARE(layernorm_rows, (const struct layernorm_job *j, size_t from, size_t to));
ISA_DECLARE(layernorm_back,
            (const struct layernorm_job *j, size_t from, size_t to, float *dw));

#endif
