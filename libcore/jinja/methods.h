/*
 * Methods of strings, lists and dictionaries.
 */
#ifndef CAGSR_JINJA_METHODS_H
#define CAGSR_JINJA_METHODS_H

#include "jinja/call.h"
#include "jinja/casing.h"

/* The row of v's method of this name; NULL if its type has none. */
const struct builtin *methods_find(struct value v, const struct str *name);

/* 1 for names of methods that would change v: the sandbox does not have them. */
int methods_unsafe(struct value v, const struct str *name);

/* The rows for strings (methods_str.c, methods_cut.c), ended by a NULL name. */
extern const struct builtin methods_str[], methods_cut[];

/* str.islower, str.isupper: a character of kind `want`, none of kind `never`. */
int methods_is_cased(const struct str *s, enum char_kind want, enum char_kind never);

/* str.splitlines; keep: the line ends too. */
int methods_lines(struct interp *in, const struct str *s, int keep,
                  struct value *out) MUST_CHECK;

/* str.center: spaces on both sides up to `width` characters. */
int methods_center(struct interp *in, const struct str *s, int64_t width,
                   struct value *out) MUST_CHECK;

/* sep.join(items): all are strings; ERR_RECORD for others. */
int methods_join(struct interp *in, const struct str *sep, const struct value *items,
                 size_t n, struct value *out) MUST_CHECK;

#endif
