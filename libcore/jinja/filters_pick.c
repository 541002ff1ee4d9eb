/*
 * Filters that pick, map and order the elements of a sequence by a test, a filter or an
 * attribute.
 */
#include "jinja/filters.h"

#include "jinja/casing.h"
#include "jinja/dict.h"
#include "jinja/lookup.h"
#include "jinja/tests.h"

/* ---- select, reject -------------------------------------------------------------------*/

enum pick { PICK_PASSING, PICK_FAILING };

/* The first `skip` arguments are an attribute; then a test's name and its arguments. */
static int pick(struct interp *in, struct value self, const struct args *a, size_t skip,
                enum pick which, struct value *out)
{
    struct values l = {in};
    const struct value *items;
    struct args rest = *a;
    size_t n;

    if (a->n < skip)
        return interp_fault(in, ERR_RECORD, "the attribute's name is missing");
    if (!value_truth(self)) /* whatever it is */
        return values_done(&l, V_ITER, out);
    TRY(value_iterate(in, self, &items, &n));
    if (a->n > skip) {
        rest.v += skip + 1;
        rest.n -= skip + 1;
    }
    for (size_t i = 0; i < n; i++) {
        struct value v = items[i];
        int passes;

        if (skip)
            TRY(lookup_path(in, v, a->v[0], &v));
        passes = value_truth(v);
        if (a->n > skip)
            TRY(test_named(in, a->v[skip], v, &rest, &passes));
        if (passes == (which == PICK_PASSING))
            TRY(values_add(&l, items[i]));
    }
    return values_done(&l, V_ITER, out);
}

static int do_select(struct interp *in, struct value self, const struct args *a,
                     struct value *out)
{
    return pick(in, self, a, 0, PICK_PASSING, out);
}

static int do_reject(struct interp *in, struct value self, const struct args *a,
                     struct value *out)
{
    return pick(in, self, a, 0, PICK_FAILING, out);
}

static int do_selectattr(struct interp *in, struct value self, const struct args *a,
                         struct value *out)
{
    return pick(in, self, a, 1, PICK_PASSING, out);
}

static int do_rejectattr(struct interp *in, struct value self, const struct args *a,
                         struct value *out)
{
    return pick(in, self, a, 1, PICK_FAILING, out);
}

/* ---- map ------------------------------------------------------------------------------*/

static int map_attribute(struct interp *in, const struct value *items, size_t n,
                         const struct args *a, struct values *l)
{
    const struct value *path = args_keyword(a, "attribute");
    const struct value *otherwise = args_keyword(a, "default");

    if (a->nkw > 1 + (otherwise != NULL))
        return interp_fault(in, ERR_RECORD, "map takes 'attribute' and 'default' only");
    for (size_t i = 0; i < n; i++) {
        struct value v;

        TRY(lookup_path(in, items[i], *path, &v));
        if (v.type == V_UNDEFINED && otherwise && otherwise->type != V_NONE)
            v = *otherwise;
        TRY(values_add(l, v));
    }
    return 0;
}

static int map_filter(struct interp *in, const struct value *items, size_t n,
                      const struct args *a, struct values *l)
{
    const struct builtin *filter;
    struct args rest = *a;
    const struct str *name;

    if (a->n == 0)
        return interp_fault(in, ERR_RECORD, "map without a filter");
    TRY(arg_str(in, a->v[0], "a filter's name", &name));
    if (!(filter = filter_find(name)))
        return interp_fault(in, ERR_FILE, "the filter '%.*s' is not known",
                            (int)name->n, name->s);
    rest.v++;
    rest.n--;
    for (size_t i = 0; i < n; i++) {
        struct value v;

        TRY(call_builtin(in, filter, items[i], &rest, &v));
        TRY(values_add(l, v));
    }
    return 0;
}

static int do_map(struct interp *in, struct value self, const struct args *a,
                  struct value *out)
{
    struct values l = {in};
    const struct value *items;
    size_t n;

    if (value_truth(self)) {
        TRY(value_iterate(in, self, &items, &n));
        TRY(a->n == 0 && args_keyword(a, "attribute")
                ? map_attribute(in, items, n, a, &l)
                : map_filter(in, items, n, a, &l));
    }
    return values_done(&l, V_ITER, out);
}

/* ---- keys -----------------------------------------------------------------------------*/

/* What an element is compared by: an attribute of it, texts in lower case unless
 * case_sensitive. */
static int key_of(struct interp *in, struct value v, struct value path,
                  int case_sensitive, struct value *out)
{
    const struct str *s;

    TRY(lookup_path(in, v, path, out));
    if (case_sensitive || out->type != V_STR)
        return 0;
    TRY(casing_make(in, out->s, CASING_LOWER, &s));
    *out = value_str(s);
    return 0;
}

/* "a,b": a tuple of keys, one by one. */
static int keys_of(struct interp *in, struct value v, struct value path,
                   int case_sensitive, struct value *out)
{
    static const struct str comma = {.s = ",", .n = 1, .chars = 1};
    struct values l = {in};
    size_t at = 0;

    if (path.type != V_STR || str_find(path.s, &comma, 0, path.s->n) < 0)
        return key_of(in, v, path, case_sensitive, out);
    while (at <= path.s->n) {
        const ptrdiff_t end = str_find(path.s, &comma, at, path.s->n);
        const struct str *part;
        struct value key;

        TRY(str_sub(in, path.s, at, end < 0 ? path.s->n : (size_t)end, &part));
        TRY(key_of(in, v, value_str(part), case_sensitive, &key));
        TRY(values_add(&l, key));
        at = end < 0 ? path.s->n + 1 : (size_t)end + 1;
    }
    return values_done(&l, V_TUPLE, out);
}

