/*
 * Expressions, by precedence from the weakest to the strongest:
 *
 *     x if c else y    or    and    not    == != < <= > >= in, not in (chained)
 *     + -    ~    * / // %    ** (from the left)    - + (sign)
 *     . [] ()    | filter, is test
 *
 * A sign binds weaker than . and [], stronger than a filter: -x|abs is (-x)|abs.
 */
#include "jinja/parser.h"

#include "jinja/call.h"
#include "jinja/filters.h"
#include "jinja/tests.h"

#include <string.h>

static int parse_unary(struct parser *p, struct node **out);

static int at_sign(const struct parser *p, const char *s)
{
    return token_is(p->at, TOKEN_SIGN, s);
}

static int at_name(const struct parser *p, const char *s)
{
    return token_is(p->at, TOKEN_NAME, s);
}

/* ---- operators ------------------------------------------------------------------------*/

static int parse_binary_level(struct parser *p, int level, struct node **out);

/* Left-associative operators, the weakest first. */
static const struct {
    int level;
    const char *sign;
    enum op op;
} binary[] = {
    {0, "+", OP_ADD}, {0, "-", OP_SUB},       {2, "*", OP_MUL},  {2, "/", OP_DIV},
    {2, "%", OP_MOD}, {2, "//", OP_FLOORDIV}, {3, "**", OP_POW},
};

enum { LEVEL_CONCAT = 1, LEVEL_UNARY = 4 };

static int binary_at(const struct parser *p, int level)
{
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        if (binary[i].level == level && at_sign(p, binary[i].sign))
            return (int)i;
    return -1;
}

static int parse_concat(struct parser *p, struct node **out)
{
    struct node *first, *list, **end;

    TRY(parse_binary_level(p, LEVEL_CONCAT + 1, &first));
    *out = first;
    if (!at_sign(p, "~"))
        return 0;
    TRY(parser_node(p, N_CONCAT, out));
    for (list = first, end = &first->next; parser_skip(p, TOKEN_SIGN, "~");
         end = &(*end)->next)
        TRY(parse_binary_level(p, LEVEL_CONCAT + 1, end));
    (*out)->list = list;
    return 0;
}

static int parse_binary_level(struct parser *p, int level, struct node **out)
{
    struct node *n;
    int i;

    if (level == LEVEL_UNARY)
        return parse_unary(p, out);
    if (level == LEVEL_CONCAT)
        return parse_concat(p, out);
    TRY(parse_binary_level(p, level + 1, out));
    while ((i = binary_at(p, level)) >= 0) {
        TRY(parser_node(p, N_BINARY, &n));
        p->at++;
        n->op = (int)binary[i].op;
        n->a = *out;
        TRY(parse_binary_level(p, level + 1, &n->b));
        *out = n;
    }
    return 0;
}

static const struct {
    const char *sign;
    enum op op;
} comparison[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                  {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};

/* The comparison at hand, read: its operator, -1 if there is none. */
static int read_comparison(struct parser *p)
{
    for (size_t i = 0; i < sizeof comparison / sizeof *comparison; i++)
        if (parser_skip(p, TOKEN_SIGN, comparison[i].sign))
            return (int)comparison[i].op;
    if (parser_skip(p, TOKEN_NAME, "in"))
        return OP_IN;
    if (at_name(p, "not") && token_is(p->at + 1, TOKEN_NAME, "in")) {
        p->at += 2;
        return OP_NOT_IN;
    }
    return -1;
}

static int parse_compare(struct parser *p, struct node **out)
{
    struct node *n, **end;
    int op;

    TRY(parse_binary_level(p, 0, out));
    if ((op = read_comparison(p)) < 0)
        return 0;
    TRY(parser_node(p, N_COMPARE, &n));
    n->a = *out;
    *out = n;
    for (end = &n->list; op >= 0; end = &(*end)->next, op = read_comparison(p)) {
        TRY(parser_node(p, N_OPERAND, end));
        (*end)->op = op;
        TRY(parse_binary_level(p, 0, &(*end)->a));
    }
    return 0;
}

static int parse_not(struct parser *p, struct node **out)
{
    if (!at_name(p, "not"))
        return parse_compare(p, out);
    TRY(parser_node(p, N_NOT, out));
    p->at++;
    TRY(interp_enter(p->in));
    TRY(parse_not(p, &(*out)->a));
    interp_leave(p->in);
    return 0;
}

static int parse_and(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parse_not(p, out));
    while (at_name(p, "and")) {
        TRY(parser_node(p, N_AND, &n));
        p->at++;
        n->a = *out;
        TRY(parse_not(p, &n->b));
        *out = n;
    }
    return 0;
}

