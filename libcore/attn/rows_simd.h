/*
 * The loops over rows of attention, for each instruction set (kern/isa.h).
 *
 * A (steps,P) is row-major; pos (n) are the columns that count.  A lane is a row, so that
 * the sums of a row are made in one order, whatever stands beside it.
 */
#ifndef CAGSR_ATTN_ROWS_SIMD_H
#define CAGSR_ATTN_ROWS_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* For each row t, over its a = A[t][pos[i]] >= 0: mass[t] = sum a, a_log_a[t] = sum a log a
 * with 0 log 0 = 0. */
ISA_DECLARE(attn_sums, (double *mass, double *a_log_a, const double *A, size_t P,
                        size_t steps, const uint32_t *pos, size_t n));

/* *top = the largest mass of a row, *step = the first row that has it; 0 and 0 if all are
 * 0. */
ISA_DECLARE(attn_peak, (double *top, size_t *step, const double *A, size_t P,
                        size_t steps, const uint32_t *pos, size_t n));

/* A (n) = x (n). */
ISA_DECLARE(attn_doubles, (double *A, const float *x, size_t n));

/* *good = 1 if every x (n) is a finite number from 0, else 0. */
ISA_DECLARE(attn_all_good, (int *good, const double *x, size_t n));

#endif
