/*
 * The loops of attention.c, for each instruction set (kern/isa.h), and the layout of
 * keys and values that the way back shares.
 */
#ifndef CAGSR_NN_ATTENTION_SIMD_H
#define CAGSR_NN_ATTENTION_SIMD_H

#include "nn/attention.h"

enum { ATTN_PANEL = 16 }; /* positions side by side in a panel of keys (D, 16) */
enum { ATTN_LANES = 4 };  /* queries that go through the kernel together */

/* The panels of one position's vector x (D): element d at [d][place]. */
static inline void attn_panel_put(float *panels, size_t D, size_t at, const float *x)
{
    float *p = panels + at / ATTN_PANEL * ATTN_PANEL * D + at % ATTN_PANEL;

    for (size_t d = 0; d < D; d++)
        p[d * ATTN_PANEL] = x[d];
}

/* Positions that some query of the run sees. */
static inline size_t attn_seen(const struct attn_run *r)
{
    return r->all ? r->all : r->at + r->n;
}

struct attn_forward_job {
    const struct attn_shape *s;
    const struct attn_run *runs;
    size_t n, ldq, ldout;
    const struct attn_tap *tap;
    float *scratch;
    size_t per_worker; /* floats of it */
    enum isa isa;
};

/* Rows i0..i1-1 of a run with the heads of key/value head g, in scratch of its own. */
ISA_DECLARE(attn_forward_block, (const struct attn_forward_job *f, size_t run,
                                 size_t i0, size_t i1, size_t g, float *scratch));

#endif