static int parse_or(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parse_and(p, out));
    while (at_name(p, "or")) {
        TRY(parser_node(p, N_OR, &n));
        p->at++;
        n->a = *out;
        TRY(parse_and(p, &n->b));
        *out = n;
    }
    return 0;
}

int expr_parse(struct parser *p, enum expr_form form, struct node **out)
{
    struct node *n;

    TRY(interp_enter(p->in));
    TRY(parse_or(p, out));
    while (form == EXPR_WHOLE && at_name(p, "if")) {
        TRY(parser_node(p, N_COND, &n));
        p->at++;
        n->b = *out;
        TRY(parse_or(p, &n->a));
        if (parser_skip(p, TOKEN_NAME, "else"))
            TRY(expr_parse(p, EXPR_WHOLE, &n->c));
        *out = n;
    }
    interp_leave(p->in);
    return 0;
}

/* ---- tuples and literals --------------------------------------------------------------*/

static int at_tuple_end(const struct parser *p)
{
    return p->at->type == TOKEN_OUTPUT_END || p->at->type == TOKEN_BLOCK_END ||
           at_sign(p, ")") || at_name(p, "in") || at_name(p, "recursive");
}

int expr_parse_tuple(struct parser *p, enum expr_form form, struct node **out)
{
    struct node *n, **end;

    TRY(expr_parse(p, form, out));
    if (!at_sign(p, ","))
        return 0;
    TRY(parser_node(p, N_TUPLE, &n));
    n->list = *out;
    *out = n;
    for (end = &n->list->next; parser_skip(p, TOKEN_SIGN, ",") && !at_tuple_end(p);
         end = &(*end)->next)
        TRY(expr_parse(p, form, end));
    return 0;
}

static int parse_parenthesis(struct parser *p, struct node **out)
{
    p->at++;
    if (parser_skip(p, TOKEN_SIGN, ")"))
        return parser_node(p, N_TUPLE, out);
    TRY(expr_parse_tuple(p, EXPR_WHOLE, out));
    return parser_expect(p, TOKEN_SIGN, ")");
}

/* Elements up to `close`, commas between them; of a dictionary, pairs. */
static int parse_elements(struct parser *p, const char *close, enum node_type type,
                          struct node **out)
{
    struct node **end;

    TRY(parser_node(p, type, out));
    p->at++;
    for (end = &(*out)->list; !at_sign(p, close); end = &(*end)->next) {
        if ((*out)->list)
            TRY(parser_expect(p, TOKEN_SIGN, ","));
        if (at_sign(p, close))
            break;
        if (type == N_LIST) {
            TRY(expr_parse(p, EXPR_WHOLE, end));
            continue;
        }
        TRY(parser_node(p, N_PAIR, end));
        TRY(expr_parse(p, EXPR_WHOLE, &(*end)->a));
        TRY(parser_expect(p, TOKEN_SIGN, ":"));
        TRY(expr_parse(p, EXPR_WHOLE, &(*end)->b));
    }
    p->at++;
    return 0;
}

