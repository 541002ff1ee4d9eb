/*
 * One case of golden/rl/expected.json: named numbers and lists of them, and comparison
 * with what was got.  What is missing ends the test.
 */
#ifndef CAGSR_TESTS_CASES_H
#define CAGSR_TESTS_CASES_H

#include "base/json.h"
#include "rl/seqs.h"

#include <stddef.h>

enum { CASE_MAX = 4096, CASE_LISTS = 24 }; /* numbers of a list; lists read of a case */

/* A list of lists sets s, the lengths of the sequences. */
struct gold {
    const json_t *params, *in, *out;
    char name[64];
    size_t off[CASE_MAX + 1];
    struct seqs s;
    double left[CASE_LISTS][CASE_MAX]; /* lists read */
    size_t used;
};

/* Checks one case of this kind; NULL: another test does. */
struct case_kind {
    const char *kind;
    void (*check)(struct gold *g);
};

/* Every case of golden/rl/expected.json goes to its kind's check; a kind that is not
 * among the n fails, as does one of the n that no case is of. */
void cases_run(const struct case_kind *kind, size_t n);

/* The same, but kinds that are not among the n are another test's. */
void cases_run_some(const struct case_kind *kind, size_t n);

const json_t *case_member(const json_t *o, const char *key);
double case_number(const json_t *o, const char *key);
double case_number_or(const json_t *o, const char *key,
                      double none); /* null means none */
size_t case_length(const json_t *o, const char *key);

/* Flattens a list, or a list of lists (then g->s gets the offsets); null is NaN.  It
 * belongs to g. */
double *case_array(struct gold *g, const json_t *o, const char *key);

/* The group of every sequence. */
void case_groups(struct gold *g, size_t *out);

/* What was got against the case's output of that name, to 1e-9. */
void case_expect(struct gold *g, const char *key, const double *got);
void case_expect_number(struct gold *g, const char *key, double got);

#endif
