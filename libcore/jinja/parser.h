/*
 * From tokens to the syntax tree: statements here, expressions in expr.c.
 *
 * Left out, because chat templates are one file and do not need it: extends, block,
 * include, import, from, autoescape, recursive loops.
 */
#ifndef CAGSR_JINJA_PARSER_H
#define CAGSR_JINJA_PARSER_H

#include "jinja/lexer.h"
#include "jinja/node.h"

/* The statements of a whole template, in in's pool.  ERR_FILE names the line and what is
 * wrong or not supported there. */
int jinja_parse(struct interp *in, const char *source, size_t n,
                struct node **out) MUST_CHECK;

/* ---- between parser.c and expr.c --------------------------------------------------------*/

struct parser {
    struct interp *in;
    const struct token *at; /* the token to be read; TOKEN_END is never passed */
    int loops;              /* loops around, inside the innermost macro */
    int uses;               /* enum macro_uses, of the innermost macro */
};

/* Reads the name or sign if it is there: 1, else 0. */
int parser_skip(struct parser *p, enum token_type type, const char *text);

/* The same, but it must be there: ERR_FILE. */
int parser_expect(struct parser *p, enum token_type type, const char *text) MUST_CHECK;

/* A node of the current line. */
int parser_node(struct parser *p, enum node_type type, struct node **out) MUST_CHECK;

/* ERR_FILE with the current line: "PLACE: 'TOKEN' is not expected". */
int parser_unexpected(struct parser *p, const char *place) MUST_CHECK;

/* The name at hand, read. */
int parser_name(struct parser *p, const struct str **out) MUST_CHECK;

/* a if b else c, without and with commas (a tuple); `CONDITION`: without if. */
enum expr_form { EXPR_WHOLE, EXPR_CONDITION };
int expr_parse(struct parser *p, enum expr_form form, struct node **out) MUST_CHECK;
int expr_parse_tuple(struct parser *p, enum expr_form form,
                     struct node **out) MUST_CHECK;

/* What can be assigned to: a name, names in a tuple, namespace.name if `NS`. */
enum target_form { TARGET_NAMES, TARGET_NS };
int expr_parse_target(struct parser *p, enum target_form form,
                      struct node **out) MUST_CHECK;

/* One operand with its calls and subscripts, for {% call %}. */
int expr_parse_call(struct parser *p, struct node **out) MUST_CHECK;

/* "| name(...)" as often as it comes, around a; a name without | first for
 * EXPR_CONDITION (filter blocks). */
int expr_parse_filters(struct parser *p, struct node *a, enum expr_form form,
                       struct node **out) MUST_CHECK;

#endif
