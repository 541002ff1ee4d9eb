/*
 * What templates can call: filters, tests, methods and functions, all described by the same
 * kind of row, and how arguments find their places.
 */
#ifndef CAGSR_JINJA_CALL_H
#define CAGSR_JINJA_CALL_H

#include "jinja/value.h"

struct keyword {
    const struct str *name;
    struct value v;
};

struct args {
    const struct value *v; /* (n) */
    size_t n;
    const struct keyword *kw; /* (nkw) */
    size_t nkw;
};

enum { CALL_PARAMS = 7 }; /* behind the subject */

/* A row of a table.  The subject is what a filter or test stands behind, or a method's
 * object; V_MISSING for functions. */
struct builtin {
    const char *name;
    /* Names of the parameters, '?' behind those that may be left out: "old new count?". */
    const char *params;
    /* arg[0] is the subject, arg[1] .. the parameters, V_MISSING where left out. */
    int (*fn)(struct interp *in, const struct value *arg, struct value *out);
    /* Instead of the two: takes whatever comes. */
    int (*any)(struct interp *in, struct value self, const struct args *a,
               struct value *out);
};

struct method {
    const struct builtin *fn;
    struct value self;
};

/* The row of this name in a table that ends with a NULL name; NULL if there is none. */
const struct builtin *builtin_find(const struct builtin *table, const struct str *name);

/* Calls a row; ERR_RECORD for arguments that do not fit, ERR_FILE for a row without
 * function (known, but not supported). */
int call_builtin(struct interp *in, const struct builtin *b, struct value self,
                 const struct args *a, struct value *out) MUST_CHECK;

/* Calls whatever can be called; ERR_RECORD for the rest. */
int call_value(struct interp *in, struct value f, const struct args *a,
               struct value *out) MUST_CHECK;

/* The keyword of this name, NULL if it is not given. */
const struct value *args_keyword(const struct args *a, const char *name);

/* ---- arguments of rows ------------------------------------------------------------------*/

/* An optional one: what it is if given, else `otherwise`. */
int arg_int(struct interp *in, struct value v, const char *what, int64_t otherwise,
            int64_t *out) MUST_CHECK;
int arg_truth(struct value v, int otherwise);

/* A text; ERR_RECORD for another type.  arg_opt_str: NULL if none or left out. */
int arg_str(struct interp *in, struct value v, const char *what,
            const struct str **out) MUST_CHECK;
int arg_opt_str(struct interp *in, struct value v, const char *what,
                const struct str **out) MUST_CHECK;

/* ERR_RECORD with what an undefined value has to say. */
int arg_undefined(struct interp *in, struct value v) MUST_CHECK;

#endif
