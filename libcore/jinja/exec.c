#include "jinja/exec.h"

#include "jinja/dict.h"
#include "jinja/show.h"

/* ---- scopes and targets ---------------------------------------------------------------*/

static int scope_new(struct interp *in, struct scope *outer, struct scope **out)
{
    TRY(interp_take(in, out, 1, sizeof **out));
    **out = (struct scope){.outer = outer};
    return 0;
}

static int set_member(struct interp *in, struct scope *s, const struct node *target,
                      struct value v)
{
    struct value ns;

    TRY(scope_get(in, s, target->name, &ns));
    if (ns.type != V_NAMESPACE)
        return interp_fault(in, ERR_RECORD,
                            "'%.*s' is no namespace, so '.%.*s' of it "
                            "cannot be set",
                            (int)target->name->n, target->name->s,
                            (int)target->a->name->n, target->a->name->s);
    if (target->a->name->n > 0 && target->a->name->s[0] == '_')
        return interp_fault(in, ERR_FILE, "a namespace may not have '%.*s'",
                            (int)target->a->name->n, target->a->name->s);
    return dict_set(in, ns.d, value_str(target->a->name), v);
}

static int assign(struct interp *in, struct scope *s, const struct node *target,
                  struct value v)
{
    const struct value *items;
    size_t n, i = 0, want = 0;

    if (target->type == N_NSREF)
        return set_member(in, s, target, v);
    if (target->type == N_NAME)
        return scope_set(in, s, target->name, v);
    TRY(value_iterate(in, v, &items, &n));
    for (const struct node *t = target->list; t; t = t->next)
        want++;
    if (want != n)
        return interp_fault(in, ERR_RECORD, "%zu values for %zu names", n, want);
    for (const struct node *t = target->list; t; t = t->next)
        TRY(assign(in, s, t, items[i++]));
    return 0;
}

/* A body into a string. */
static int capture(struct interp *in, struct scope *s, const struct node *body,
                   const struct str **out)
{
    struct buf b = {in};

    TRY(exec(in, s, body, &b));
    return buf_done(&b, out);
}

/* What the filters make of a body's text. */
static int through_filters(struct interp *in, struct scope *inner,
                           const struct node *body, const struct node *filters,
                           struct value *out)
{
    const struct str *text;

    TRY(capture(in, inner, body, &text));
    *out = value_str(text);
    if (!filters)
        return 0;
    inner->input = *out;
    return eval(in, inner, filters, out);
}

/* ---- loops ----------------------------------------------------------------------------*/

/* The next item that passes the condition: 1, 0 if there is none. */
static int loop_find(struct interp *in, struct loop *l, struct value *out)
{
    while (l->next < l->nitems) {
        struct scope *s;
        struct value passes;

        *out = l->items[l->next++];
        if (!l->n->c || l->counted)
            return 1;
        TRY(scope_new(in, l->scope, &s));
        TRY(assign(in, s, l->n->a, *out));
        TRY(eval(in, s, l->n->c, &passes));
        if (value_truth(passes))
            return 1;
    }
    return 0;
}

static int loop_step(struct interp *in, struct loop *l)
{
    struct value v = l->after;

    if (v.type == V_MISSING) {
        const int rc = loop_find(in, l, &v);

        if (rc <= 0)
            return rc;
    }
    l->after = (struct value){0};
    l->before = l->current;
    l->current = v;
    l->index0++;
    return 1;
}

/* 1 if another item comes: it is l->after then. */
static int loop_peek(struct interp *in, struct loop *l)
{
    struct value v;
    int rc = 1;

    if (l->after.type == V_MISSING && (rc = loop_find(in, l, &v)) > 0)
        l->after = v;
    return rc;
}

static int loop_count(struct interp *in, struct loop *l)
{
    struct values rest = {in};
    struct value v;
    int rc;

    if (l->length >= 0)
        return 0;
    while ((rc = loop_find(in, l, &v)) > 0)
        TRY(values_add(&rest, v));
    l->items = rest.v;
    l->nitems = rest.n;
    l->next = 0;
    l->counted = 1;
    l->length = (int64_t)rest.n + l->index0 + 1 + (l->after.type != V_MISSING);
    return rc;
}

