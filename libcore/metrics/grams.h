/*
 * Multisets of n-grams, exact: every n-gram of a text as a pointer to its first token,
 * sorted, so that counting and comparing are merges.
 */
#ifndef CAGSR_METRICS_GRAMS_H
#define CAGSR_METRICS_GRAMS_H

#include "base/err.h"
#include "metrics/tokens.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty; memory is kept. */
struct grams {
    const int32_t **at; /* (count), sorted; they point into the texts */
    size_t count, cap;
    size_t n; /* tokens of each */
};
void grams_release(struct grams *g);

/* g becomes the n-grams (n >= 1) of `texts` texts together; none crosses from one text to
 * the next.  The texts must stay as they are while g is in use.  ERR_NOMEM only. */
int grams_of(struct grams *g, const struct tokens *text, size_t texts, size_t n,
             struct err *e) MUST_CHECK;

/* How many different ones there are. */
size_t grams_distinct(const struct grams *g);

/* sum over n-grams of min(count in a, count in b); both of the same n. */
size_t grams_shared(const struct grams *a, const struct grams *b);

/* out (a->count) = max(out, count in b) for the first place of each different n-gram of
 * a; other places stay as they are. */
void grams_most(size_t *out, const struct grams *a, const struct grams *b);

/* The end of the run of equal n-grams that begins at i. */
size_t grams_run(const struct grams *g, size_t i);

#endif
