/*
 * The loop of attn_entropy(), for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_ATTN_ENTROPY_SIMD_H
#define CAGSR_ATTN_ENTROPY_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* *sum = sum a log a over a = row[pos[i]] >= 0, i < n; 0 log 0 = 0. */
ISA_DECLARE(attn_a_log_a,
            (double *sum, const double *row, const uint32_t *pos, size_t n));

#endif
