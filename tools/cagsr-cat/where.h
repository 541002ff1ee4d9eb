/*
 * --where: which records, by simple comparisons.
 *
 *     PATH            the field is there and neither null nor false
 *     !PATH           it is not
 *     PATH OP VALUE   OP one of == (or =), !=, <, <=, >, >=, and ~ for "contains"
 *
 * A path is that of --fields.  VALUE is a number, true, false, null, or a text, which may
 * stand in double quotes.  Texts compare by bytes, numbers as numbers; a field of another
 * type, or none, is unequal to any value but null and neither below nor above it.
 */
#ifndef CAGSR_CAT_WHERE_H
#define CAGSR_CAT_WHERE_H

#include "rec/record.h"

struct where_test;

/* Several tests hold together.  Zeroed is none: every record passes. */
struct where {
    struct where_test *test;
    size_t n;
};

/* Adds a test.  ERR_USAGE: no path, no value. */
int where_add(struct where *w, const char *text, struct err *e) MUST_CHECK;
void where_release(struct where *w);

/* 1 if the record passes all tests. */
int where_holds(const struct where *w, const struct rec *r);

#endif
