#include "jinja/lookup.h"

#include "jinja/call.h"
#include "jinja/dict.h"
#include "jinja/exec.h"
#include "jinja/methods.h"

#include <stdlib.h>
#include <string.h>

/* ---- attributes -----------------------------------------------------------------------*/

static int no_attr(struct interp *in, struct value v, const struct str *name,
                   struct value *out)
{
    if (v.type == V_NONE)
        return value_undefined(in, out, "'None' has no attribute '%.*s'", (int)name->n,
                               name->s);
    return value_undefined(in, out, "'%s object' has no attribute '%.*s'",
                           value_type_name(v), (int)name->n, name->s);
}

/* A method, a loop's or a namespace's attribute: 1 with *out; 0 if there is none. */
static int own_attr(struct interp *in, struct value v, const struct str *name,
                    struct value *out)
{
    const struct value *member;
    const struct builtin *fn;
    struct method *m;

    if (v.type == V_NAMESPACE) {
        member = dict_get(v.d, value_str(name));
        *out = member ? *member : value_none();
        return member != NULL;
    }
    if (v.type == V_LOOP)
        return exec_loop_attr(in, v.loop, name, out);
    if (methods_unsafe(v, name)) {
        TRY(value_undefined(in, out,
                            "'%.*s' would change a %s, which templates may not",
                            (int)name->n, name->s, value_type_name(v)));
        return 1;
    }
    if (!(fn = methods_find(v, name)))
        return 0;
    TRY(interp_take(in, &m, 1, sizeof *m));
    *m = (struct method){fn, v};
    *out = (struct value){.type = V_METHOD, .b = m};
    return 1;
}

int lookup_attr(struct interp *in, struct value v, const struct str *name,
                struct value *out)
{
    const struct value *member;
    int rc;

    if (v.type == V_UNDEFINED)
        return arg_undefined(in, v);
    if ((rc = own_attr(in, v, name, out)) != 0)
        return rc < 0 ? rc : 0;
    member = v.type == V_DICT ? dict_get(v.d, value_str(name)) : NULL;
    if (!member)
        return no_attr(in, v, name, out);
    *out = *member;
    return 0;
}

/* ---- subscripts -----------------------------------------------------------------------*/

/* 1 with *out if the index is in v, which has n elements. */
static int at_index(struct interp *in, struct value v, int64_t i, size_t n,
                    struct value *out)
{
    const struct str *one;

    i += i < 0 ? (int64_t)n : 0;
    if (i < 0 || (uint64_t)i >= n)
        return 0;
    if (v.type != V_STR) {
        *out = v.l->v[i];
        return 1;
    }
    TRY(interp_steps(in, v.s->n >> 10));
    TRY(str_sub(in, v.s, str_byte(v.s, (size_t)i), str_byte(v.s, (size_t)i + 1), &one));
    *out = value_str(one);
    return 1;
}

static int has_index(struct value v)
{
    return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE ||
           v.type == V_RANGE;
}

int lookup_item(struct interp *in, struct value v, struct value key, struct value *out)
{
    const struct value *member;
    int rc = 0;

    if (v.type == V_UNDEFINED)
        return arg_undefined(in, v);
    member = v.type == V_DICT ? dict_get(v.d, key) : NULL;
    if (member) {
        *out = *member;
        return 0;
    }
    if (has_index(v) && (key.type == V_INT || key.type == V_BOOL))
        rc = at_index(in, v, key.i, v.type == V_STR ? v.s->chars : v.l->n, out);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (key.type != V_STR)
        return value_undefined(in, out, "%s object has no such element",
                               value_type_name(v));
    rc = own_attr(in, v, key.s, out);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return no_attr(in, v, key.s, out);
}

static int is_number(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return 0;
    return n > 0 && n < 18;
}

