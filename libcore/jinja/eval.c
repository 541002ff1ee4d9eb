#include "jinja/eval.h"

#include "jinja/dict.h"
#include "jinja/globals.h"
#include "jinja/lookup.h"
#include "jinja/operators.h"
#include "jinja/show.h"

/* ---- variables ------------------------------------------------------------------------*/

struct var {
    const struct str *name;
    struct value v;
    struct var *next;
};

static struct var *find_var(const struct scope *s, const struct str *name)
{
    for (struct var *v = s->vars; v; v = v->next)
        if (str_equal(v->name, name))
            return v;
    return NULL;
}

int scope_set(struct interp *in, struct scope *s, const struct str *name,
              struct value v)
{
    struct var *var = find_var(s, name);

    if (!var) {
        TRY(interp_take(in, &var, 1, sizeof *var));
        *var = (struct var){.name = name, .next = s->vars};
        s->vars = var;
    }
    var->v = v;
    return 0;
}

int scope_get(struct interp *in, const struct scope *s, const struct str *name,
              struct value *out)
{
    const struct builtin *fn;

    for (; s; s = s->outer) {
        const struct var *var = find_var(s, name);
        const struct value *given =
            s->given && !var ? dict_get(s->given, value_str(name)) : NULL;

        if (var || given) {
            *out = var ? var->v : *given;
            return 0;
        }
    }
    fn = globals_find(name);
    if (!fn)
        return value_undefined(in, out, "'%.*s' is undefined", (int)name->n, name->s);
    *out = (struct value){.type = V_FUNCTION, .fn = fn};
    return 0;
}

/* ---- arguments ------------------------------------------------------------------------*/

static int add_keywords(struct interp *in, struct scope *s, const struct node *n,
                        struct keyword **kw, size_t *count)
{
    struct value more = {0};
    size_t k = 0;

    for (const struct node *a = n->other; a; a = a->next)
        k++;
    if (n->c) {
        TRY(eval(in, s, n->c, &more));
        if (more.type != V_DICT)
            return interp_fault(in, ERR_RECORD, "'**' before a %s, a dict expected",
                                value_type_name(more));
        k += more.d->n;
    }
    TRY(interp_take(in, kw, k, sizeof **kw));
    k = 0;
    for (const struct node *a = n->other; a; a = a->next, k++) {
        (*kw)[k].name = a->name;
        TRY(eval(in, s, a->a, &(*kw)[k].v));
    }
    for (size_t i = 0; n->c && i < more.d->n; i++, k++) {
        TRY(arg_str(in, more.d->key[i], "a keyword", &(*kw)[k].name));
        (*kw)[k].v = more.d->val[i];
    }
    *count = k;
    return 0;
}

int eval_args(struct interp *in, struct scope *s, const struct node *n,
              struct args *out)
{
    struct values l = {in};
    struct keyword *kw = NULL;
    const struct value *items;
    struct value v;
    size_t more;

    *out = (struct args){0};
    for (const struct node *a = n->list; a; a = a->next) {
        TRY(eval(in, s, a, &v));
        TRY(values_add(&l, v));
    }
    if (n->b) {
        TRY(eval(in, s, n->b, &v));
        TRY(value_iterate(in, v, &items, &more));
        for (size_t i = 0; i < more; i++)
            TRY(values_add(&l, items[i]));
    }
    out->v = l.v;
    out->n = l.n;
    if (n->other || n->c)
        TRY(add_keywords(in, s, n, &kw, &out->nkw));
    out->kw = kw;
    return 0;
}

/* ---- parts ----------------------------------------------------------------------------*/

static int eval_list(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct values l = {in};
    struct value v;

    for (const struct node *a = n->list; a; a = a->next) {
        TRY(eval(in, s, a, &v));
        TRY(values_add(&l, v));
    }
    return values_done(&l, n->type == N_TUPLE ? V_TUPLE : V_LIST, out);
}

static int eval_dict(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct dict *d;
    struct value key, val;

    TRY(dict_new(in, &d));
    for (const struct node *pair = n->list; pair; pair = pair->next) {
        TRY(eval(in, s, pair->a, &key));
        TRY(eval(in, s, pair->b, &val));
        TRY(dict_set(in, d, key, val));
    }
    *out = dict_value(d);
    return 0;
}

static int eval_concat(struct interp *in, struct scope *s, const struct node *n,
                       struct value *out)
{
    struct buf b = {in};
    const struct str *str;
    struct value v;

    for (const struct node *a = n->list; a; a = a->next) {
        TRY(eval(in, s, a, &v));
        TRY(show_put_str(&b, v));
    }
    TRY(buf_done(&b, &str));
    *out = value_str(str);
    return 0;
}

static int eval_compare(struct interp *in, struct scope *s, const struct node *n,
                        struct value *out)
{
    struct value left, right;
    int holds = 1;

