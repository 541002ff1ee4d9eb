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
    float *y, *r_out, *dx;
    const float *x, *w, *r, *dy;
    size_t N, H, C, ldx, ldy;
    struct rmsnorm p;
    int in_place;                  /* dx is overwritten, not added to */
    const struct ordered *ordered; /* instead of y */
};

/* y, r_out from x;  r_out alone;  of rows from..to columns col..col+cols-1 of y, to j->y, from x and
 * r: of what is one vector a row;  dx from dy, x, r, and dw (C) += what these rows give to it (NULL: not
 * wanted). */
ISA_DECLARE(rmsnorm_rows, (const struct rmsnorm_job *j, size_t from, size_t to));
ISA_DECLARE(rmsnorm_scales, (const struct rmsnorm_job *j, size_t from, size_t to));
ISA_DECLARE(rmsnorm_some, (const struct rmsnorm_job *j, size_t from, size_t to,
                           size_t col, size_t cols));
ISA_DECLARE(rmsnorm_back,
            (const struct rmsnorm_job *j, size_t from, size_t to, float *dw));

#endif
