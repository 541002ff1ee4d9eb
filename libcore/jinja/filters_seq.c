/*
 * Filters of sequences.
 */
#include "jinja/filters.h"

#include "jinja/dict.h"
#include "jinja/lookup.h"
#include "jinja/methods.h"
#include "jinja/operators.h"
#include "jinja/show.h"

static int do_length(struct interp *in, const struct value *a, struct value *out)
{
    size_t n;

    TRY(value_length(in, a[0], &n));
    *out = value_int((int64_t)n);
    return 0;
}

static int do_first(struct interp *in, const struct value *a, struct value *out)
{
    const size_t at = a[0].type == V_ITER ? a[0].l->at + 1 : 0;
    const struct value *items;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    if (n == 0)
        return value_undefined(in, out, "no first item, the sequence is empty");
    if (a[0].type == V_ITER)
        a[0].l->at = at; /* the rest is still to be read */
    *out = items[0];
    return 0;
}

static int not_a_generator(struct interp *in, struct value v, const char *what)
{
    if (v.type != V_ITER)
        return 0;
    return interp_fault(in, ERR_RECORD, "%s of a generator", what);
}

static int do_last(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    size_t n;

    TRY(not_a_generator(in, a[0], "the last"));
    TRY(value_iterate(in, a[0], &items, &n));
    if (n == 0)
        return value_undefined(in, out, "no last item, the sequence is empty");
    *out = items[n - 1];
    return 0;
}

static int do_list(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    TRY(value_seq(in, V_LIST, n, out));
    for (size_t i = 0; i < n; i++)
        out->l->v[i] = items[i];
    return 0;
}

static int do_reverse(struct interp *in, const struct value *a, struct value *out)
{
    static const struct value back[3] = {{0}, {0}, {.type = V_INT, .i = -1}};
    const struct value *items;
    size_t n;

    if (a[0].type == V_STR)
        return lookup_slice(in, a[0], back, out);
    TRY(value_iterate(in, a[0], &items, &n));
    TRY(value_seq(in, V_ITER, n, out));
    for (size_t i = 0; i < n; i++)
        out->l->v[i] = items[n - 1 - i];
    return 0;
}

static int do_join(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    const struct str *sep;
    struct value texts;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    TRY(str_lit(in, "", &sep));
    if (a[1].type != V_MISSING)
        TRY(show_str(in, a[1], &sep));
    TRY(value_seq(in, V_LIST, n, &texts));
    for (size_t i = 0; i < n; i++) {
        const struct str *s;
        struct value v;

        TRY(lookup_path(in, items[i], a[2], &v));
        TRY(show_str(in, v, &s));
        texts.l->v[i] = value_str(s);
    }
    return methods_join(in, sep, texts.l->v, n, out);
}

static int do_items(struct interp *in, const struct value *a, struct value *out)
{
    if (a[0].type == V_UNDEFINED)
        return value_seq(in, V_ITER, 0, out);
    if (a[0].type != V_DICT)
        return interp_fault(in, ERR_RECORD, "the items of a %s, a dict expected",
                            value_type_name(a[0]));
    return dict_view(in, a[0].d, V_ITEMS, V_ITER, out);
}

/* Groups of `size`, the last one filled up with a[2] if that is given. */
static int do_batch(struct interp *in, const struct value *a, struct value *out)
{
    struct values l = {in};
    const struct value *items;
    int64_t size;
    size_t n;

    TRY(value_want_int(in, a[1], "batch's size", &size));
    TRY(value_iterate(in, a[0], &items, &n));
    if (size <= 0)
        return interp_fault(in, ERR_RECORD, "batches of %lld", (long long)size);
    for (size_t at = 0; at < n; at += (size_t)size) {
        const int fill = a[2].type != V_MISSING && a[2].type != V_NONE;
        const size_t left = n - at < (size_t)size ? n - at : (size_t)size;
        struct value group;

        TRY(value_seq(in, V_LIST, fill ? (size_t)size : left, &group));
        for (size_t i = 0; i < group.l->n; i++)
            group.l->v[i] = i < left ? items[at + i] : a[2];
        TRY(values_add(&l, group));
        if ((size_t)size > n)
            break;
    }
    return values_done(&l, V_ITER, out);
}

/* `slices` groups of equal size, but that the first ones take what is left over. */
static int do_slice(struct interp *in, const struct value *a, struct value *out)
{
    struct values l = {in};
    const struct value *items;
    int64_t slices;
    size_t n, at = 0;

    TRY(value_want_int(in, a[1], "slice's number", &slices));
    TRY(value_iterate(in, a[0], &items, &n));
    if (slices == 0)
        return interp_fault(in, ERR_RECORD, "division by zero");
    for (int64_t k = 0; k < slices; k++) {
        const size_t more = (size_t)k < n % (size_t)slices;
        const size_t size = n / (size_t)slices + more;
        const int fill = a[2].type != V_MISSING && a[2].type != V_NONE && !more;
        struct value group;

        TRY(value_seq(in, V_LIST, size + (size_t)fill, &group));
        for (size_t i = 0; i < group.l->n; i++)
            group.l->v[i] = i < size ? items[at + i] : a[2];
        at += size;
        TRY(values_add(&l, group));
    }
    return values_done(&l, V_ITER, out);
}

static int do_sum(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    struct value v;
    size_t n;

    TRY(value_iterate(in, a[0], &items, &n));
    *out = a[2].type == V_MISSING ? value_int(0) : a[2];
    if (out->type == V_STR)
        return interp_fault(in, ERR_RECORD, "sum() of texts");
    for (size_t i = 0; i < n; i++) {
        TRY(lookup_path(in, items[i], a[1], &v));
        TRY(op_binary(in, OP_ADD, *out, v, out));
    }
    return 0;
}

const struct builtin filters_seq[] = {
    {"batch", "linecount fill_with?", do_batch},
    {"count", "", do_length},
    {"first", "", do_first},
    {"items", "", do_items},
    {"join", "d? attribute?", do_join},
    {"last", "", do_last},
    {"length", "", do_length},
    {"list", "", do_list},
    {"random", "", NULL}, /* what is rendered would differ from run to run */
    {"reverse", "", do_reverse},
    {"slice", "slices fill_with?", do_slice},
    {"sum", "attribute? start?", do_sum},
    {0},
};
