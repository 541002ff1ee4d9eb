/*
 * In how many prompts a word occurs (F11):
 *
 *     idf(w) = ln((N + 1) / (df(w) + 1)) + 1
 *
 * An empty table gives every word idf 1: weights are then even.
 */
#ifndef CAGSR_REWARD_DF_H
#define CAGSR_REWARD_DF_H

#include "base/err.h"
#include "reward/words.h"

#include <stddef.h>

struct df;

int df_new(struct df **out, struct err *e) MUST_CHECK;
void df_free(struct df *d); /* NULL is fine */

/* One more prompt, in which each type of w occurs. */
int df_add(struct df *d, const struct words *w, struct err *e) MUST_CHECK;

/* Sets a word's count, or the number of prompts; for tables that are read. */
int df_set(struct df *d, const char *s, size_t n, size_t count,
           struct err *e) MUST_CHECK;
void df_set_docs(struct df *d, size_t N);

size_t df_docs(const struct df *d); /* N; 0 for NULL */
size_t df_count(const struct df *d, const char *s, size_t n);
double df_idf(const struct df *d, const char *s, size_t n); /* d NULL: 1 */

/* Words in the table, and the i-th in the order they came (borrowed until the next
 * addition); *count gets its df. */
size_t df_words(const struct df *d);
const char *df_word(const struct df *d, size_t i, size_t *count);

#endif
