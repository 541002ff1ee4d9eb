/*
 * Reports: lines of named cells, as a table for people, as tab-separated values, or as
 * JSON lines.  All lines of one report have the same names.
 */
#ifndef CAGSR_CLI_CELLS_H
#define CAGSR_CLI_CELLS_H

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>

enum cells_form { CELLS_TABLE, CELLS_TSV, CELLS_JSON };
extern const char
    *const cells_form_names[]; /* table, tsv, json, NULL: for CLI_CHOICE */

/* The row of a tool's option table for an int member m of struct T, an enum cells_form. */
#define CELLS_OPTION(T, m)                                                             \
    {                                                                                  \
        "format", 'F', CLI_CHOICE, offsetof(T, m), "FORM",                             \
            "table (default), tsv or json lines", .choices = cells_form_names          \
    }

enum cell_kind {
    CELL_TEXT,
    CELL_REAL,   /* four digits that matter, in a table */
    CELL_SHARE,  /* four decimals */
    CELL_SIGNED, /* two decimals and a sign */
    CELL_COUNT,
};

/* A number that is NaN is "-" in a table, empty in TSV, null in JSON.  Texts in a table are
 * padded by what they take on a terminal; characters that would do something there are
 * dots.  The first column stands to the left, and so does a text in the last. */
struct cell {
    const char *name; /* of the column */
    enum cell_kind kind;
    const char *text; /* of CELL_TEXT */
    double x;         /* of the others */
    int marked;       /* a table shows a star behind it */
    int width; /* in a table: columns it takes at least; 0: 19 the first, others 9 */
};

/* Writes one line of n cells; `names` (not for JSON) puts the line of names above it.
 * Errors of writing show at cells_close. */
void cells_line(FILE *out, enum cells_form form, const struct cell *c, size_t n,
                int names);

/* A stream on fd, which stays the caller's.  ERR_IO. */
int cells_open(FILE **out, int fd, struct err *e) MUST_CHECK;

/* Closes it (NULL is fine); rc is the result so far.  Returns rc, or ERR_IO if something
 * was not written. */
int cells_close(FILE *out, int rc, struct err *e) MUST_CHECK;

#endif