static int neighbour(struct interp *in, struct value v, const char *what,
                     struct value *out)
{
    *out = v;
    return v.type != V_MISSING ? 0
                               : value_undefined(in, out, "there is no %s item", what);
}

static int loop_changed(struct interp *in, struct value self, const struct args *a,
                        struct value *out)
{
    struct loop *l = self.loop;
    struct value now;
    int same = 0;

    TRY(value_seq(in, V_TUPLE, a->n, &now));
    for (size_t i = 0; i < a->n; i++)
        now.l->v[i] = a->v[i];
    if (l->seen.type != V_MISSING)
        TRY(value_equal(in, l->seen, now, &same));
    l->seen = now;
    *out = value_bool(!same);
    return 0;
}

static int loop_cycle(struct interp *in, struct value self, const struct args *a,
                      struct value *out)
{
    if (a->n == 0)
        return interp_fault(in, ERR_RECORD, "cycle() without values");
    *out = a->v[(size_t)self.loop->index0 % a->n];
    return 0;
}

static const struct builtin loop_methods[] = {
    {"cycle", .any = loop_cycle},
    {"changed", .any = loop_changed},
    {0},
};

static int loop_method(struct interp *in, struct loop *l, const struct str *name,
                       struct value *out)
{
    const struct builtin *fn = builtin_find(loop_methods, name);
    struct method *m;

    if (!fn)
        return 0;
    TRY(interp_take(in, &m, 1, sizeof *m));
    *m = (struct method){fn, {.type = V_LOOP, .loop = l}};
    *out = (struct value){.type = V_METHOD, .b = m};
    return 1;
}

int exec_loop_attr(struct interp *in, struct loop *l, const struct str *name,
                   struct value *out)
{
    int rc;

    if (str_is(name, "index0")) {
        *out = value_int(l->index0);
    } else if (str_is(name, "index")) {
        *out = value_int(l->index0 + 1);
    } else if (str_is(name, "first")) {
        *out = value_bool(l->index0 == 0);
    } else if (str_is(name, "last")) {
        if ((rc = loop_peek(in, l)) < 0)
            return rc;
        *out = value_bool(!rc);
    } else if (str_is(name, "previtem")) {
        TRY(neighbour(in, l->before, "previous", out));
    } else if (str_is(name, "nextitem")) {
        TRY(loop_peek(in, l));
        TRY(neighbour(in, l->after, "next", out));
    } else if (str_is(name, "depth") || str_is(name, "depth0")) {
        *out = value_int(name->n == 5); /* loops are not recursive */
    } else if (str_is(name, "length") || str_is(name, "revindex") ||
               str_is(name, "revindex0")) {
        TRY(loop_count(in, l));
        *out = value_int(name->n == 6   ? l->length
                         : name->n == 8 ? l->length - l->index0
                                        : l->length - l->index0 - 1);
    } else {
        return loop_method(in, l, name, out);
    }
    return 1;
}

static int exec_for(struct interp *in, struct scope *s, const struct node *n,
                    struct buf *out)
{
    const struct str *name;
    struct scope *inner;
    struct loop *l;
    struct value v;
    int rc;

    TRY(eval(in, s, n->b, &v));
    TRY(interp_take(in, &l, 1, sizeof *l));
    *l = (struct loop){.n = n, .scope = s, .index0 = -1, .length = -1};
    TRY(value_iterate(in, v, &l->items, &l->nitems));
    TRY(str_lit(in, "loop", &name));
    while ((rc = loop_step(in, l)) > 0) {
        TRY(scope_new(in, s, &inner));
        TRY(scope_set(in, inner, name, (struct value){.type = V_LOOP, .loop = l}));
        TRY(assign(in, inner, n->a, l->current));
        TRY(rc = exec(in, inner, n->list, out));
        if (rc == FLOW_BREAK)
            return FLOW_NEXT;
    }
    if (rc < 0 || l->index0 >= 0)
        return rc;
    TRY(scope_new(in, s, &inner));
    return exec(in, inner, n->other, out);
}

