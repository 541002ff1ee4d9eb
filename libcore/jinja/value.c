#include "jinja/value.h"

#include "jinja/dict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- making ---------------------------------------------------------------------------*/

struct value value_none(void)
{
    return (struct value){.type = V_NONE};
}

struct value value_bool(int b)
{
    return (struct value){.type = V_BOOL, .i = b != 0};
}

struct value value_int(int64_t i)
{
    return (struct value){.type = V_INT, .i = i};
}

struct value value_float(double f)
{
    return (struct value){.type = V_FLOAT, .f = f};
}

struct value value_str(const struct str *s)
{
    return (struct value){.type = V_STR, .s = s};
}

int value_undefined(struct interp *in, struct value *out, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    char *s;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const size_t n = strlen(text);
    struct str *str;
    TRY(interp_take(in, &s, n + 1, 1));
    TRY(interp_take(in, &str, 1, sizeof *str));
    memcpy(s, text, n + 1);
    *str = (struct str){.s = s, .n = n};
    *out = (struct value){.type = V_UNDEFINED, .s = str};
    return 0;
}

int value_seq(struct interp *in, enum value_type type, size_t n, struct value *out)
{
    struct seq *l;

    TRY(interp_steps(in, n >> 4));
    TRY(interp_take(in, &l, 1, sizeof *l));
    *l = (struct seq){.n = n};
    TRY(interp_take(in, &l->v, n, sizeof *l->v));
    for (size_t i = 0; i < n; i++)
        l->v[i] = value_none();
    *out = (struct value){.type = type, .l = l};
    return 0;
}

int value_text(struct interp *in, const char *s, size_t n, enum str_who who,
               struct value *out)
{
    const struct str *str;

    TRY(str_of(in, s, n, who, &str));
    *out = value_str(str);
    return 0;
}

int values_add(struct values *l, struct value v)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 8;
        struct value *more;

        TRY(interp_take(l->in, &more, cap, sizeof *more));
        if (l->n > 0)
            memcpy(more, l->v, l->n * sizeof *more);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return interp_steps(l->in, 1);
}

int values_done(struct values *l, enum value_type type, struct value *out)
{
    TRY(value_seq(l->in, type, 0, out));
    out->l->v = l->v;
    out->l->n = l->n;
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------*/

const char *value_type_name(struct value v)
{
    static const char *const name[] = {
        [V_MISSING] = "nothing",
        [V_UNDEFINED] = "Undefined",
        [V_NONE] = "NoneType",
        [V_BOOL] = "bool",
        [V_INT] = "int",
        [V_FLOAT] = "float",
        [V_STR] = "str",
        [V_LIST] = "list",
        [V_TUPLE] = "tuple",
        [V_ITER] = "generator",
        [V_RANGE] = "range",
        [V_KEYS] = "dict_keys",
        [V_VALUES] = "dict_values",
        [V_ITEMS] = "dict_items",
        [V_DICT] = "dict",
        [V_NAMESPACE] = "Namespace",
        [V_LOOP] = "LoopContext",
        [V_MACRO] = "Macro",
        [V_METHOD] = "method",
        [V_FUNCTION] = "function",
        [V_CYCLER] = "Cycler",
        [V_JOINER] = "Joiner",
    };

    return name[v.type];
}

int value_is_seq(struct value v)
{
    return v.type >= V_LIST && v.type <= V_ITEMS;
}

int value_is_number(struct value v)
{
    return v.type == V_BOOL || v.type == V_INT || v.type == V_FLOAT;
}

double value_double(struct value v)
{
    return v.type == V_FLOAT ? v.f : (double)v.i;
}

int value_truth(struct value v)
{
    switch (v.type) {
    case V_MISSING:
    case V_UNDEFINED:
    case V_NONE: return 0;
    case V_BOOL:
    case V_INT: return v.i != 0;
    case V_FLOAT: return v.f != 0;
    case V_STR: return v.s->n > 0;
    case V_LIST:
    case V_TUPLE:
    case V_RANGE:
    case V_KEYS:
    case V_VALUES:
    case V_ITEMS: return v.l->n > 0;
    case V_DICT: return v.d->n > 0;
    default: return 1; /* a generator too, whatever it holds */
    }
}

/* ---- equality -------------------------------------------------------------------------*/

static int equal_pairs(struct interp *in, const struct dict *a, const struct dict *b,
                       int *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++) {
        const struct value *v = dict_get(b, a->key[i]);

        *out = 0;
        if (v)
            TRY(value_equal(in, a->val[i], *v, out));
    }
    return 0;
}

static int equal_items(struct interp *in, const struct seq *a, const struct seq *b,
                       int *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++)
        TRY(value_equal(in, a->v[i], b->v[i], out));
    return 0;
}

static int equal_numbers(struct value a, struct value b)
{
    if (a.type != V_FLOAT && b.type != V_FLOAT)
        return a.i == b.i;
    return value_double(a) == value_double(b);
}