    TRY(eval(in, s, n->a, &left));
    for (const struct node *o = n->list; o && holds; o = o->next) {
        TRY(eval(in, s, o->a, &right));
        TRY(op_compare(in, (enum op)o->op, left, right, &holds));
        left = right;
    }
    *out = value_bool(holds);
    return 0;
}

static int eval_cond(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    TRY(eval(in, s, n->a, out));
    if (value_truth(*out))
        return eval(in, s, n->b, out);
    if (n->c)
        return eval(in, s, n->c, out);
    return value_undefined(in, out, "an 'if' without 'else' has no value here");
}

static int eval_binary(struct interp *in, struct scope *s, const struct node *n,
                       struct value *out)
{
    struct value a, b;

    TRY(eval(in, s, n->a, &a));
    TRY(eval(in, s, n->b, &b));
    in->line = n->line;
    return op_binary(in, (enum op)n->op, a, b, out);
}

static int eval_item(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct value v, key;

    TRY(eval(in, s, n->a, &v));
    TRY(eval(in, s, n->b, &key));
    return lookup_item(in, v, key, out);
}

static int eval_slice(struct interp *in, struct scope *s, const struct node *n,
                      struct value *out)
{
    const struct node *part[3] = {n->b, n->c, n->d};
    struct value v, bound[3] = {{0}};

    TRY(eval(in, s, n->a, &v));
    for (int i = 0; i < 3; i++)
        if (part[i])
            TRY(eval(in, s, part[i], &bound[i]));
    return lookup_slice(in, v, bound, out);
}

static int eval_call(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct value f;
    struct args a;

    TRY(eval(in, s, n->a, &f));
    TRY(eval_args(in, s, n, &a));
    in->line = n->line;
    return call_value(in, f, &a, out);
}

/* A filter or a test. */
static int eval_named(struct interp *in, struct scope *s, const struct node *n,
                      struct value *out)
{
    struct value v;
    struct args a;

    TRY(eval(in, s, n->a, &v));
    TRY(eval_args(in, s, n, &a));
    in->line = n->line;
    if (!n->fn)
        return interp_fault(in, ERR_FILE, "the %s '%.*s' is not known",
                            n->type == N_TEST ? "test" : "filter", (int)n->name->n,
                            n->name->s);
    return call_builtin(in, n->fn, v, &a, out);
}

static int eval_input(struct interp *in, const struct scope *s, struct value *out)
{
    while (s && s->input.type == V_MISSING)
        s = s->outer;
    *out = s ? s->input : value_none();
    return s ? 0 : interp_fault(in, ERR_FILE, "a filter without a value");
}

static int eval_sign(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct value v;

    TRY(eval(in, s, n->a, &v));
    if (n->type == N_NOT) {
        *out = value_bool(!value_truth(v));
        return 0;
    }
    TRY(op_negate(in, v, out));
    return n->type == N_POS ? op_negate(in, *out, out) : 0;
}

static int eval_logic(struct interp *in, struct scope *s, const struct node *n,
                      struct value *out)
{
    TRY(eval(in, s, n->a, out));
    if (value_truth(*out) == (n->type == N_OR))
        return 0;
    return eval(in, s, n->b, out);
}

static int eval_node(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    switch (n->type) {
    case N_CONST: *out = n->value; return 0;
    case N_NAME: return scope_get(in, s, n->name, out);
    case N_ATTR:
        TRY(eval(in, s, n->a, out));
        return lookup_attr(in, *out, n->name, out);
    case N_ITEM: return eval_item(in, s, n, out);
    case N_SLICE: return eval_slice(in, s, n, out);
    case N_LIST:
    case N_TUPLE: return eval_list(in, s, n, out);
    case N_DICT: return eval_dict(in, s, n, out);
    case N_CALL: return eval_call(in, s, n, out);
    case N_FILTER:
    case N_TEST: return eval_named(in, s, n, out);
    case N_INPUT: return eval_input(in, s, out);
    case N_NOT:
    case N_NEG:
    case N_POS: return eval_sign(in, s, n, out);
    case N_AND:
    case N_OR: return eval_logic(in, s, n, out);
    case N_BINARY: return eval_binary(in, s, n, out);
    case N_CONCAT: return eval_concat(in, s, n, out);
    case N_COMPARE: return eval_compare(in, s, n, out);
    case N_COND: return eval_cond(in, s, n, out);
    default: return interp_fault(in, ERR_FILE, "a statement among expressions");
    }
}

int eval(struct interp *in, struct scope *s, const struct node *n, struct value *out)
{
    in->line = n->line;
    TRY(interp_enter(in));
    TRY(interp_steps(in, 1));
    TRY(eval_node(in, s, n, out));
    interp_leave(in);
    return 0;
}
