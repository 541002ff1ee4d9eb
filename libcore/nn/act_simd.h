/*
 * The loops of act.c and gated.c, for each instruction set (kern/isa.h).
 */
#ifndef CAGSR_NN_ACT_SIMD_H
#define CAGSR_NN_ACT_SIMD_H

#include "nn/act.h"

#include <stdint.h>

/* An exponential costs like a handful of floats moved. */
enum { ACT_COST = 4 };

/* One job for all of them; each uses its members.  Rows of F; with a gate so far apart, and what
 * it lets through lies `across` behind it in x, `dacross` in dx. */
struct act_job {
    const struct kern *k;
    float *y, *dx; /* on the way back through a gate y may be NULL */
    const float *x, *dy;
    const uint16_t *halves; /* x as bfloat16 */
    size_t F;
    size_t ldy, ldx, lddy, lddx, across, dacross;
    enum act act;
};

ISA_DECLARE(act_rows, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(act_rows_back, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(gated_rows, (const struct act_job *j, size_t from, size_t to));
ISA_DECLARE(gated_rows_back, (const struct act_job *j, size_t from, size_t to));
/* The same from halves, F a multiple of 16. */
ISA_DECLARE(gated_halves_back, (const struct act_job *j, size_t from, size_t to));

#endif
