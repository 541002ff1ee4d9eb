/*
 * ROUGE (Lin 2004) with the numbers of google-research's rouge_scorer: rougeN, rougeL,
 * and rougeLsum, which takes the lines of a text for its sentences.  The tokens are those
 * of tokens_cut, TOKENS_ROUGE or TOKENS_STEMS, of one table.  (rougeL does not see lines.)
 */
#ifndef CAGSR_METRICS_ROUGE_H
#define CAGSR_METRICS_ROUGE_H

#include "base/err.h"
#include "metrics/grams.h"
#include "metrics/tokens.h"

#include <stddef.h>
#include <stdint.h>

/* Each in 0..1; f = 2 precision recall / (precision + recall), 0 if both are. */
struct rouge {
    double precision, recall, f;
};

/* Scratch memory, kept from call to call; zeroed is empty. */
struct rouge_work {
    struct grams a, b;
    uint32_t *table;
    int32_t *spare; /* how often each token of either side is still to be matched */
    unsigned char *hit;
    size_t table_cap, spare_cap, hit_cap;
};
void rouge_release(struct rouge_work *w);

/* Shares of n-grams in common, counted with their multiplicity.  All: 0 where a side has
 * none; ERR_NOMEM only. */
int rouge_n(struct rouge *out, struct rouge_work *w, const struct tokens *target,
            const struct tokens *prediction, size_t n, struct err *e) MUST_CHECK;

/* By the longest common subsequence.  Time and memory: the product of the lengths, and
 * the prediction's. */
int rouge_l(struct rouge *out, struct rouge_work *w, const struct tokens *target,
            const struct tokens *prediction, struct err *e) MUST_CHECK;

/* hit (m) |= the places in a of one longest common subsequence of a (m) and b (n), other
 * (n, may be NULL) |= those in b.  Time and memory: m n.  ERR_NOMEM only. */
int rouge_mark(unsigned char *hit, unsigned char *other, struct rouge_work *w,
               const int32_t *a, size_t m, const int32_t *b, size_t n,
               struct err *e) MUST_CHECK;

/* Each line of the target against all lines of the prediction: the union of the longest
 * common subsequences, no token matched more often than it occurs. */
int rouge_lsum(struct rouge *out, struct rouge_work *w, const struct tokens *target,
               const struct tokens *prediction, struct err *e) MUST_CHECK;

/* Mean of rougeL's f over all pairs of n >= 2 texts. */
int rouge_consistency(double *out, struct rouge_work *w, const struct tokens *text,
                      size_t n, struct err *e) MUST_CHECK;

#endif