int lookup_path(struct interp *in, struct value v, struct value path, struct value *out)
{
    *out = v;
    if (path.type == V_NONE || path.type == V_MISSING)
        return 0;
    if (path.type != V_STR)
        return lookup_item(in, v, path, out);
    for (size_t at = 0; at <= path.s->n;) {
        const char *s = path.s->s + at;
        const char *dot = path.s->n > at ? memchr(s, '.', path.s->n - at) : NULL;
        const size_t n = dot ? (size_t)(dot - s) : path.s->n - at;
        const struct str *part;
        char digits[20] = "";

        TRY(str_sub(in, path.s, at, at + n, &part));
        struct value key = value_str(part);
        if (is_number(s, n)) {
            memcpy(digits, s, n);
            key = value_int(strtoll(digits, NULL, 10));
        }
        TRY(lookup_item(in, *out, key, out));
        at += n + 1;
    }
    return 0;
}

/* ---- slices ---------------------------------------------------------------------------*/

/* Python's rules for one bound of n elements; lo and hi are where it may lie. */
static int64_t clamp(int64_t i, int64_t n, int64_t lo, int64_t hi)
{
    i += i < 0 ? n : 0;
    return i < lo ? lo : i > hi ? hi : i;
}

static int resolve(struct interp *in, const struct value bound[3], size_t length,
                   int64_t out[3])
{
    const int64_t n = (int64_t)length;

    TRY(arg_int(in, bound[2], "a slice's step", 1, &out[2]));
    if (out[2] == 0)
        return interp_fault(in, ERR_RECORD, "a slice's step is 0");
    const int back = out[2] < 0;
    const int64_t lo = back ? -1 : 0, hi = back ? n - 1 : n;

    TRY(arg_int(in, bound[0], "a slice's start", 0, &out[0]));
    TRY(arg_int(in, bound[1], "a slice's end", 0, &out[1]));
    const int open0 = bound[0].type == V_MISSING || bound[0].type == V_NONE;
    const int open1 = bound[1].type == V_MISSING || bound[1].type == V_NONE;
    out[0] = open0 ? (back ? n - 1 : 0) : clamp(out[0], n, lo, hi);
    out[1] = open1 ? (back ? -1 : n) : clamp(out[1], n, lo, hi);
    return 0;
}

static int slice_str(struct interp *in, const struct str *s, const int64_t b[3],
                     struct value *out)
{
    struct buf text = {in};
    const struct str *str;

    if (b[2] == 1) {
        const int64_t to = b[1] < b[0] ? b[0] : b[1];

        TRY(str_sub(in, s, str_byte(s, (size_t)b[0]), str_byte(s, (size_t)to), &str));
        *out = value_str(str);
        return 0;
    }
    const int ascii = s->n == s->chars;
    for (int64_t i = b[0]; b[2] > 0 ? i < b[1] : i > b[1]; i += b[2]) {
        const size_t from = str_byte(s, (size_t)i), to = str_byte(s, (size_t)i + 1);

        TRY(interp_steps(in, ascii ? 0 : 1 + (s->n >> 8)));
        TRY(buf_sub(&text, s, from, to));
        if (b[2] > (int64_t)s->n || b[2] < -(int64_t)s->n)
            break;
    }
    TRY(buf_done(&text, &str));
    if (s->safe)
        TRY(str_mark_safe(in, str, 1, &str));
    *out = value_str(str);
    return 0;
}

int lookup_slice(struct interp *in, struct value v, const struct value bound[3],
                 struct value *out)
{
    struct values l = {in};
    int64_t b[3];

    if (v.type == V_UNDEFINED)
        return arg_undefined(in, v);
    if (!has_index(v))
        return interp_fault(in, ERR_RECORD, "a %s cannot be sliced",
                            value_type_name(v));
    TRY(resolve(in, bound, v.type == V_STR ? v.s->chars : v.l->n, b));
    if (v.type == V_STR)
        return slice_str(in, v.s, b, out);
    for (int64_t i = b[0]; b[2] > 0 ? i < b[1] : i > b[1]; i += b[2]) {
        TRY(values_add(&l, v.l->v[i]));
        if (b[2] > (int64_t)v.l->n || b[2] < -(int64_t)v.l->n)
            break;
    }
    TRY(values_done(&l, v.type, out));
    if (v.type == V_RANGE) { /* of numbers that may lie beyond its end */
        out->l->range[0] = v.l->range[0] + b[0] * v.l->range[2];
        out->l->range[1] = v.l->range[0] + b[1] * v.l->range[2];
        out->l->range[2] = v.l->range[2] * b[2];
    }
    return 0;
}
