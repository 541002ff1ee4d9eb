/*
 * The loops of rmsnorm.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_RMSNORM_SIMD_H
#define CAGSR_NN_RMSNORM_SIMD_H

#include "nn/rmsnorm.h"

/* One job for both directions; each uses its members.  Row n has H vectors of C floats
 * side by side, ldx apart in x and ldy in y, dy and dx; dx may be dy. */
struct rmsnorm_job {
    const struct kern *k;
    float *y, *r_out, *dx, *dw;
    const float *x, *w, *r, *dy;
    size_t N, H, C, ldx, ldy;
    struct rmsnorm p;
    int in_place; /* dx is overwritten, not added to */
};

/* y, r_out from x;  dx from dy, x, r;  dw over all rows, for columns from..to. */
ISA_DECLARE(rmsnorm_rows, (const struct rmsnorm_job *j, size_t from, size_t to));
ISA_DECLARE(rmsnorm_dx, (const struct rmsnorm_job *j, size_t from, size_t to));
ISA_DECLARE(rmsnorm_dw, (const struct rmsnorm_job *j, size_t from, size_t to));

#endif
