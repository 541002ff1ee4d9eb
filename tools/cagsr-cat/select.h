/*
 * --fields a,b.c: parts of a record by their paths.
 *
 * A path is a field's name, or names with dots between them that lead into maps, numbers
 * leading into arrays.  A field whose name is the whole path comes first.
 */
#ifndef CAGSR_CAT_SELECT_H
#define CAGSR_CAT_SELECT_H

#include "rec/record.h"

struct select {
    char **path;
    size_t n, cap;
};

/* Splits "a,b.c" at the commas.  ERR_USAGE for an empty part. */
int select_parse(struct select *s, const char *text, struct err *e) MUST_CHECK;

/* Takes the record's own: every scalar field, and every scalar in a map one level down
 * (rewards.coverage).  What a table shows when nobody says what. */
int select_scalars(struct select *s, const struct rec *r, struct err *e) MUST_CHECK;

void select_release(struct select *s);

/* The value a path leads to, or REC_NONE. */
struct rec_value select_find(const struct rec *r, const char *path);

/* out becomes a record with just these fields, named by their paths. */
void select_apply(const struct select *s, struct rec *out, const struct rec *r);

#endif
