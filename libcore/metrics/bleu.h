/*
 * BLEU of one sentence (Papineni et al. 2002) with the numbers of NLTK's sentence_bleu,
 * uniform weights up to N, smoothing method 1 of Chen and Cherry (2014); and self-BLEU
 * (Zhu et al., Texygen, 2018): how much texts repeat each other.
 */
#ifndef CAGSR_METRICS_BLEU_H
#define CAGSR_METRICS_BLEU_H

#include "base/err.h"
#include "metrics/grams.h"
#include "metrics/tokens.h"

#include <stddef.h>

enum { BLEU_MAX = 8 };

/* Scratch memory, kept from call to call; zeroed is empty. */
struct bleu_work {
    struct grams hyp, ref;
    size_t *most;
    size_t most_cap;
};
void bleu_release(struct bleu_work *w);

/* BLEU, 0..1, of text[i] against the other texts of n >= 2, with n-grams up to N <=
 * BLEU_MAX.  ERR_NOMEM only. */
int bleu_against_others(double *out, struct bleu_work *w, const struct tokens *text,
                        size_t n, size_t i, size_t N, struct err *e) MUST_CHECK;

/* Its mean over the texts. */
int bleu_self(double *out, struct bleu_work *w, const struct tokens *text, size_t n,
              size_t N, struct err *e) MUST_CHECK;

#endif
