/*
 * Methods that cut strings into several, join several into one, or pad one.
 */
#include "jinja/methods.h"

static int result(struct value *out, const struct str *s)
{
    *out = value_str(s);
    return 0;
}

/* ---- cutting --------------------------------------------------------------------------*/

static int add_sub(struct values *l, const struct str *s, size_t from, size_t to)
{
    const struct str *part;

    TRY(str_sub(l->in, s, from, to, &part));
    return values_add(l, value_str(part));
}

/* Words between white space. */
static int split_words(struct values *l, const struct str *s, int64_t limit)
{
    size_t at = 0, len;

    for (;;) {
        while (at < s->n && str_is_space(str_at(s, at, &len)))
            at += len;
        const size_t from = at;
        if (at == s->n)
            return 0;
        if (limit-- == 0) {
            const struct str *rest;

            TRY(str_sub(l->in, s, from, s->n, &rest));
            TRY(str_strip(l->in, rest, NULL, STR_RIGHT, &rest));
            return values_add(l, value_str(rest));
        }
        while (at < s->n && !str_is_space(str_at(s, at, &len)))
            at += len;
        TRY(add_sub(l, s, from, at));
    }
}

/* The same from the right; the words come last first. */
static int rsplit_words(struct values *l, const struct str *s, int64_t limit)
{
    size_t at = s->n, len;

    for (;;) {
        while (at > 0 && str_is_space(str_at(s, str_before(s, at), &len)))
            at = str_before(s, at);
        const size_t to = at;
        if (at == 0)
            return 0;
        if (limit-- == 0) {
            const struct str *rest;

            TRY(str_sub(l->in, s, 0, to, &rest));
            TRY(str_strip(l->in, rest, NULL, STR_LEFT, &rest));
            return values_add(l, value_str(rest));
        }
        while (at > 0 && !str_is_space(str_at(s, str_before(s, at), &len)))
            at = str_before(s, at);
        TRY(add_sub(l, s, at, to));
    }
}

