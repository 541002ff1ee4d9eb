/*
 * Porter's stemmer (M. F. Porter, "An algorithm for suffix stripping", Program 14, 1980)
 * with the extensions that NLTK's PorterStemmer has by default: a table of irregular
 * forms, -ied and -ies of short words, -alli, -fulli, -logi, and a laxer rule for y.
 * ROUGE scores "with stemming" are made with this variant.
 */
#ifndef CAGSR_METRICS_STEM_H
#define CAGSR_METRICS_STEM_H

#include <stddef.h>

/* Stems the n bytes of word in place; its new length, never above n.  Lower-case ASCII is
 * expected; digits, and any other byte, count as consonants.  Cannot fail. */
size_t stem_porter(char *word, size_t n);

#endif
