/*
 * Texts as lists of numbers: each distinct token of a table gets an index, so that what
 * compares texts compares integers.  Lists made with one table belong together.
 */
#ifndef CAGSR_METRICS_TOKENS_H
#define CAGSR_METRICS_TOKENS_H

#include "base/err.h"
#include "reward/strtab.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty; memory is kept from text to text. */
struct tokens {
    int32_t *id; /* (n) */
    size_t n, cap;
    size_t *line; /* (lines) where in id each line of the text ends */
    size_t lines, lines_cap;
    /* private */
    char *word; /* the token being made */
    size_t word_n, word_cap;
};
void tokens_release(struct tokens *t);

/* How a text is cut:
 *   SPACES   at white space (Unicode's), nothing changed: distinct-n, rep-n, BLEU
 *   ROUGE    as google-research's rouge_scorer: lower case, runs of [a-z0-9]
 *   STEMS    the same, tokens of more than 3 characters stemmed (stem.h)
 *   ANSWER   as SQuAD's evaluation: lower case, no ASCII punctuation, no a, an, the */
enum tokens_how { TOKENS_SPACES, TOKENS_ROUGE, TOKENS_STEMS, TOKENS_ANSWER };

/* t becomes the tokens of text (n bytes; what is not UTF-8 separates), added to tab.
 * ERR_NOMEM only. */
int tokens_cut(struct tokens *t, struct strtab *tab, enum tokens_how how,
               const char *text, size_t n, struct err *e) MUST_CHECK;

/* t becomes these numbers, all one line: for texts that are tokens already. */
int tokens_take(struct tokens *t, const int32_t *id, size_t n,
                struct err *e) MUST_CHECK;

#endif
