/*
 * What the candidates of one prompt say by themselves: overlap with the references,
 * repetition, copying, and how alike they are.  Seen by corpus.c only.
 */
#ifndef CAGSR_MEASURE_GROUP_H
#define CAGSR_MEASURE_GROUP_H

#include "measure/corpus.h"

struct group_work;
int group_work_new(struct group_work **out, struct err *e) MUST_CHECK;
void group_work_free(struct group_work *w); /* NULL is fine */

/* Candidate i of the group being read: its texts and tokens. */
int group_take(struct group_work *w, const struct corpus *c, const struct row *row,
               const struct sample *s, size_t i, struct err *e) MUST_CHECK;

/* Measures rows from..to-1, which were taken as candidates 0, 1, ... */
int group_measure(struct group_work *w, struct corpus *c, size_t from, size_t to,
                  struct err *e) MUST_CHECK;

#endif
