/*
 * What expressions work with: the values of Python that templates can meet.
 *
 * A value is small and copied; what it points to is the pool's and never changes, but for
 * namespaces, loops and what is read once.  Nothing can change a list or a dictionary: the
 * sandbox that templates are written for does not allow it.
 */
#ifndef CAGSR_JINJA_VALUE_H
#define CAGSR_JINJA_VALUE_H

#include "jinja/interp.h"
#include "jinja/str.h"

#include <stddef.h>
#include <stdint.h>

enum value_type {
    V_MISSING,   /* an argument that was not given; no expression has it */
    V_UNDEFINED, /* Jinja's undefined: prints as nothing, fails when it is used */
    V_NONE,
    V_BOOL,
    V_INT, /* 64 bits: beyond is an error */
    V_FLOAT,
    V_STR,
    V_LIST,
    V_TUPLE,
    V_ITER, /* a generator: read once */
    V_RANGE,
    V_KEYS, /* views of a dictionary */
    V_VALUES,
    V_ITEMS,
    V_DICT,
    V_NAMESPACE,
    V_LOOP,
    V_MACRO,
    V_METHOD,   /* bound to its object */
    V_FUNCTION, /* a global one */
    V_CYCLER,
    V_JOINER,
};

struct value {
    enum value_type type;
    union {
        int64_t i; /* V_INT, V_BOOL */
        double f;
        const struct str *s;      /* V_STR; V_UNDEFINED: what to say, may be NULL */
        struct seq *l;            /* V_LIST .. V_ITEMS */
        struct dict *d;           /* V_DICT, V_NAMESPACE */
        struct loop *loop;        /* exec.h */
        const struct macro *m;    /* exec.h */
        const struct method *b;   /* call.h */
        const struct builtin *fn; /* V_FUNCTION; call.h */
        struct counter *c;        /* V_CYCLER, V_JOINER; globals.h */
    };
};

struct seq {
    struct value *v; /* (n) */
    size_t n;
    size_t at;        /* V_ITER: how many were read */
    int64_t range[3]; /* V_RANGE: start, stop, step */
};

/* ---- making ---------------------------------------------------------------------------*/

struct value value_none(void);
struct value value_bool(int b);
struct value value_int(int64_t i);
struct value value_float(double f);
struct value value_str(const struct str *s);

/* Undefined, with what to say when it is used; printf. */
int value_undefined(struct interp *in, struct value *out, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* n places of a sequence, all V_NONE, to be filled. */
int value_seq(struct interp *in, enum value_type type, size_t n,
              struct value *out) MUST_CHECK;

/* A text that the caller keeps, as str_of. */
int value_text(struct interp *in, const char *s, size_t n, enum str_who who,
               struct value *out) MUST_CHECK;

/* A growing list of values; {in} begins one. */
struct values {
    struct interp *in;
    struct value *v;
    size_t n, cap;
};
int values_add(struct values *l, struct value v) MUST_CHECK;
int values_done(struct values *l, enum value_type type, struct value *out) MUST_CHECK;

/* ---- asking ---------------------------------------------------------------------------*/

/* "str", "list" ...: as Python's type names, for sentences. */
const char *value_type_name(struct value v);

int value_is_seq(struct value v);    /* V_LIST .. V_ITEMS */
int value_is_number(struct value v); /* V_BOOL, V_INT, V_FLOAT */
int value_truth(struct value v);     /* Python's bool() */
double value_double(struct value v); /* of a number */

/* Python's ==; ERR_RECORD where values lie too deep. */
int value_equal(struct interp *in, struct value a, struct value b, int *out) MUST_CHECK;

/* -1, 0, 1; ERR_RECORD for types that have no order.  NaN is neither: *out = 2. */
int value_order(struct interp *in, struct value a, struct value b, int *out) MUST_CHECK;

/* Python's `a in b`. */
int value_in(struct interp *in, struct value a, struct value b, int *out) MUST_CHECK;

/* len(); ERR_RECORD where there is none. */
int value_length(struct interp *in, struct value v, size_t *out) MUST_CHECK;

/* What a loop over v sees, as *items (n); a generator is read to its end. */
int value_iterate(struct interp *in, struct value v, const struct value **items,
                  size_t *n) MUST_CHECK;

/* An integer that fits, for arguments: ERR_RECORD names `what`.  Bools count. */
int value_want_int(struct interp *in, struct value v, const char *what,
                   int64_t *out) MUST_CHECK;

#endif
