/*
 * Cosine of tf-idf vectors: what two texts have in common by their content words, weighed
 * by how rare a word is.  Words are those of reward/words.h (case-folded, Unicode) without
 * English function words; weight = times in the text * idf (reward/df.h, F11).
 */
#ifndef CAGSR_METRICS_TFIDF_H
#define CAGSR_METRICS_TFIDF_H

#include "base/err.h"
#include "reward/df.h"
#include "reward/strtab.h"
#include "reward/words.h"

#include <stddef.h>
#include <stdint.h>

/* A vector of length 1, by ascending word; or without entries.  Zeroed is empty. */
struct tfidf {
    struct tfidf_entry {
        uint32_t word; /* of the table the vector was made with */
        float weight;
    } * entry; /* (n) */
    size_t n, cap;
};
void tfidf_release(struct tfidf *v);

/* v becomes the vector of the words w, which are added to tab.  df NULL: every idf is 1.
 * ERR_NOMEM only. */
int tfidf_of(struct tfidf *v, struct strtab *tab, const struct words *w,
             const struct df *df, struct err *e) MUST_CHECK;

/* 0..1; 0 if one of them has no entries.  Both were made with one table. */
double tfidf_cosine(const struct tfidf *a, const struct tfidf *b);

#endif