/* ---- macros ---------------------------------------------------------------------------*/

/* The rest of the positional arguments, and of the keywords. */
static int bind_rest(struct interp *in, const struct macro *m, struct scope *s,
                     const struct args *a, size_t taken, const char *used)
{
    const int wants_caller = m->n->op & USES_CALLER;
    const struct str *name;
    struct value rest;
    struct dict *d;

    if (a->n > taken && !(m->n->op & USES_VARARGS))
        return interp_fault(in, ERR_RECORD,
                            "the macro '%.*s' takes %zu arguments, %zu "
                            "are given",
                            (int)m->n->name->n, m->n->name->s, taken, a->n);
    TRY(value_seq(in, V_TUPLE, a->n - (a->n > taken ? taken : a->n), &rest));
    for (size_t i = 0; i < rest.l->n; i++)
        rest.l->v[i] = a->v[taken + i];
    TRY(str_lit(in, "varargs", &name));
    if (m->n->op & USES_VARARGS)
        TRY(scope_set(in, s, name, rest));
    TRY(dict_new(in, &d));
    for (size_t i = 0; i < a->nkw; i++) {
        if (used[i])
            continue;
        if (wants_caller && str_is(a->kw[i].name, "caller"))
            TRY(scope_set(in, s, a->kw[i].name, a->kw[i].v));
        else if (m->n->op & USES_KWARGS)
            TRY(dict_set(in, d, value_str(a->kw[i].name), a->kw[i].v));
        else
            return interp_fault(in, ERR_RECORD,
                                "the macro '%.*s' has no argument '%.*s'",
                                (int)m->n->name->n, m->n->name->s,
                                (int)a->kw[i].name->n, a->kw[i].name->s);
    }
    TRY(str_lit(in, "kwargs", &name));
    return m->n->op & USES_KWARGS ? scope_set(in, s, name, dict_value(d)) : 0;
}

/* The value of the parameter number i: given, by default, or undefined. */
static int bind_param(struct interp *in, struct scope *s, const struct node *p,
                      size_t i, const struct args *a, char *used, struct value *out)
{
    if (i < a->n) {
        *out = a->v[i];
        return 0;
    }
    for (size_t k = 0; k < a->nkw; k++)
        if (str_equal(a->kw[k].name, p->name)) {
            used[k] = 1;
            *out = a->kw[k].v;
            return 0;
        }
    if (p->a)
        return eval(in, s, p->a, out);
    return value_undefined(in, out, "parameter '%.*s' was not provided",
                           (int)p->name->n, p->name->s);
}

static int no_caller(struct interp *in, struct scope *s)
{
    const struct str *name;
    struct value v;

    TRY(str_lit(in, "caller", &name));
    TRY(value_undefined(in, &v, "no caller defined"));
    return scope_set(in, s, name, v);
}

int exec_macro(struct interp *in, const struct macro *m, const struct args *a,
               struct value *out)
{
    struct scope *s;
    const struct str *text;
    struct value v;
    size_t i = 0;
    char *used;

    TRY(interp_enter(in));
    TRY(scope_new(in, m->scope, &s));
    TRY(interp_take(in, &used, a->nkw, 1));
    for (size_t k = 0; k < a->nkw; k++)
        used[k] = 0;
    if (m->n->op & USES_CALLER)
        TRY(no_caller(in, s));
    for (const struct node *p = m->n->other; p; p = p->next, i++) {
        TRY(bind_param(in, s, p, i, a, used, &v));
        TRY(scope_set(in, s, p->name, v));
    }
    TRY(bind_rest(in, m, s, a, i, used));
    TRY(capture(in, s, m->n->list, &text));
    *out = value_str(text);
    interp_leave(in);
    return 0;
}

static int macro_new(struct interp *in, struct scope *s, const struct node *n,
                     struct value *out)
{
    struct macro *m;

    TRY(interp_take(in, &m, 1, sizeof *m));
    *m = (struct macro){n, s};
    *out = (struct value){.type = V_MACRO, .m = m};
    return 0;
}

