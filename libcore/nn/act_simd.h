/*
 * The loops of act.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_ACT_SIMD_H
#define CAGSR_NN_ACT_SIMD_H

#include "nn/act.h"

/* One job for all of them; each uses its members.  Rows of F; with a gate, x and dx are
 * (rows, 2 F): gates, then what they let through. */
struct act_job {
    const struct kern *k;
    float *y, *dx;
    const float *x, *dy;
    size_t F;
    size_t ldy; /* rows of y, behind a gate */
    enum act act;
};

ISA_DECLARE(act_rows, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(act_rows_back, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(gated_rows, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(gated_rows_back, (const struct act_job *j, size_t from, size_t to));

#endif
