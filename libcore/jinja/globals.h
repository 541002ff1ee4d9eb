/*
 * Functions that every template has: range, dict, namespace, cycler, joiner,
 * raise_exception, strftime_now.
 */
#ifndef CAGSR_JINJA_GLOBALS_H
#define CAGSR_JINJA_GLOBALS_H

#include "jinja/call.h"

/* The row of a function, NULL if there is none of this name. */
const struct builtin *globals_find(const struct str *name);

/* What cycler() and joiner() give. */
struct counter {
    struct value *v; /* (n) */
    size_t n, at;
};

/* A call of a joiner: its separator, but nothing the first time. */
int globals_join(struct interp *in, struct value joiner, struct value *out) MUST_CHECK;

/* The methods of a cycler, ended by a NULL name. */
extern const struct builtin globals_cycler[];

#endif
