#include "jinja/methods.h"

#include "jinja/dict.h"
#include "jinja/globals.h"

#include <string.h>

/* ---- dictionaries ---------------------------------------------------------------------*/

static int dict_method_get(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *v = dict_get(a[0].d, a[1]);

    (void)in;
    *out = v ? *v : a[2].type == V_MISSING ? value_none() : a[2];
    return 0;
}

static int dict_method_items(struct interp *in, const struct value *a,
                             struct value *out)
{
    return dict_view(in, a[0].d, V_ITEMS, V_ITEMS, out);
}

static int dict_method_keys(struct interp *in, const struct value *a, struct value *out)
{
    return dict_view(in, a[0].d, V_KEYS, V_KEYS, out);
}

static int dict_method_values(struct interp *in, const struct value *a,
                              struct value *out)
{
    return dict_view(in, a[0].d, V_VALUES, V_VALUES, out);
}

static int itself(struct interp *in, const struct value *a, struct value *out)
{
    (void)in; /* nothing can change it: a copy is the same */
    *out = a[0];
    return 0;
}

static const struct builtin dict_methods[] = {
    {"get", "key default?", dict_method_get},
    {"items", "", dict_method_items},
    {"keys", "", dict_method_keys},
    {"values", "", dict_method_values},
    {"copy", "", itself},
    {"fromkeys", "", NULL},
    {0},
};

/* ---- lists, tuples, ranges ------------------------------------------------------------*/

static int list_count(struct interp *in, const struct value *a, struct value *out)
{
    int64_t n = 0;
    int same;

    for (size_t i = 0; i < a[0].l->n; i++) {
        TRY(value_equal(in, a[0].l->v[i], a[1], &same));
        n += same;
    }
    *out = value_int(n);
    return 0;
}

static int list_index(struct interp *in, const struct value *a, struct value *out)
{
    int64_t from, to, n = (int64_t)a[0].l->n;
    int same;

    TRY(arg_int(in, a[2], "index's start", 0, &from));
    TRY(arg_int(in, a[3], "index's end", n, &to));
    from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
    to = to < 0 ? to + n : to > n ? n : to;
    for (int64_t i = from; i < to; i++) {
        TRY(value_equal(in, a[0].l->v[i], a[1], &same));
        if (same) {
            *out = value_int(i);
            return 0;
        }
    }
    return interp_fault(in, ERR_RECORD, "index(): the list has no such element");
}

static const struct builtin list_methods[] = {
    {"count", "value", list_count},
    {"index", "value start? stop?", list_index},
    {"copy", "", itself},
    {0},
};

/* ---- finding --------------------------------------------------------------------------*/

const struct builtin *methods_find(struct value v, const struct str *name)
{
    const struct builtin *b;

    switch (v.type) {
    case V_STR:
        b = builtin_find(methods_str, name);
        return b ? b : builtin_find(methods_cut, name);
    case V_LIST: return builtin_find(list_methods, name);
    case V_TUPLE:
    case V_RANGE: return str_is(name, "copy") ? NULL : builtin_find(list_methods, name);
    case V_DICT: return builtin_find(dict_methods, name);
    case V_CYCLER: return builtin_find(globals_cycler, name);
    default: return NULL;
    }
}

int methods_unsafe(struct value v, const struct str *name)
{
    static const char *const of_list[] = {"append",  "clear",  "pop",
                                          "reverse", "insert", "sort",
                                          "extend",  "remove", NULL};
    static const char *const of_dict[] = {"clear",      "pop",    "popitem",
                                          "setdefault", "update", NULL};
    const char *const *p = v.type == V_LIST   ? of_list
                           : v.type == V_DICT ? of_dict
                                              : NULL;

    for (; p && *p; p++)
        if (str_is(name, *p))
            return 1;
    return 0;
}