static void turn_round(struct values *l)
{
    for (size_t i = 0; i + i + 1 < l->n; i++) {
        const struct value v = l->v[i];

        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
}

static int split_at(struct values *l, const struct str *s, const struct str *sep,
                    int64_t limit)
{
    size_t from = 0;
    ptrdiff_t at;

    while (limit-- != 0 && (at = str_find(s, sep, from, s->n)) >= 0) {
        TRY(add_sub(l, s, from, (size_t)at));
        from = (size_t)at + sep->n;
    }
    return add_sub(l, s, from, s->n);
}

static int rsplit_at(struct values *l, const struct str *s, const struct str *sep,
                     int64_t limit)
{
    size_t to = s->n;
    ptrdiff_t at;

    while (limit-- != 0 && (at = str_rfind(s, sep, 0, to)) >= 0) {
        TRY(add_sub(l, s, (size_t)at + sep->n, to));
        to = (size_t)at;
    }
    return add_sub(l, s, 0, to);
}

static int split(struct interp *in, const struct value *a, enum str_ends from,
                 struct value *out)
{
    struct values l = {in};
    const struct str *sep;
    int64_t limit;

    TRY(arg_opt_str(in, a[1], "a separator", &sep));
    TRY(arg_int(in, a[2], "maxsplit", -1, &limit));
    TRY(interp_steps(in, a[0].s->n >> 8));
    if (sep && sep->n == 0)
        return interp_fault(in, ERR_RECORD, "split() at an empty separator");
    if (from == STR_LEFT)
        TRY(sep ? split_at(&l, a[0].s, sep, limit) : split_words(&l, a[0].s, limit));
    else
        TRY(sep ? rsplit_at(&l, a[0].s, sep, limit) : rsplit_words(&l, a[0].s, limit));
    if (from == STR_RIGHT)
        turn_round(&l);
    return values_done(&l, V_LIST, out);
}

static int str_split(struct interp *in, const struct value *a, struct value *out)
{
    return split(in, a, STR_LEFT, out);
}

static int str_rsplit(struct interp *in, const struct value *a, struct value *out)
{
    return split(in, a, STR_RIGHT, out);
}

static int partition(struct interp *in, const struct value *a, enum str_ends from,
                     struct value *out)
{
    const struct str *sep, *s = a[0].s;
    struct values l = {in};

    TRY(arg_str(in, a[1], "a separator", &sep));
    if (sep->n == 0)
        return interp_fault(in, ERR_RECORD, "partition() at an empty separator");
    const ptrdiff_t found =
        from == STR_LEFT ? str_find(s, sep, 0, s->n) : str_rfind(s, sep, 0, s->n);
    const size_t none = from == STR_LEFT ? s->n : 0;
    const size_t at = found < 0 ? none : (size_t)found;
    const size_t end = found < 0 ? none : at + sep->n;
    TRY(add_sub(&l, s, 0, at));
    TRY(add_sub(&l, s, at, end));
    TRY(add_sub(&l, s, end, s->n));
    return values_done(&l, V_TUPLE, out);
}

static int str_partition(struct interp *in, const struct value *a, struct value *out)
{
    return partition(in, a, STR_LEFT, out);
}

static int str_rpartition(struct interp *in, const struct value *a, struct value *out)
{
    return partition(in, a, STR_RIGHT, out);
}

int methods_lines(struct interp *in, const struct str *s, int keep, struct value *out)
{
    struct values l = {in};
    size_t from = 0;

    for (size_t at = 0, len; at < s->n; at += len) {
        if (!str_is_newline(str_at(s, at, &len)))
            continue;
        if (s->s[at] == '\r' && at + 1 < s->n && s->s[at + 1] == '\n')
            len = 2;
        TRY(add_sub(&l, s, from, keep ? at + len : at));
        from = at + len;
    }
    if (from < s->n)
        TRY(add_sub(&l, s, from, s->n));
    return values_done(&l, V_LIST, out);
}

static int str_splitlines(struct interp *in, const struct value *a, struct value *out)
{
    return methods_lines(in, a[0].s, arg_truth(a[1], 0), out);
}

/* ---- joining and padding --------------------------------------------------------------*/

int methods_join(struct interp *in, const struct str *sep, const struct value *items,
                 size_t n, struct value *out)
{
    struct buf b = {in};
    const struct str *s;

    for (size_t i = 0; i < n; i++) {
        TRY(arg_str(in, items[i], "an element of join()", &s));
        TRY(i ? buf_add(&b, sep) : 0);
        TRY(buf_add(&b, s));
    }
    TRY(buf_done(&b, &s));
    return result(out, s);
}

static int str_join(struct interp *in, const struct value *a, struct value *out)
{
    const struct value *items;
    size_t n;

    TRY(value_iterate(in, a[1], &items, &n));
    return methods_join(in, a[0].s, items, n, out);
}

static int pad(struct interp *in, const struct str *s, size_t left, size_t right,
               char fill, struct value *out)
{
    struct buf b = {in};

    TRY(buf_fill(&b, fill, left));
    TRY(buf_add(&b, s));
    TRY(buf_fill(&b, fill, right));
    TRY(buf_done(&b, &s));
    return result(out, s);
}

/* How much is missing up to the width, and with what to fill it. */
static int missing(struct interp *in, const struct value *a, size_t *out, char *fill)
{
    const struct str *with;
    int64_t width;

    TRY(value_want_int(in, a[1], "a width", &width));
    TRY(arg_opt_str(in, a[2], "a fill character", &with));
    if (with && (with->n != 1 || with->chars != 1))
        return interp_fault(in, ERR_RECORD, "to fill, one ASCII character is taken");
    *fill = with ? with->s[0] : ' ';
    *out = width > (int64_t)a[0].s->chars ? (size_t)width - a[0].s->chars : 0;
    return 0;
}

static int str_ljust(struct interp *in, const struct value *a, struct value *out)
{
    size_t n = 0;
    char fill = ' ';

    TRY(missing(in, a, &n, &fill));
    return pad(in, a[0].s, 0, n, fill, out);
}

static int str_rjust(struct interp *in, const struct value *a, struct value *out)
{
    size_t n = 0;
    char fill = ' ';

    TRY(missing(in, a, &n, &fill));
    return pad(in, a[0].s, n, 0, fill, out);
}

/* Python gives the odd space to the left where the width is odd, too. */
static size_t centre_left(size_t n, size_t width)
{
    return n / 2 + (n & width & 1);
}

int methods_center(struct interp *in, const struct str *s, int64_t width,
                   struct value *out)
{
    const size_t n = width > (int64_t)s->chars ? (size_t)width - s->chars : 0;
    const size_t left = centre_left(n, (size_t)width);

    return pad(in, s, left, n - left, ' ', out);
}

static int str_center(struct interp *in, const struct value *a, struct value *out)
{
    size_t n = 0;
    char fill = ' ';

    TRY(missing(in, a, &n, &fill));
    const size_t left = centre_left(n, n + a[0].s->chars);
    return pad(in, a[0].s, left, n - left, fill, out);
}

static int str_zfill(struct interp *in, const struct value *a, struct value *out)
{
    struct buf b = {in};
    const struct str *s = a[0].s;
    const size_t sign = s->n > 0 && (s->s[0] == '-' || s->s[0] == '+');
    size_t n = 0;
    char fill = ' ';

    TRY(missing(in, a, &n, &fill));
    TRY(buf_sub(&b, s, 0, sign));
    TRY(buf_fill(&b, '0', n));
    TRY(buf_sub(&b, s, sign, s->n));
    TRY(buf_done(&b, &s));
    return result(out, s);
}

const struct builtin methods_cut[] = {
    {"center", "width fillchar?", str_center},
    {"expandtabs", "", NULL},
    {"join", "iterable", str_join},
    {"ljust", "width fillchar?", str_ljust},
    {"partition", "sep", str_partition},
    {"rjust", "width fillchar?", str_rjust},
    {"rpartition", "sep", str_rpartition},
    {"rsplit", "sep? maxsplit?", str_rsplit},
    {"split", "sep? maxsplit?", str_split},
    {"splitlines", "keepends?", str_splitlines},
    {"zfill", "width", str_zfill},
    {0},
};
