/*
 * --schema: which fields a stream has.  A line for each kind, field (maps one level down)
 * and type: how many records have it, and the range of its lengths where it has parts.
 *
 *     kind    field             type   records  parts
 *     sample  rewards.coverage  float  800
 *     sample  ids               array  800      3..64
 */
#ifndef CAGSR_CAT_SCHEMA_H
#define CAGSR_CAT_SCHEMA_H

#include "rec/record.h"

struct schema_row {
    char *kind, *field;
    const char *type;
    size_t records, least, most; /* parts */
};

struct schema {
    struct schema_row *row;
    size_t n, cap;
};

/* Counts a record in.  ERR_NOMEM; ERR_RECORD: more than 4096 different fields. */
int schema_add(struct schema *s, const struct rec *r, struct err *e) MUST_CHECK;

/* The table, in the order in which fields were met. */
void schema_print(const struct schema *s, struct rec_buf *out);
void schema_release(struct schema *s);

#endif
