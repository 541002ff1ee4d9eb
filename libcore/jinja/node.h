/*
 * The syntax tree of a template.  Children that are lists hang together by `next`.
 */
#ifndef CAGSR_JINJA_NODE_H
#define CAGSR_JINJA_NODE_H

#include "jinja/value.h"

enum node_type {
    /* ---- expressions ---- */
    N_CONST,   /* value */
    N_NAME,    /* name */
    N_ATTR,    /* a.name */
    N_ITEM,    /* a[b] */
    N_SLICE,   /* a[b:c:d], NULL where left out */
    N_LIST,    /* [list] */
    N_TUPLE,   /* (list) */
    N_DICT,    /* {list of N_PAIR} */
    N_PAIR,    /* a: b */
    N_CALL,    /* a(list, *b, **c); keywords in `other` */
    N_KEYWORD, /* name=a */
    N_FILTER,  /* a | name(list, *b, **c) */
    N_TEST,    /* a is name(list, *b, **c) */
    N_INPUT,   /* the body of a filter block */
    N_NOT,     /* not a */
    N_NEG,     /* -a */
    N_POS,     /* +a */
    N_AND,     /* a and b */
    N_OR,      /* a or b */
    N_BINARY,  /* a op b */
    N_CONCAT,  /* list, joined by ~ */
    N_COMPARE, /* a, then list of N_OPERAND */
    N_OPERAND, /* op a */
    N_COND,    /* b if a else c; c may be NULL */
    N_NSREF,   /* name.a->name, to be set */
    /* ---- statements ---- */
    N_DATA,      /* value, printed */
    N_OUTPUT,    /* {{ a }} */
    N_FOR,       /* for a in b if c: list, else `other` */
    N_IF,        /* if a: list, else `other` */
    N_SET,       /* a = b */
    N_SETBLOCK,  /* a = list through the filters b (or NULL) */
    N_MACRO,     /* name(other: list of N_PARAM): list; op: enum macro_uses */
    N_PARAM,     /* name, a its default or NULL */
    N_CALLBLOCK, /* call a with the macro b as caller */
    N_FILTERED,  /* list through the filters b */
    N_WITH,      /* other: list of N_SET, list in a scope of its own */
    N_BREAK,
    N_CONTINUE,
};

enum op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
};

/* Names that a macro's body mentions: only then does it take what they stand for. */
enum macro_uses { USES_CALLER = 1, USES_VARARGS = 2, USES_KWARGS = 4 };

struct builtin;

struct node {
    enum node_type type;
    int line;
    int op; /* enum op, enum macro_uses */
    const struct str *name;
    const struct builtin *fn; /* N_FILTER, N_TEST; NULL if the name is not known */
    struct value value;
    struct node *a, *b, *c, *d;
    struct node *list, *other, *next;
};

#endif