static int parse_const(struct parser *p, struct node **out)
{
    struct buf b = {p->in};
    const struct str *s;

    TRY(parser_node(p, N_CONST, out));
    (*out)->value = p->at->value;
    if (p->at++->value.type != V_STR || p->at->type != TOKEN_CONST ||
        p->at->value.type != V_STR)
        return 0;
    TRY(buf_add(&b, (*out)->value.s)); /* 'a' 'b' is one string */
    for (; p->at->type == TOKEN_CONST && p->at->value.type == V_STR; p->at++)
        TRY(buf_add(&b, p->at->value.s));
    TRY(buf_done(&b, &s));
    (*out)->value = value_str(s);
    return 0;
}

/* Names that are values. */
static int read_word(struct parser *p, struct value *out)
{
    static const struct {
        const char *name;
        enum value_type type;
        int i;
    } words[] = {{"true", V_BOOL, 1},  {"True", V_BOOL, 1}, {"false", V_BOOL, 0},
                 {"False", V_BOOL, 0}, {"none", V_NONE, 0}, {"None", V_NONE, 0}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (parser_skip(p, TOKEN_NAME, words[i].name)) {
            *out = (struct value){.type = words[i].type, .i = words[i].i};
            return 1;
        }
    return 0;
}

static int parse_name(struct parser *p, struct node **out)
{
    TRY(parser_node(p, N_CONST, out));
    if (read_word(p, &(*out)->value))
        return 0;
    p->uses |= at_name(p, "caller") ? USES_CALLER : 0;
    p->uses |= at_name(p, "varargs") ? USES_VARARGS : 0;
    p->uses |= at_name(p, "kwargs") ? USES_KWARGS : 0;
    (*out)->type = N_NAME;
    return parser_name(p, &(*out)->name);
}

static int parse_primary(struct parser *p, struct node **out)
{
    if (p->at->type == TOKEN_NAME)
        return parse_name(p, out);
    if (p->at->type == TOKEN_CONST)
        return parse_const(p, out);
    if (at_sign(p, "("))
        return parse_parenthesis(p, out);
    if (at_sign(p, "["))
        return parse_elements(p, "]", N_LIST, out);
    if (at_sign(p, "{"))
        return parse_elements(p, "}", N_DICT, out);
    return parser_unexpected(p, "where an expression stands");
}

/* ---- what stands behind an operand ----------------------------------------------------*/

/* (a, b, name=c, *d, **e) into n->list, other, b, c. */
static int parse_args(struct parser *p, struct node *n)
{
    struct node **arg = &n->list, **key = &n->other;

    TRY(parser_expect(p, TOKEN_SIGN, "("));
    while (!parser_skip(p, TOKEN_SIGN, ")")) {
        if (parser_skip(p, TOKEN_SIGN, "**") && !n->c) {
            TRY(expr_parse(p, EXPR_WHOLE, &n->c));
        } else if (parser_skip(p, TOKEN_SIGN, "*") && !n->b && !n->c) {
            TRY(expr_parse(p, EXPR_WHOLE, &n->b));
        } else if (p->at->type == TOKEN_NAME && token_is(p->at + 1, TOKEN_SIGN, "=") &&
                   !n->c) {
            TRY(parser_node(p, N_KEYWORD, key));
            TRY(parser_name(p, &(*key)->name));
            p->at++;
            TRY(expr_parse(p, EXPR_WHOLE, &(*key)->a));
            key = &(*key)->next;
        } else if (!n->b && !n->c && !n->other) {
            TRY(expr_parse(p, EXPR_WHOLE, arg));
            arg = &(*arg)->next;
        } else {
            return parser_unexpected(p, "among arguments");
        }
        if (!at_sign(p, ")"))
            TRY(parser_expect(p, TOKEN_SIGN, ","));
    }
    return 0;
}

/* One end of a slice, if it is there. */
static int parse_bound(struct parser *p, struct node **out)
{
    if (at_sign(p, ":") || at_sign(p, "]") || at_sign(p, ","))
        return 0;
    return expr_parse(p, EXPR_WHOLE, out);
}

/* a, b: one index, a tuple. */
static int parse_more_indices(struct parser *p, struct node **out)
{
    struct node *n, **end;

    TRY(parser_node(p, N_TUPLE, &n));
    n->list = *out;
    *out = n;
    for (end = &n->list->next; parser_skip(p, TOKEN_SIGN, ",") && !at_sign(p, "]");
         end = &(*end)->next)
        TRY(expr_parse(p, EXPR_WHOLE, end));
    return 0;
}

static int parse_item(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parser_node(p, N_ITEM, &n));
    p->at++;
    n->a = *out;
    *out = n;
    TRY(parse_bound(p, &n->b));
    if (parser_skip(p, TOKEN_SIGN, ":")) {
        n->type = N_SLICE;
        TRY(parse_bound(p, &n->c));
        if (parser_skip(p, TOKEN_SIGN, ":"))
            TRY(parse_bound(p, &n->d));
    }
    if (n->type == N_ITEM && !n->b)
        return parser_unexpected(p, "where an index stands");
    if (n->type == N_ITEM && at_sign(p, ","))
        TRY(parse_more_indices(p, &n->b));
    return parser_expect(p, TOKEN_SIGN, "]");
}

