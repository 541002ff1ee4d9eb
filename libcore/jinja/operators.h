/*
 * Arithmetic, as Python's.
 */
#ifndef CAGSR_JINJA_OPERATORS_H
#define CAGSR_JINJA_OPERATORS_H

#include "jinja/node.h"

/* a OP_ADD .. OP_POW b.  ERR_RECORD for types that do not go together, division by zero,
 * integers beyond 64 bits. */
int op_binary(struct interp *in, enum op op, struct value a, struct value b,
              struct value *out) MUST_CHECK;

/* -a. */
int op_negate(struct interp *in, struct value a, struct value *out) MUST_CHECK;

/* a OP_EQ .. OP_NOT_IN b. */
int op_compare(struct interp *in, enum op op, struct value a, struct value b,
               int *out) MUST_CHECK;

/* a + b of two strings: a safe one escapes the other. */
int op_join(struct interp *in, const struct str *a, const struct str *b,
            struct value *out) MUST_CHECK;

#endif
