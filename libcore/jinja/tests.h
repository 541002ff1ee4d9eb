/*
 * Tests: what stands behind `is`.
 */
#ifndef CAGSR_JINJA_TESTS_H
#define CAGSR_JINJA_TESTS_H

#include "jinja/call.h"

/* The row of a test, NULL if there is none of this name.  Its value is a V_BOOL. */
const struct builtin *test_find(const struct str *name);

/* v is test(args...) of a name that is a value: for select and its like.  ERR_FILE if there
 * is none. */
int test_named(struct interp *in, struct value name, struct value v,
               const struct args *a, int *out) MUST_CHECK;

#endif
