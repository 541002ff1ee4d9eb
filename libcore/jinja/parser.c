#include "jinja/parser.h"

#include <stdio.h>
#include <string.h>

/* ---- tokens ---------------------------------------------------------------------------*/

int parser_skip(struct parser *p, enum token_type type, const char *text)
{
    if (!token_is(p->at, type, text))
        return 0;
    p->at++;
    return 1;
}

/* What a token is called in a sentence. */
static const char *describe(const struct token *t)
{
    switch (t->type) {
    case TOKEN_END: return "the end of the template";
    case TOKEN_OUTPUT: return "{{";
    case TOKEN_OUTPUT_END: return "}}";
    case TOKEN_BLOCK: return "{%";
    case TOKEN_BLOCK_END: return "%}";
    case TOKEN_DATA: return "text";
    default: return NULL;
    }
}

int parser_unexpected(struct parser *p, const char *place)
{
    const char *what = describe(p->at);

    p->in->line = p->at->line;
    return interp_fault(p->in, ERR_FILE, "%s: '%.*s' is not expected", place,
                        what ? (int)strlen(what) : (int)(p->at->n < 60 ? p->at->n : 60),
                        what ? what : p->at->s);
}

int parser_expect(struct parser *p, enum token_type type, const char *text)
{
    char place[40];

    if (parser_skip(p, type, text))
        return 0;
    snprintf(place, sizeof place, "where '%.16s' is awaited", text);
    return parser_unexpected(p, place);
}

static int expect_type(struct parser *p, enum token_type type, const char *place)
{
    if (p->at->type != type)
        return parser_unexpected(p, place);
    p->at++;
    return 0;
}

int parser_node(struct parser *p, enum node_type type, struct node **out)
{
    TRY(interp_take(p->in, out, 1, sizeof **out));
    **out = (struct node){.type = type, .line = p->at->line};
    return 0;
}

int parser_name(struct parser *p, const struct str **out)
{
    if (p->at->type != TOKEN_NAME)
        return parser_unexpected(p, "where a name stands");
    TRY(str_of(p->in, p->at->s, p->at->n, STR_NOBODY, out));
    p->at++;
    return 0;
}

/* ---- bodies ---------------------------------------------------------------------------*/

static int parse_statement(struct parser *p, struct node **out);

static int name_in(const struct token *t, const char *const *names)
{
    for (; *names; names++)
        if (token_is(t, TOKEN_NAME, *names))
            return 1;
    return 0;
}

static int parse_output(struct parser *p, struct node **out)
{
    p->at++;
    TRY(parser_node(p, N_OUTPUT, out));
    TRY(expr_parse_tuple(p, EXPR_WHOLE, &(*out)->a));
    return expect_type(p, TOKEN_OUTPUT_END, "behind an expression");
}

/* Statements up to a tag named in `ends`, whose name is the next token then; NULL: up to the
 * end of the template. */
static int parse_body(struct parser *p, const char *const *ends, struct node **out)
{
    *out = NULL;
    TRY(interp_enter(p->in));
    while (p->at->type != TOKEN_END) {
        if (p->at->type == TOKEN_DATA) {
            TRY(parser_node(p, N_DATA, out));
            (*out)->value = p->at++->value;
        } else if (p->at->type == TOKEN_OUTPUT) {
            TRY(parse_output(p, out));
        } else {
            TRY(expect_type(p, TOKEN_BLOCK, "between tags"));
            if (ends && name_in(p->at, ends)) {
                interp_leave(p->in);
                return 0;
            }
            TRY(parse_statement(p, out));
            TRY(expect_type(p, TOKEN_BLOCK_END, "at the end of a tag"));
        }
        out = &(*out)->next;
    }
    interp_leave(p->in);
    if (!ends)
        return 0;
    p->in->line = p->at->line;
    return interp_fault(p->in, ERR_FILE, "the template ends where '%s' is awaited",
                        ends[0]);
}