/* .name, or .0 as an index. */
static int parse_attr(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parser_node(p, N_ATTR, &n));
    p->at++;
    n->a = *out;
    *out = n;
    if (p->at->type != TOKEN_CONST || p->at->value.type != V_INT)
        return parser_name(p, &n->name);
    n->type = N_ITEM;
    return parse_const(p, &n->b);
}

static int parse_call(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parser_node(p, N_CALL, &n));
    n->a = *out;
    *out = n;
    return parse_args(p, n);
}

static int parse_postfix(struct parser *p, struct node **out)
{
    for (int i = 0;; i++) {
        if (at_sign(p, "."))
            TRY(parse_attr(p, out));
        else if (at_sign(p, "["))
            TRY(parse_item(p, out));
        else if (at_sign(p, "("))
            TRY(parse_call(p, out));
        else
            return 0;
        if (i == INTERP_DEPTH)
            return interp_fault(p->in, ERR_FILE, "more than %d subscripts",
                                INTERP_DEPTH);
    }
}

/* A filter's or test's name, which may have points. */
static int parse_dotted(struct parser *p, const struct str **out)
{
    struct buf b = {p->in};
    const struct str *part;

    TRY(parser_name(p, out));
    if (!at_sign(p, "."))
        return 0;
    TRY(buf_add(&b, *out));
    while (parser_skip(p, TOKEN_SIGN, ".")) {
        TRY(parser_name(p, &part));
        TRY(buf_lit(&b, "."));
        TRY(buf_add(&b, part));
    }
    return buf_done(&b, out);
}

static int parse_filter(struct parser *p, struct node **out)
{
    struct node *n;

    TRY(parser_node(p, N_FILTER, &n));
    n->a = *out;
    *out = n;
    TRY(parse_dotted(p, &n->name));
    n->fn = filter_find(n->name);
    return at_sign(p, "(") ? parse_args(p, n) : 0;
}

/* The operand that a test may take without brackets. */
static int has_bare_operand(const struct parser *p)
{
    if (p->at->type == TOKEN_NAME)
        return !at_name(p, "else") && !at_name(p, "or") && !at_name(p, "and");
    return p->at->type == TOKEN_CONST || at_sign(p, "[") || at_sign(p, "{");
}

static int parse_test(struct parser *p, struct node **out)
{
    const int negated = parser_skip(p, TOKEN_NAME, "not");
    struct node *n;

    TRY(parser_node(p, N_TEST, &n));
    n->a = *out;
    TRY(parse_dotted(p, &n->name));
    n->fn = test_find(n->name);
    if (at_sign(p, "(")) {
        TRY(parse_args(p, n));
    } else if (has_bare_operand(p)) {
        if (at_name(p, "is"))
            return parser_unexpected(p, "behind a test");
        TRY(parse_primary(p, &n->list));
        TRY(parse_postfix(p, &n->list));
    }
    *out = n;
    if (!negated)
        return 0;
    TRY(parser_node(p, N_NOT, out));
    (*out)->a = n;
    return 0;
}

