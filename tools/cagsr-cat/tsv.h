/*
 * Records as a table: tab-separated cells, one line each, names on top.
 */
#ifndef CAGSR_CAT_TSV_H
#define CAGSR_CAT_TSV_H

#include "select.h"

/* Appends the line of names. */
void tsv_names(struct rec_buf *out, const struct select *s);

/* Appends one record's line.  A cell is empty where there is no value or null; in text,
 * backslash, tab, newline and other controls are written \\ \t \n \r \xNN; what has parts
 * is JSON. */
void tsv_line(struct rec_buf *out, const struct select *s, const struct rec *r);

#endif