int value_equal(struct interp *in, struct value a, struct value b, int *out)
{
    int rc = 0;

    TRY(interp_steps(in, 1));
    *out = 0;
    if (value_is_number(a) && value_is_number(b)) {
        *out = equal_numbers(a, b);
        return 0;
    }
    if (a.type != b.type)
        return 0;
    TRY(interp_enter(in));
    switch (a.type) {
    case V_UNDEFINED:
    case V_NONE: *out = 1; break;
    case V_STR: *out = str_equal(a.s, b.s); break;
    case V_LIST:
    case V_TUPLE:
    case V_RANGE: rc = equal_items(in, a.l, b.l, out); break;
    case V_DICT: rc = equal_pairs(in, a.d, b.d, out); break;
    case V_KEYS: rc = equal_items(in, a.l, b.l, out); break;
    default: *out = a.l == b.l; /* the same object */
    }
    interp_leave(in);
    return rc;
}

/* ---- order ----------------------------------------------------------------------------*/

static int order_items(struct interp *in, const struct seq *a, const struct seq *b,
                       int *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        int same;

        TRY(value_equal(in, a->v[i], b->v[i], &same));
        if (!same)
            return value_order(in, a->v[i], b->v[i], out);
    }
    *out = (a->n > b->n) - (a->n < b->n);
    return 0;
}

static int order_numbers(struct value a, struct value b)
{
    if (a.type != V_FLOAT && b.type != V_FLOAT)
        return (a.i > b.i) - (a.i < b.i);
    const double x = value_double(a), y = value_double(b);

    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

int value_order(struct interp *in, struct value a, struct value b, int *out)
{
    TRY(interp_steps(in, 1));
    if (value_is_number(a) && value_is_number(b)) {
        *out = order_numbers(a, b);
        return 0;
    }
    if (a.type == V_STR && b.type == V_STR) {
        const int c = str_compare(a.s, b.s);

        *out = (c > 0) - (c < 0);
        return 0;
    }
    if (a.type != b.type || (a.type != V_LIST && a.type != V_TUPLE))
        return interp_fault(in, ERR_RECORD, "a %s and a %s have no order",
                            value_type_name(a), value_type_name(b));
    TRY(interp_enter(in));
    TRY(order_items(in, a.l, b.l, out));
    interp_leave(in);
    return 0;
}

/* ---- containers -----------------------------------------------------------------------*/

int value_in(struct interp *in, struct value a, struct value b, int *out)
{
    const struct value *items;
    size_t n;

    if (b.type == V_STR) {
        if (a.type != V_STR)
            return interp_fault(in, ERR_RECORD, "'in' a str needs a str, not a %s",
                                value_type_name(a));
        TRY(interp_steps(in, b.s->n >> 10));
        *out = str_find(b.s, a.s, 0, b.s->n) >= 0;
        return 0;
    }
    if ((b.type == V_DICT || b.type == V_KEYS) && !dict_is_key(a))
        return interp_fault(in, ERR_RECORD, "a %s cannot be a key", value_type_name(a));
    if (b.type == V_DICT) {
        *out = dict_get(b.d, a) != NULL;
        return 0;
    }
    TRY(value_iterate(in, b, &items, &n));
    *out = 0;
    for (size_t i = 0; i < n && !*out; i++)
        TRY(value_equal(in, items[i], a, out));
    return 0;
}

int value_length(struct interp *in, struct value v, size_t *out)
{
    *out = 0;
    if (v.type == V_UNDEFINED)
        return 0;
    if (v.type == V_STR)
        *out = v.s->chars;
    else if (value_is_seq(v) && v.type != V_ITER)
        *out = v.l->n;
    else if (v.type == V_DICT)
        *out = v.d->n;
    else
        return interp_fault(in, ERR_RECORD, "a %s has no length", value_type_name(v));
    return 0;
}

static int characters(struct interp *in, const struct str *s,
                      const struct value **items, size_t *n)
{
    struct values l = {in};

    for (size_t at = 0, len; at < s->n; at += len) {
        const struct str *one;

        (void)str_at(s, at, &len);
        TRY(str_sub(in, s, at, at + len, &one));
        TRY(values_add(&l, value_str(one)));
    }
    *items = l.v;
    *n = l.n;
    return 0;
}

int value_iterate(struct interp *in, struct value v, const struct value **items,
                  size_t *n)
{
    *items = NULL;
    *n = 0;
    if (v.type == V_UNDEFINED)
        return 0;
    if (v.type == V_STR)
        return characters(in, v.s, items, n);
    if (v.type == V_DICT) {
        *items = v.d->key;
        *n = v.d->n;
        return 0;
    }
    if (!value_is_seq(v))
        return interp_fault(in, ERR_RECORD, "a %s cannot be iterated over",
                            value_type_name(v));
    *n = v.l->n - v.l->at;
    *items = *n ? v.l->v + v.l->at : NULL;
    if (v.type == V_ITER)
        v.l->at = v.l->n;
    return 0;
}

int value_want_int(struct interp *in, struct value v, const char *what, int64_t *out)
{
    if (v.type == V_INT || v.type == V_BOOL) {
        *out = v.i;
        return 0;
    }
    if (v.type == V_UNDEFINED && v.s)
        return interp_fault(in, ERR_RECORD, "%.*s", (int)v.s->n, v.s->s);
    return interp_fault(in, ERR_RECORD, "%s is a %s, an integer expected", what,
                        value_type_name(v));
}
