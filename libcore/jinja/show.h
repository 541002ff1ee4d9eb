/*
 * Values as text: Python's str() and repr(), and JSON.  Characters that come from strings
 * keep their marks.
 */
#ifndef CAGSR_JINJA_SHOW_H
#define CAGSR_JINJA_SHOW_H

#include "jinja/value.h"

/* str(v): undefined is nothing, none is "None".  ERR_RECORD for what shows an address
 * there (a macro, a generator): it would differ from run to run. */
int show_str(struct interp *in, struct value v, const struct str **out) MUST_CHECK;

/* The same into a buffer, and repr(v). */
int show_put_str(struct buf *b, struct value v) MUST_CHECK;
int show_put_repr(struct buf *b, struct value v) MUST_CHECK;

/* Shortest digits that read back as f, as Python writes them ("1e+16", "0.1", "nan").
 * NUL-terminated. */
enum { SHOW_DOUBLE = 40 };
void show_double(char out[SHOW_DOUBLE], double f);

/* json.dumps. */
struct show_json {
    int ascii;                       /* ensure_ascii */
    const struct str *indent;        /* NULL: one line */
    const struct str *comma, *colon; /* separators */
    int sort;                        /* sort_keys */
};
int show_put_json(struct buf *b, struct value v, const struct show_json *j) MUST_CHECK;

#endif
