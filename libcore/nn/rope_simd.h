/*
 * The loop of rope.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_ROPE_SIMD_H
#define CAGSR_NN_ROPE_SIMD_H

#include "nn/rope.h"

struct rope_job {
    const struct kern *k;
    float *x;
    const float *cs;
    size_t ldx, H, D, R;
    float sign; /* 1 forward, -1 back */
};

ISA_DECLARE(rope_rows, (const struct rope_job *j, size_t from, size_t to));

#endif
