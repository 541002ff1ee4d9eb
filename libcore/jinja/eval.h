/*
 * Expressions to values.
 */
#ifndef CAGSR_JINJA_EVAL_H
#define CAGSR_JINJA_EVAL_H

#include "jinja/call.h"
#include "jinja/node.h"

/* Variables.  A name is looked for in the scope, then outwards, then among the functions. */
struct var;
struct scope {
    struct scope *outer; /* NULL: none around it */
    struct var *vars;
    const struct dict *given; /* the caller's variables, behind those set; or NULL */
    struct value input; /* what N_INPUT stands for; of a filter block's own scope */
};

/* Sets a variable of this scope. */
int scope_set(struct interp *in, struct scope *s, const struct str *name,
              struct value v) MUST_CHECK;

/* The value of a name, undefined if there is none. */
int scope_get(struct interp *in, const struct scope *s, const struct str *name,
              struct value *out) MUST_CHECK;

/* ERR_RECORD where the values do not fit, ERR_FILE where the template asks for what is not
 * supported. */
int eval(struct interp *in, struct scope *s, const struct node *n,
         struct value *out) MUST_CHECK;

/* The arguments of a call, filter or test. */
int eval_args(struct interp *in, struct scope *s, const struct node *n,
              struct args *out) MUST_CHECK;

#endif
