/*
 * Attributes, subscripts and slices of values.
 */
#ifndef CAGSR_JINJA_LOOKUP_H
#define CAGSR_JINJA_LOOKUP_H

#include "jinja/value.h"

/* v.name: a method or attribute first, then the member.  Undefined where there is none;
 * ERR_RECORD of an undefined v. */
int lookup_attr(struct interp *in, struct value v, const struct str *name,
                struct value *out) MUST_CHECK;

/* v[key]: the member first. */
int lookup_item(struct interp *in, struct value v, struct value key,
                struct value *out) MUST_CHECK;

/* v[start:stop:step], V_MISSING or V_NONE where left out. */
int lookup_slice(struct interp *in, struct value v, const struct value bound[3],
                 struct value *out) MUST_CHECK;

/* "a.b.0" step by step, as filters' attribute=; an integer is one step. */
int lookup_path(struct interp *in, struct value v, struct value path,
                struct value *out) MUST_CHECK;

#endif
