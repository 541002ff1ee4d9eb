/*
 * Statements: text, loops, macros.
 */
#ifndef CAGSR_JINJA_EXEC_H
#define CAGSR_JINJA_EXEC_H

#include "jinja/eval.h"

struct macro {
    const struct node *n;
    struct scope *scope; /* where it was defined */
};

/* A loop over items that a condition may pass over; it looks ahead only when asked to. */
struct loop {
    const struct node *n;                /* N_FOR */
    struct scope *scope;                 /* around it */
    const struct value *items;           /* (nitems) */
    size_t nitems, next;                 /* next: to be looked at */
    int64_t index0;                      /* -1 before the first */
    struct value before, current, after; /* V_MISSING: none, or not looked for yet */
    int64_t length;                      /* -1: not counted yet */
    int counted;                         /* items are only those that pass */
    struct value seen;                   /* what loop.changed() saw last */
};

/* How a statement ends. */
enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

/* Statements from n on; what they print goes into out.  An enum flow, or an error. */
int exec(struct interp *in, struct scope *s, const struct node *n,
         struct buf *out) MUST_CHECK;

/* A call of a macro: what it prints. */
int exec_macro(struct interp *in, const struct macro *m, const struct args *a,
               struct value *out) MUST_CHECK;

/* loop.NAME: 1 with *out; 0 if there is no such attribute. */
int exec_loop_attr(struct interp *in, struct loop *l, const struct str *name,
                   struct value *out) MUST_CHECK;

#endif