static int exec_call_block(struct interp *in, struct scope *s, const struct node *n,
                           struct buf *out)
{
    struct value f, caller;
    struct keyword *kw;
    struct args a;

    TRY(eval(in, s, n->a->a, &f));
    TRY(eval_args(in, s, n->a, &a));
    TRY(macro_new(in, s, n->b, &caller));
    TRY(interp_take(in, &kw, a.nkw + 1, sizeof *kw));
    for (size_t i = 0; i < a.nkw; i++)
        kw[i] = a.kw[i];
    kw[a.nkw++] = (struct keyword){n->b->name, caller};
    a.kw = kw;
    TRY(call_value(in, f, &a, &f));
    return show_put_str(out, f);
}

/* ---- statements -----------------------------------------------------------------------*/

static int exec_if(struct interp *in, struct scope *s, const struct node *n,
                   struct buf *out)
{
    struct value v;

    for (;; n = n->other) {
        TRY(eval(in, s, n->a, &v));
        if (value_truth(v))
            return exec(in, s, n->list, out);
        if (!n->other || n->other->type != N_IF || n->other->next)
            return exec(in, s, n->other, out);
    }
}

static int exec_set_block(struct interp *in, struct scope *s, const struct node *n)
{
    struct scope *inner;
    struct value v;

    TRY(scope_new(in, s, &inner));
    TRY(through_filters(in, inner, n->list, n->b, &v));
    return assign(in, s, n->a, v);
}

static int exec_filtered(struct interp *in, struct scope *s, const struct node *n,
                         struct buf *out)
{
    struct scope *inner;
    struct value v;

    TRY(scope_new(in, s, &inner));
    TRY(through_filters(in, inner, n->list, n->b, &v));
    if (v.type != V_STR)
        return interp_fault(in, ERR_RECORD, "a filter block gives a %s, a str expected",
                            value_type_name(v));
    return buf_add(out, v.s);
}

static int exec_with(struct interp *in, struct scope *s, const struct node *n,
                     struct buf *out)
{
    struct scope *inner;
    struct value v;

    TRY(scope_new(in, s, &inner));
    for (const struct node *set = n->other; set; set = set->next) {
        TRY(eval(in, s, set->b, &v));
        TRY(assign(in, inner, set->a, v));
    }
    return exec(in, inner, n->list, out);
}

static int exec_set(struct interp *in, struct scope *s, const struct node *n)
{
    struct value v;

    TRY(eval(in, s, n->b, &v));
    return assign(in, s, n->a, v);
}

static int exec_output(struct interp *in, struct scope *s, const struct node *n,
                       struct buf *out)
{
    struct value v;

    TRY(eval(in, s, n->a, &v));
    return show_put_str(out, v);
}

static int exec_one(struct interp *in, struct scope *s, const struct node *n,
                    struct buf *out)
{
    struct value v;

    switch (n->type) {
    case N_DATA: return buf_add(out, n->value.s);
    case N_OUTPUT: return exec_output(in, s, n, out);
    case N_FOR: return exec_for(in, s, n, out);
    case N_IF: return exec_if(in, s, n, out);
    case N_SET: return exec_set(in, s, n);
    case N_SETBLOCK: return exec_set_block(in, s, n);
    case N_MACRO: TRY(macro_new(in, s, n, &v)); return scope_set(in, s, n->name, v);
    case N_CALLBLOCK: return exec_call_block(in, s, n, out);
    case N_FILTERED: return exec_filtered(in, s, n, out);
    case N_WITH: return exec_with(in, s, n, out);
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    default: return interp_fault(in, ERR_FILE, "an expression among statements");
    }
}

int exec(struct interp *in, struct scope *s, const struct node *n, struct buf *out)
{
    int rc = FLOW_NEXT;

    TRY(interp_enter(in));
    for (; n && rc == FLOW_NEXT; n = n->next) {
        in->line = n->line;
        TRY(interp_steps(in, 1));
        TRY(rc = exec_one(in, s, n, out));
    }
    interp_leave(in);
    return rc;
}
