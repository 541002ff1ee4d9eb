/*
 * n-grams of token ids: repetition within a response (F5), copying from a history (F6).
 *
 * A hash table holds places, not hashes: equality is decided by comparing the tokens,
 * so counts are exact, and the time is linear in the number of tokens times n.
 */
#ifndef CAGSR_REWARD_NGRAM_H
#define CAGSR_REWARD_NGRAM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Memory for the tables, kept from call to call; zeroed is empty.  One per thread. */
struct ngram_table {
    uint32_t *slot;
    size_t slots, mask; /* mask: of the part in use */
};
void ngram_table_release(struct ngram_table *t);

/* n-grams and distinct n-grams of ids (T); both 0 if T < n.  n >= 1, T < 2^32.
 * ERR_NOMEM only. */
struct ngram_count {
    size_t total, distinct;
};
int ngram_count(struct ngram_count *out, struct ngram_table *t, const int32_t *ids,
                size_t T, size_t n, struct err *e) MUST_CHECK;

/* rep_n = 1 - distinct / total, 0 without n-grams. */
double ngram_repetition(struct ngram_count c);

/* found of total n-grams of ids (T) that occur in history (H), with n cut to H.  Both 0
 * if T < n or H == 0.  mark (T, may be NULL): set to 1 for every token inside a found
 * n-gram, other entries are left alone. */
struct ngram_found {
    size_t total, found;
};
int ngram_contained(struct ngram_found *out, unsigned char *mark, struct ngram_table *t,
                    const int32_t *ids, size_t T, const int32_t *history, size_t H,
                    size_t n, struct err *e) MUST_CHECK;

/* ctn_n = found / total, 0 without n-grams. */
double ngram_containment(struct ngram_found f);

/* mark (T): 1 for every token inside an n-gram that was seen before in ids; other
 * entries are left alone. */
int ngram_mark_repeats(unsigned char *mark, struct ngram_table *t, const int32_t *ids,
                       size_t T, size_t n, struct err *e) MUST_CHECK;

/* max(0, x - free) / (1 - free): what lies above a free allowance, 0 <= free < 1. */
double ngram_excess(double x, double free_share);

#endif