/* The end of a tag, then its body. */
static int parse_inside(struct parser *p, const char *const *ends, struct node **out)
{
    (void)parser_skip(p, TOKEN_SIGN, ":"); /* as in Python */
    TRY(expect_type(p, TOKEN_BLOCK_END, "at the end of a tag"));
    return parse_body(p, ends, out);
}

/* A body that one tag ends, which is read too. */
static int parse_until(struct parser *p, const char *end, struct node **out)
{
    TRY(parse_inside(p, (const char *const[]){end, NULL}, out));
    p->at++;
    return 0;
}

/* ---- statements -----------------------------------------------------------------------*/

static int parse_if(struct parser *p, struct node *n)
{
    static const char *const ends[] = {"endif", "else", "elif", NULL};

    TRY(expr_parse_tuple(p, EXPR_CONDITION, &n->a));
    TRY(parse_inside(p, ends, &n->list));
    if (parser_skip(p, TOKEN_NAME, "endif"))
        return 0;
    if (parser_skip(p, TOKEN_NAME, "else"))
        return parse_until(p, "endif", &n->other);
    p->at++;
    TRY(parser_node(p, N_IF, &n->other));
    TRY(interp_enter(p->in));
    TRY(parse_if(p, n->other));
    interp_leave(p->in);
    return 0;
}

static int parse_for(struct parser *p, struct node *n)
{
    static const char *const ends[] = {"endfor", "else", NULL};

    TRY(expr_parse_target(p, TARGET_NAMES, &n->a));
    TRY(parser_expect(p, TOKEN_NAME, "in"));
    TRY(expr_parse_tuple(p, EXPR_CONDITION, &n->b));
    if (parser_skip(p, TOKEN_NAME, "if"))
        TRY(expr_parse(p, EXPR_WHOLE, &n->c));
    if (token_is(p->at, TOKEN_NAME, "recursive"))
        return interp_fault(p->in, ERR_FILE, "recursive loops are not supported");
    p->loops++;
    TRY(parse_inside(p, ends, &n->list));
    p->loops--;
    if (parser_skip(p, TOKEN_NAME, "endfor"))
        return 0;
    p->at++;
    return parse_until(p, "endfor", &n->other);
}

static int parse_set(struct parser *p, struct node *n)
{
    TRY(expr_parse_target(p, TARGET_NS, &n->a));
    if (parser_skip(p, TOKEN_SIGN, "="))
        return expr_parse_tuple(p, EXPR_WHOLE, &n->b);
    n->type = N_SETBLOCK;
    TRY(expr_parse_filters(p, NULL, EXPR_WHOLE, &n->b));
    return parse_until(p, "endset", &n->list);
}

/* (name, name=default ...) */
static int parse_params(struct parser *p, struct node **out)
{
    TRY(parser_expect(p, TOKEN_SIGN, "("));
    while (!parser_skip(p, TOKEN_SIGN, ")")) {
        TRY(parser_node(p, N_PARAM, out));
        TRY(parser_name(p, &(*out)->name));
        if (parser_skip(p, TOKEN_SIGN, "="))
            TRY(expr_parse(p, EXPR_WHOLE, &(*out)->a));
        if (!token_is(p->at, TOKEN_SIGN, ")"))
            TRY(parser_expect(p, TOKEN_SIGN, ","));
        out = &(*out)->next;
    }
    return 0;
}

/* The body of a macro, and what it uses. */
static int parse_macro_body(struct parser *p, const char *end, struct node *n)
{
    const int loops = p->loops, uses = p->uses;

    p->loops = p->uses = 0;
    TRY(parse_until(p, end, &n->list));
    n->op = p->uses;
    p->loops = loops;
    p->uses |= uses;
    return 0;
}

static int parse_macro(struct parser *p, struct node *n)
{
    TRY(parser_name(p, &n->name));
    TRY(parse_params(p, &n->other));
    return parse_macro_body(p, "endmacro", n);
}

