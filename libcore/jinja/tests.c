#include "jinja/tests.h"

#include "jinja/filters.h"
#include "jinja/methods.h"
#include "jinja/operators.h"
#include "jinja/show.h"

static int answer(struct value *out, int yes)
{
    *out = value_bool(yes);
    return 0;
}

/* ---- types ----------------------------------------------------------------------------*/

static int is_defined(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type != V_UNDEFINED);
}

static int is_undefined(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_UNDEFINED);
}

static int is_none(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_NONE);
}

static int is_boolean(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_BOOL);
}

static int is_true(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_BOOL && a[0].i);
}

static int is_false(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_BOOL && !a[0].i);
}

static int is_integer(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_INT);
}

static int is_float(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_FLOAT);
}

static int is_number(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, value_is_number(a[0]));
}

static int is_string(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_STR);
}

static int is_mapping(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_DICT);
}

static int is_sequence(struct interp *in, const struct value *a, struct value *out)
{
    const enum value_type t = a[0].type;

    (void)in;
    return answer(out, t == V_STR || t == V_LIST || t == V_TUPLE || t == V_RANGE ||
                           t == V_DICT || t == V_UNDEFINED);
}

static int is_iterable(struct interp *in, const struct value *a, struct value *out)
{
    const enum value_type t = a[0].type;

    (void)in;
    return answer(out, t == V_STR || value_is_seq(a[0]) || t == V_DICT ||
                           t == V_UNDEFINED || t == V_LOOP);
}

static int is_callable(struct interp *in, const struct value *a, struct value *out)
{
    const enum value_type t = a[0].type;

    (void)in;
    return answer(out, t == V_MACRO || t == V_METHOD || t == V_FUNCTION ||
                           t == V_JOINER || t == V_LOOP || t == V_UNDEFINED);
}

static int is_escaped(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_STR && a[0].s->safe);
}

/* ---- values ---------------------------------------------------------------------------*/

static int remainder_is(struct interp *in, struct value v, struct value by,
                        int64_t want, struct value *out)
{
    struct value r;
    int same;

    TRY(op_binary(in, OP_MOD, v, by, &r));
    TRY(value_equal(in, r, value_int(want), &same));
    return answer(out, same);
}

static int is_odd(struct interp *in, const struct value *a, struct value *out)
{
    return remainder_is(in, a[0], value_int(2), 1, out);
}

static int is_even(struct interp *in, const struct value *a, struct value *out)
{
    return remainder_is(in, a[0], value_int(2), 0, out);
}

static int is_divisible(struct interp *in, const struct value *a, struct value *out)
{
    return remainder_is(in, a[0], a[1], 0, out);
}

static int compare(struct interp *in, enum op op, const struct value *a,
                   struct value *out)
{
    int yes;

    TRY(op_compare(in, op, a[0], a[1], &yes));
    return answer(out, yes);
}

static int is_eq(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_EQ, a, out);
}

static int is_ne(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_NE, a, out);
}

static int is_gt(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_GT, a, out);
}

static int is_ge(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_GE, a, out);
}

static int is_lt(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_LT, a, out);
}

static int is_le(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_LE, a, out);
}

static int is_in(struct interp *in, const struct value *a, struct value *out)
{
    return compare(in, OP_IN, a, out);
}

/* The same object: of what has no identity of its own, the same value and type. */
static int is_same(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    if (a[0].type != a[1].type)
        return answer(out, 0);
    switch (a[0].type) {
    case V_NONE: return answer(out, 1);
    case V_BOOL:
    case V_INT: return answer(out, a[0].i == a[1].i);
    default: return answer(out, a[0].s == a[1].s);
    }
}

static int cased(struct interp *in, struct value v, enum char_kind want,
                 enum char_kind never, struct value *out)
{
    const struct str *s;

    TRY(show_str(in, v, &s));
    return answer(out, methods_is_cased(s, want, never));
}

static int is_lower(struct interp *in, const struct value *a, struct value *out)
{
    return cased(in, a[0], CHAR_LOWER, CHAR_UPPER, out);
}

static int is_upper(struct interp *in, const struct value *a, struct value *out)
{
    return cased(in, a[0], CHAR_UPPER, CHAR_LOWER, out);
}

static int is_filter(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_STR && filter_find(a[0].s) != NULL);
}

static int is_test(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return answer(out, a[0].type == V_STR && test_find(a[0].s) != NULL);
}

static const struct builtin tests[] = {
    {"defined", "", is_defined},     {"undefined", "", is_undefined},
    {"none", "", is_none},           {"boolean", "", is_boolean},
    {"true", "", is_true},           {"false", "", is_false},
    {"integer", "", is_integer},     {"float", "", is_float},
    {"number", "", is_number},       {"string", "", is_string},
    {"mapping", "", is_mapping},     {"sequence", "", is_sequence},
    {"iterable", "", is_iterable},   {"callable", "", is_callable},
    {"escaped", "", is_escaped},     {"odd", "", is_odd},
    {"even", "", is_even},           {"divisibleby", "num", is_divisible},
    {"eq", "other", is_eq},          {"equalto", "other", is_eq},
    {"==", "other", is_eq},          {"ne", "other", is_ne},
    {"!=", "other", is_ne},          {"gt", "other", is_gt},
    {"greaterthan", "other", is_gt}, {">", "other", is_gt},
    {"ge", "other", is_ge},          {">=", "other", is_ge},
    {"lt", "other", is_lt},          {"lessthan", "other", is_lt},
    {"<", "other", is_lt},           {"le", "other", is_le},
    {"<=", "other", is_le},          {"in", "seq", is_in},
    {"sameas", "other", is_same},    {"lower", "", is_lower},
    {"upper", "", is_upper},         {"filter", "", is_filter},
    {"test", "", is_test},           {0},
};

const struct builtin *test_find(const struct str *name)
{
    return builtin_find(tests, name);
}

int test_named(struct interp *in, struct value name, struct value v,
               const struct args *a, int *out)
{
    const struct builtin *test;
    const struct str *s;
    struct value yes;

    TRY(arg_str(in, name, "a test's name", &s));
    if (!(test = test_find(s)))
        return interp_fault(in, ERR_FILE, "the test '%.*s' is not known", (int)s->n,
                            s->s);
    TRY(call_builtin(in, test, v, a, &yes));
    *out = value_truth(yes);
    return 0;
}
