/*
 * The loops of linear.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_LINEAR_SIMD_H
#define CAGSR_NN_LINEAR_SIMD_H

#include "nn/linear.h"

/* y (M, N) += x, rows ldy and ldx apart; ldx 0: the same row for all, the bias. */
ISA_DECLARE(linear_add,
            (float *y, size_t ldy, const float *x, size_t ldx, size_t M, size_t N));

/* db (n) += the sum of the M rows of dy, in their order. */
ISA_DECLARE(linear_sum, (float *db, const float *dy, size_t ld, size_t M, size_t n));

#endif
