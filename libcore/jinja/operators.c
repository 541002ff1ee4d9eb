#include "jinja/operators.h"

#include "jinja/call.h"
#include "jinja/format.h"

#include <math.h>
#include <string.h>

static const char *const sign[] = {
    [OP_ADD] = "+",       [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/",
    [OP_FLOORDIV] = "//", [OP_MOD] = "%", [OP_POW] = "**"};

static int beyond(struct interp *in)
{
    return interp_fault(in, ERR_RECORD, "an integer beyond 64 bits");
}

static int by_zero(struct interp *in)
{
    return interp_fault(in, ERR_RECORD, "division by zero");
}

static int mismatch(struct interp *in, enum op op, struct value a, struct value b)
{
    if (a.type == V_UNDEFINED)
        return arg_undefined(in, a);
    if (b.type == V_UNDEFINED)
        return arg_undefined(in, b);
    return interp_fault(in, ERR_RECORD, "'%s' of a %s and a %s", sign[op],
                        value_type_name(a), value_type_name(b));
}

/* ---- numbers --------------------------------------------------------------------------*/

static int power(struct interp *in, int64_t base, int64_t e, struct value *out)
{
    int64_t r = 1;

    if (e < 0) {
        if (base == 0)
            return by_zero(in);
        *out = value_float(pow((double)base, (double)e));
        return 0;
    }
    for (; e > 0; e >>= 1) {
        if (e & 1 && __builtin_mul_overflow(r, base, &r))
            return beyond(in);
        if (e > 1 && __builtin_mul_overflow(base, base, &base))
            return beyond(in);
    }
    *out = value_int(r);
    return 0;
}

static int integers(struct interp *in, enum op op, int64_t a, int64_t b,
                    struct value *out)
{
    int64_t r = 0;
    int over = 0;

    switch (op) {
    case OP_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case OP_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case OP_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case OP_POW: return power(in, a, b, out);
    default:
        if (b == 0)
            return by_zero(in);
        if (op == OP_DIV) {
            *out = value_float((double)a / (double)b);
            return 0;
        }
        if (b == -1) { /* INT64_MIN / -1 does not fit */
            over = op == OP_FLOORDIV && __builtin_sub_overflow(0, a, &r);
            break;
        }
        r = op == OP_MOD ? a % b : a / b;
        if (a % b != 0 && (a % b < 0) != (b < 0)) /* towards minus infinity */
            r += op == OP_MOD ? b : -1;
    }
    if (over)
        return beyond(in);
    *out = value_int(r);
    return 0;
}

/* Python's a % b: the sign of b. */
static double modulo(double a, double b)
{
    const double r = fmod(a, b);

    if (r == 0)
        return copysign(0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}

static int floats(struct interp *in, enum op op, double a, double b, struct value *out)
{
    double r;

    switch (op) {
    case OP_ADD: r = a + b; break;
    case OP_SUB: r = a - b; break;
    case OP_MUL: r = a * b; break;
    case OP_POW:
        if (a < 0 && b != floor(b))
            return interp_fault(in, ERR_RECORD, "'**' gives a complex number");
        if (a == 0 && b < 0)
            return by_zero(in);
        r = pow(a, b);
        if (isinf(r) && isfinite(a) && isfinite(b))
            return interp_fault(in, ERR_RECORD, "'**' gives a number too large");
        break;
    default:
        if (b == 0)
            return by_zero(in);
        r = op == OP_DIV   ? a / b
            : op == OP_MOD ? modulo(a, b)
                           : round((a - modulo(a, b)) / b);
    }
    *out = value_float(r);
    return 0;
}

int op_negate(struct interp *in, struct value a, struct value *out)
{
    int64_t r;

    if (a.type == V_UNDEFINED)
        return arg_undefined(in, a);
    if (!value_is_number(a))
        return interp_fault(in, ERR_RECORD, "a sign before a %s", value_type_name(a));
    if (a.type == V_FLOAT) {
        *out = value_float(-a.f);
        return 0;
    }
    if (__builtin_sub_overflow(0, a.i, &r))
        return beyond(in);
    *out = value_int(r);
    return 0;
}

/* ---- sequences ------------------------------------------------------------------------*/

int op_join(struct interp *in, const struct str *a, const struct str *b,
            struct value *out)
{
    const int safe = a->safe || b->safe;
    struct buf text = {in};
    const struct str *str;

    if (safe) {
        TRY(str_escape(in, a, &a));
        TRY(str_escape(in, b, &b));
    }
    TRY(buf_add(&text, a));
    TRY(buf_add(&text, b));
    TRY(buf_done(&text, &str));
    if (safe)
        TRY(str_mark_safe(in, str, 1, &str));
    *out = value_str(str);
    return 0;
}

static int repeat_str(struct interp *in, const struct str *s, int64_t times,
                      struct value *out)
{
    struct buf text = {in};
    const struct str *str;

    if (s->n > 0 && times > INTERP_TEXT / (int64_t)s->n)
        return interp_fault(in, ERR_RECORD, "a text of more than %d bytes",
                            INTERP_TEXT);
    const size_t n = times > 0 ? s->n * (size_t)times : 0;
    if (n > 0)
        TRY(buf_add(&text, s));
    while (text.n < n) { /* what is there, once more */
        const size_t more = text.n < n - text.n ? text.n : n - text.n;

        TRY(buf_put(&text, text.s, text.users ? text.user : NULL, more));
    }
    TRY(buf_done(&text, &str));
    if (s->safe)
        TRY(str_mark_safe(in, str, 1, &str));
    *out = value_str(str);
    return 0;
}

static int repeat(struct interp *in, struct value v, int64_t times, struct value *out)
{
    struct values l = {in};

    if (v.type == V_STR)
        return repeat_str(in, v.s, times, out);
    for (int64_t i = 0; v.l->n > 0 && i < times; i++)
        for (size_t k = 0; k < v.l->n; k++)
            TRY(values_add(&l, v.l->v[k]));
    return values_done(&l, v.type, out);
}

static int join_lists(struct interp *in, struct value a, struct value b,
                      struct value *out)
{
    struct values l = {in};

    for (size_t i = 0; i < a.l->n; i++)
        TRY(values_add(&l, a.l->v[i]));
    for (size_t i = 0; i < b.l->n; i++)
        TRY(values_add(&l, b.l->v[i]));
    return values_done(&l, a.type, out);
}

static int can_repeat(struct value v)
{
    return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE;
}

static int is_integer(struct value v)
{
    return v.type == V_INT || v.type == V_BOOL;
}

int op_binary(struct interp *in, enum op op, struct value a, struct value b,
              struct value *out)
{
    if (value_is_number(a) && value_is_number(b)) {
        if (a.type == V_FLOAT || b.type == V_FLOAT)
            return floats(in, op, value_double(a), value_double(b), out);
        return integers(in, op, a.i, b.i, out);
    }
    if (op == OP_MOD && a.type == V_STR)
        return format_percent(in, a.s, b, out);
    if (op == OP_ADD && a.type == V_STR && b.type == V_STR)
        return op_join(in, a.s, b.s, out);
    if (op == OP_ADD && a.type == b.type && (a.type == V_LIST || a.type == V_TUPLE))
        return join_lists(in, a, b, out);
    if (op == OP_MUL && can_repeat(a) && is_integer(b))
        return repeat(in, a, b.i, out);
    if (op == OP_MUL && can_repeat(b) && is_integer(a))
        return repeat(in, b, a.i, out);
    return mismatch(in, op, a, b);
}

int op_compare(struct interp *in, enum op op, struct value a, struct value b, int *out)
{
    int order;

    switch (op) {
    case OP_EQ: return value_equal(in, a, b, out);
    case OP_NE:
        TRY(value_equal(in, a, b, out));
        *out = !*out;
        return 0;
    case OP_IN: return value_in(in, a, b, out);
    case OP_NOT_IN:
        TRY(value_in(in, a, b, out));
        *out = !*out;
        return 0;
    default:
        if (a.type == V_UNDEFINED || b.type == V_UNDEFINED)
            return arg_undefined(in, a.type == V_UNDEFINED ? a : b);
        TRY(value_order(in, a, b, &order));
        if (order == 2) /* not a number */
            *out = 0;
        else
            *out = op == OP_LT   ? order < 0
                   : op == OP_LE ? order <= 0
                   : op == OP_GT ? order > 0
                                 : order >= 0;
        return 0;
    }
}