/* ---- sorting --------------------------------------------------------------------------*/

struct keyed {
    struct value key, v;
};

/* Merges two sorted halves; equal ones keep their order. */
static int merge(struct interp *in, struct keyed *v, size_t half, size_t n, int reverse,
                 struct keyed *to)
{
    size_t i = 0, k = half;

    for (size_t m = 0; m < n; m++) {
        int order = 0;

        if (i < half && k < n)
            TRY(reverse ? value_order(in, v[k].key, v[i].key, &order)
                        : value_order(in, v[i].key, v[k].key, &order));
        to[m] = k == n || (i < half && (order <= 0 || order == 2)) ? v[i++] : v[k++];
    }
    return 0;
}

static int sort_keyed(struct interp *in, struct keyed *v, size_t n, int reverse,
                      struct keyed *spare)
{
    if (n < 2)
        return 0;
    TRY(sort_keyed(in, v, n / 2, reverse, spare));
    TRY(sort_keyed(in, v + n / 2, n - n / 2, reverse, spare));
    TRY(merge(in, v, n / 2, n, reverse, spare));
    for (size_t i = 0; i < n; i++)
        v[i] = spare[i];
    return 0;
}

static int sorted(struct interp *in, struct keyed *v, size_t n, int reverse,
                  struct value *out)
{
    struct keyed *spare;

    TRY(interp_take(in, &spare, n, sizeof *spare));
    TRY(sort_keyed(in, v, n, reverse, spare));
    TRY(value_seq(in, V_LIST, n, out));
    for (size_t i = 0; i < n; i++)
        out->l->v[i] = v[i].v;
    return 0;
}

static int do_sort(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    struct keyed *v;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    TRY(interp_take(in, &v, n, sizeof *v));
    for (size_t i = 0; i < n; i++) {
        v[i].v = items[i];
        TRY(keys_of(in, items[i], a[3], arg_truth(a[2], 0), &v[i].key));
    }
    return sorted(in, v, n, arg_truth(a[1], 0), out);
}

static int do_dictsort(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *by;
    struct value pairs;
    struct keyed *v;

    TRY(arg_opt_str(in, a[2], "dictsort's by", &by));
    if (by && !str_is(by, "key") && !str_is(by, "value"))
        return interp_fault(in, ERR_RECORD, "dictsort by 'key' or 'value' only");
    if (a[0].type != V_DICT)
        return interp_fault(in, ERR_RECORD, "dictsort of a %s, a dict expected",
                            value_type_name(a[0]));
    const int64_t which = by && str_is(by, "value");
    TRY(dict_view(in, a[0].d, V_ITEMS, V_LIST, &pairs));
    TRY(interp_take(in, &v, pairs.l->n, sizeof *v));
    for (size_t i = 0; i < pairs.l->n; i++) {
        v[i].v = pairs.l->v[i];
        TRY(key_of(in, v[i].v, value_int(which), arg_truth(a[1], 0), &v[i].key));
    }
    return sorted(in, v, pairs.l->n, arg_truth(a[3], 0), out);
}

static int extreme(struct interp *in, const struct value *a, int sign,
                   struct value *out)
{
    const struct value *items;
    struct value key, best = {0};
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    if (n == 0)
        return value_undefined(in, out, "no aggregated item, the sequence is empty");
    for (size_t i = 0; i < n; i++) {
        int order = 0;

        TRY(key_of(in, items[i], a[2], arg_truth(a[1], 0), &key));
        if (i > 0)
            TRY(value_order(in, key, best, &order));
        if (i > 0 && (order == 2 || order * sign <= 0))
            continue;
        best = key;
        *out = items[i];
    }
    return 0;
}

static int do_min(struct interp *in, const struct value *a, struct value *out)
{
    return extreme(in, a, -1, out);
}

static int do_max(struct interp *in, const struct value *a, struct value *out)
{
    return extreme(in, a, 1, out);
}

static int do_unique(struct interp *in, const struct value *a, struct value *out)
{
    struct values l = {in};
    const struct value *items;
    struct dict *seen;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    TRY(dict_new(in, &seen));
    for (size_t i = 0; i < n; i++) {
        struct value key;

        TRY(key_of(in, items[i], a[2], arg_truth(a[1], 0), &key));
        if (dict_get(seen, key))
            continue;
        TRY(dict_set(in, seen, key, value_none()));
        TRY(values_add(&l, items[i]));
    }
    return values_done(&l, V_ITER, out);
}

const struct builtin filters_pick[] = {
    {"dictsort", "case_sensitive? by? reverse?", do_dictsort},
    {"groupby", "", NULL},
    {"map", .any = do_map},
    {"max", "case_sensitive? attribute?", do_max},
    {"min", "case_sensitive? attribute?", do_min},
    {"reject", .any = do_reject},
    {"rejectattr", .any = do_rejectattr},
    {"select", .any = do_select},
    {"selectattr", .any = do_selectattr},
    {"sort", "reverse? case_sensitive? attribute?", do_sort},
    {"unique", "case_sensitive? attribute?", do_unique},
    {0},
};
