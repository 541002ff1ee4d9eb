/*
 * The loops of attention.c, for each instruction set (kern/isa.h), and the layout of
 * keys and values that the way back shares.
 */
#ifndef CAGSR_NN_ATTENTION_SIMD_H
#define CAGSR_NN_ATTENTION_SIMD_H

#include "nn/attention.h"

enum { ATTN_PANEL = 16 }; /* positions side by side in a panel of keys (D, 16) */
enum { ATTN_LANES = 6 };  /* queries that go through a kernel together */
enum {
    ATTN_SET = 48
}; /* queries that a block of keys is kept in the first cache for */

/* Where element d of position `at` lies, of keys (D) and of values (cap positions). */
static inline size_t attn_key_at(size_t D, size_t at, size_t d)
{
    return at / ATTN_PANEL * ATTN_PANEL * D + d * ATTN_PANEL + at % ATTN_PANEL;
}

static inline size_t attn_value_at(size_t cap, size_t at, size_t d)
{
    return d / ATTN_PANEL * ATTN_PANEL * cap + at * ATTN_PANEL + d % ATTN_PANEL;
}

/* Positions whose keys the first cache holds while others use it too: whole panels. */
static inline size_t attn_block(size_t D)
{
    const size_t panels = 4096 / (ATTN_PANEL * D);

    return ATTN_PANEL * (panels ? panels : 1);
}

/* Positions that some query of the run sees. */
static inline size_t attn_seen(const struct attn_run *r)
{
    return r->all ? r->all : r->at + r->n;
}

/* n query rows, from row `row` of run `run` on; if they are of several runs, one behind the
 * other, these share their prefix. */
struct attn_rows {
    size_t run, row, n;
};

/* attn_store_put() for key/value head g alone. */
void attn_store_put_head(const struct attn_shape *s, const struct attn_store *st,
                         size_t g, size_t at, const float *k, const float *v,
                         size_t ldkv, size_t n);

struct attn_forward_job {
    const struct attn_shape *s;
    const struct attn_run *runs;
    size_t n, ldq, ldout;
    const struct attn_tap *tap;
    int rounds; /* stores are, and so is what they are multiplied with */
    const struct bf16_unit *unit; /* stores are ATTN_HALVES, and it multiplies them */
    float *scratch;
    size_t per_worker; /* floats of it */
    size_t most;       /* rows of a task */
    enum isa isa;
};

/* Some rows with the heads of key/value head g, in scratch of its own. */
ISA_DECLARE(attn_forward_rows, (const struct attn_forward_job *f, struct attn_rows rows,
                                size_t g, float *scratch));

#endif
