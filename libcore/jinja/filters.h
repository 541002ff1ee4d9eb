/*
 * Filters: what stands behind |.
 */
#ifndef CAGSR_JINJA_FILTERS_H
#define CAGSR_JINJA_FILTERS_H

#include "jinja/call.h"

/* The row of a filter, NULL if there is none of this name.  Rows without function are
 * Jinja's filters that are not supported. */
const struct builtin *filter_find(const struct str *name);

/* Three tables, ended by a NULL name: of texts and numbers (filters_text.c), of sequences
 * (filters_seq.c), those that pick and order by a test or an attribute
 * (filters_pick.c). */
extern const struct builtin filters_text[], filters_seq[], filters_pick[];

#endif
