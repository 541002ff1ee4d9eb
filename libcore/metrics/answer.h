/*
 * Answers that are right or wrong: SQuAD's exact match and F1, GSM8K's final number.
 */
#ifndef CAGSR_METRICS_ANSWER_H
#define CAGSR_METRICS_ANSWER_H

#include "base/err.h"
#include "metrics/grams.h"
#include "metrics/tokens.h"

#include <stddef.h>

/* 1 if the tokens (TOKENS_ANSWER) are the same, else 0. */
int answer_exact(const struct tokens *gold, const struct tokens *given);

/* Harmonic mean of precision and recall of the tokens; two empty answers agree.  a, b:
 * scratch memory.  ERR_NOMEM only. */
int answer_f1(double *out, struct grams *a, struct grams *b, const struct tokens *gold,
              const struct tokens *given, struct err *e) MUST_CHECK;

/* A number in one form: no sign but a minus, no commas, no zeros that say nothing. */
enum { ANSWER_NUMBER = 64 };

/* The final number of a GSM8K solution (n bytes): what stands behind the last '####', or
 * else the last number of the text.  1 with *out set, 0 if there is none. */
int answer_number(char out[ANSWER_NUMBER], const char *text, size_t n);

/* 1 if the text names its answer with '####'. */
int answer_is_marked(const char *text, size_t n);

/* Steps of a solution: lines that hold a letter or digit, without the one with '####';
 * a text of one such line is counted by its sentences. */
size_t answer_steps(const char *text, size_t n);

#endif