static int parse_call_block(struct parser *p, struct node *n)
{
    TRY(parser_node(p, N_MACRO, &n->b));
    TRY(str_lit(p->in, "caller", &n->b->name));
    if (token_is(p->at, TOKEN_SIGN, "("))
        TRY(parse_params(p, &n->b->other));
    TRY(expr_parse_call(p, &n->a));
    return parse_macro_body(p, "endcall", n->b);
}

static int parse_filter_block(struct parser *p, struct node *n)
{
    TRY(expr_parse_filters(p, NULL, EXPR_CONDITION, &n->b));
    return parse_until(p, "endfilter", &n->list);
}

static int parse_with(struct parser *p, struct node *n)
{
    struct node **out = &n->other;

    while (p->at->type != TOKEN_BLOCK_END) {
        if (n->other)
            TRY(parser_expect(p, TOKEN_SIGN, ","));
        TRY(parser_node(p, N_SET, out));
        TRY(expr_parse_target(p, TARGET_NAMES, &(*out)->a));
        TRY(parser_expect(p, TOKEN_SIGN, "="));
        TRY(expr_parse(p, EXPR_WHOLE, &(*out)->b));
        out = &(*out)->next;
    }
    return parse_until(p, "endwith", &n->list);
}

/* What the assistant says, marked for training: printed as it is, in a scope of its own. */
static int parse_generation(struct parser *p, struct node *n)
{
    return parse_until(p, "endgeneration", &n->list);
}

static int parse_print(struct parser *p, struct node *n)
{
    return expr_parse_tuple(p, EXPR_WHOLE, &n->a);
}

static int parse_loop_control(struct parser *p, struct node *n)
{
    if (p->loops > 0)
        return 0;
    return interp_fault(p->in, ERR_FILE, "'%s' outside a loop",
                        n->type == N_BREAK ? "break" : "continue");
}

static const struct tag {
    const char *name;
    enum node_type type;
    int (*parse)(struct parser *p, struct node *n); /* NULL: known, but not supported */
} tags[] = {
    {"if", N_IF, parse_if},
    {"for", N_FOR, parse_for},
    {"set", N_SET, parse_set},
    {"macro", N_MACRO, parse_macro},
    {"call", N_CALLBLOCK, parse_call_block},
    {"filter", N_FILTERED, parse_filter_block},
    {"with", N_WITH, parse_with},
    {"generation", N_WITH, parse_generation},
    {"print", N_OUTPUT, parse_print},
    {"break", N_BREAK, parse_loop_control},
    {"continue", N_CONTINUE, parse_loop_control},
    {"block", N_WITH, NULL},
    {"extends", N_WITH, NULL},
    {"include", N_WITH, NULL},
    {"import", N_WITH, NULL},
    {"from", N_WITH, NULL},
    {"autoescape", N_WITH, NULL},
    {"do", N_WITH, NULL},
    {"trans", N_WITH, NULL},
};

static int parse_statement(struct parser *p, struct node **out)
{
    const struct token *name = p->at;

    p->in->line = name->line;
    if (name->type != TOKEN_NAME)
        return parser_unexpected(p, "where a tag's name stands");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!token_is(name, TOKEN_NAME, tags[i].name))
            continue;
        if (!tags[i].parse)
            return interp_fault(p->in, ERR_FILE, "the tag '%s' is not supported",
                                tags[i].name);
        TRY(parser_node(p, tags[i].type, out));
        p->at++;
        TRY(interp_enter(p->in));
        TRY(tags[i].parse(p, *out));
        interp_leave(p->in);
        return 0;
    }
    return interp_fault(p->in, ERR_FILE, "the tag '%.*s' is not known, or not here",
                        (int)(name->n < 60 ? name->n : 60), name->s);
}

int jinja_parse(struct interp *in, const char *source, size_t n, struct node **out)
{
    struct parser p = {.in = in};
    struct tokens tokens;

    TRY(jinja_lex(in, source, n, &tokens));
    p.at = tokens.v;
    TRY(parse_body(&p, NULL, out));
    in->line = 0;
    return 0;
}