static int parse_filters_and_tests(struct parser *p, struct node **out)
{
    for (int i = 0;; i++) {
        if (parser_skip(p, TOKEN_SIGN, "|"))
            TRY(parse_filter(p, out));
        else if (parser_skip(p, TOKEN_NAME, "is"))
            TRY(parse_test(p, out));
        else if (at_sign(p, "("))
            TRY(parse_call(p, out));
        else
            return 0;
        if (i == INTERP_DEPTH)
            return interp_fault(p->in, ERR_FILE, "more than %d filters", INTERP_DEPTH);
    }
}

/* Signs, then an operand with what stands behind it. */
static int parse_signed(struct parser *p, struct node **out)
{
    if (!at_sign(p, "-") && !at_sign(p, "+")) {
        TRY(parse_primary(p, out));
    } else {
        TRY(parser_node(p, at_sign(p, "-") ? N_NEG : N_POS, out));
        p->at++;
        TRY(interp_enter(p->in));
        TRY(parse_signed(p, &(*out)->a));
        interp_leave(p->in);
    }
    return parse_postfix(p, out);
}

static int parse_unary(struct parser *p, struct node **out)
{
    p->in->line = p->at->line;
    TRY(parse_signed(p, out));
    return parse_filters_and_tests(p, out);
}

/* ---- for statements -------------------------------------------------------------------*/

int expr_parse_call(struct parser *p, struct node **out)
{
    TRY(parse_unary(p, out));
    return (*out)->type == N_CALL ? 0 : parser_unexpected(p, "where a call stands");
}

int expr_parse_filters(struct parser *p, struct node *a, enum expr_form form,
                       struct node **out)
{
    int first = form == EXPR_CONDITION;

    *out = a;
    if (!a && (first || at_sign(p, "|")))
        TRY(parser_node(p, N_INPUT, out));
    for (int i = 0; first || parser_skip(p, TOKEN_SIGN, "|"); i++) {
        first = 0;
        TRY(parse_filter(p, out));
        if (i == INTERP_DEPTH)
            return interp_fault(p->in, ERR_FILE, "more than %d filters", INTERP_DEPTH);
    }
    return 0;
}

static int parse_one_target(struct parser *p, enum target_form form, struct node **out)
{
    struct node *attr;

    if (parser_skip(p, TOKEN_SIGN, "(")) {
        TRY(interp_enter(p->in));
        TRY(expr_parse_target(p, form, out));
        interp_leave(p->in);
        return parser_expect(p, TOKEN_SIGN, ")");
    }
    TRY(parse_name(p, out));
    if ((*out)->type != N_NAME)
        return parser_unexpected(p, "behind a value that cannot be set");
    if (form != TARGET_NS || !parser_skip(p, TOKEN_SIGN, "."))
        return 0;
    TRY(parser_node(p, N_NAME, &attr));
    TRY(parser_name(p, &attr->name));
    (*out)->type = N_NSREF;
    (*out)->a = attr;
    return 0;
}

int expr_parse_target(struct parser *p, enum target_form form, struct node **out)
{
    struct node *n, **end;

    TRY(parse_one_target(p, form, out));
    if (!at_sign(p, ","))
        return 0;
    TRY(parser_node(p, N_TUPLE, &n));
    n->list = *out;
    *out = n;
    for (end = &n->list->next;
         parser_skip(p, TOKEN_SIGN, ",") && !at_tuple_end(p) && !at_sign(p, "=");
         end = &(*end)->next)
        TRY(parse_one_target(p, form, end));
    return 0;
}
