/*
 * Candidates as they are decoded together: sequences behind one prefix and behind others, each of one
 * query that stands somewhere else.
 */
#ifndef CAGSR_TESTS_STEPPING_H
#define CAGSR_TESTS_STEPPING_H

#include "nn/attention.h"

enum { PROMPTS = 2, CANDIDATES = 11, STEPPING = PROMPTS * CANDIDATES };

struct stepping {
    struct attn_shape s;
    size_t P, own, ld;
    float *q, *kv, *out, *lse, *scratch;
    struct attn_store prompt[PROMPTS], store[STEPPING];
    struct attn_run run[STEPPING];
};

/* All of s, behind prompts of P. */
void stepping_new(struct stepping *f, struct kern *k, struct attn_shape s, size_t P,
                  enum attn_keep keep);
void stepping_free(struct stepping *f);

/* An empty store of n positions; its k and v are to be freed. */
struct attn_store store_kept(const struct attn_shape *s, size_t n, enum attn_keep keep);

#endif
