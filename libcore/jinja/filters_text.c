/*
 * Filters of texts and numbers.  A subject that is no text is taken as str() shows it.
 */
#include "jinja/filters.h"

#include "jinja/casing.h"
#include "jinja/dict.h"
#include "jinja/format.h"
#include "jinja/lookup.h"
#include "jinja/methods.h"
#include "jinja/operators.h"
#include "jinja/show.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int result(struct value *out, const struct str *s)
{
    *out = value_str(s);
    return 0;
}

/* ---- case and white space -------------------------------------------------------------*/

static int recase(struct interp *in, const struct value *a, enum casing how,
                  struct value *out)
{
    const struct str *s;

    TRY(show_str(in, a[0], &s));
    TRY(casing_make(in, s, how, &s));
    return result(out, s);
}

static int do_upper(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_UPPER, out);
}

static int do_lower(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_LOWER, out);
}

static int do_capitalize(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_CAPITALIZE, out);
}

/* Words begin behind white space, hyphens and opening brackets only. */
static int begins_word(int32_t c)
{
    return str_is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
}

static int put_recased(struct buf *b, const struct str *s, size_t from, size_t to,
                       enum casing how)
{
    const struct str *part;

    TRY(str_sub(b->in, s, from, to, &part));
    TRY(casing_make(b->in, part, how, &part));
    return buf_add(b, part);
}

static int do_title(struct interp *in, const struct value *a, struct value *out)
{
    struct buf b = {in};
    const struct str *s;
    size_t len, end;

    TRY(show_str(in, a[0], &s));
    for (size_t at = 0; at < s->n; at = end) {
        const int gap = begins_word(str_at(s, at, &len));
        const size_t first = len;

        for (end = at + len; end < s->n && begins_word(str_at(s, end, &len)) == gap;)
            end += len;
        TRY(put_recased(&b, s, at, at + first, CASING_UPPER));
        TRY(put_recased(&b, s, at + first, end, CASING_LOWER));
    }
    TRY(buf_done(&b, &s));
    return result(out, s);
}

static int do_trim(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s, *chars;

    TRY(show_str(in, a[0], &s));
    TRY(arg_opt_str(in, a[1], "trim's argument", &chars));
    TRY(str_strip(in, s, chars, STR_BOTH, &s));
    return result(out, s);
}

static int do_indent(struct interp *in, const struct value *a, struct value *out)
{
    const int first = arg_truth(a[2], 0), blank = arg_truth(a[3], 0);
    struct buf b = {in};
    struct value lines;
    const struct str *s, *width;
    int64_t spaces;

    TRY(arg_str(in, a[0], "what is indented", &s));
    if (a[1].type == V_STR) {
        width = a[1].s;
    } else {
        struct buf w = {in};

        TRY(arg_int(in, a[1], "indent's width", 4, &spaces));
        TRY(buf_fill(&w, ' ', spaces > 0 ? (size_t)spaces : 0));
        TRY(buf_done(&w, &width));
    }
    TRY(buf_add(&b, s));
    TRY(buf_lit(&b, "\n"));
    TRY(buf_done(&b, &s));
    TRY(methods_lines(in, s, 0, &lines));
    b = (struct buf){in};
    for (size_t i = 0; i < lines.l->n; i++) {
        const struct str *line = lines.l->v[i].s;

        TRY(i ? buf_lit(&b, "\n") : 0);
        if (i ? line->n > 0 || blank : first)
            TRY(buf_add(&b, width));
        TRY(buf_add(&b, line));
    }
    TRY(buf_done(&b, &s));
    return result(out, s);
}

static int do_center(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;
    int64_t width;

    TRY(show_str(in, a[0], &s));
    TRY(arg_int(in, a[1], "center's width", 80, &width));
    return methods_center(in, s, width, out);
}

static int do_truncate(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s, *end;
    struct value joined;
    int64_t length, leeway;
    ptrdiff_t space;

    *out = a[0];
    if (a[0].type == V_UNDEFINED)
        return 0;
    TRY(arg_str(in, a[0], "what is cut", &s));
    TRY(arg_int(in, a[1], "truncate's length", 255, &length));
    TRY(arg_opt_str(in, a[3], "truncate's end", &end));
    TRY(arg_int(in, a[4], "truncate's leeway", 5, &leeway));
    if (!end)
        TRY(str_lit(in, "...", &end));
    if (length < (int64_t)end->chars || leeway < 0)
        return interp_fault(in, ERR_RECORD, "truncate to less than its end");
    if ((int64_t)s->chars <= length + leeway)
        return result(out, s);
    TRY(str_sub(in, s, 0, str_byte(s, (size_t)length - end->chars), &s));
    const struct str blank = {.s = " ", .n = 1, .chars = 1};
    space = arg_truth(a[2], 0) ? -1 : str_rfind(s, &blank, 0, s->n);
    if (space >= 0)
        TRY(str_sub(in, s, 0, (size_t)space, &s));
    TRY(op_join(in, s, end, &joined));
    *out = joined;
    return 0;
}

static int do_wordcount(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;
    int64_t words = 0;
    int inside = 0;

    TRY(show_str(in, a[0], &s));
    for (size_t at = 0, len; at < s->n; at += len) {
        const int32_t c = str_at(s, at, &len);
        const int word = c == '_' || casing_is(c, CHAR_ALNUM);

        words += word && !inside;
        inside = word;
    }
    *out = value_int(words);
    return 0;
}

/* ---- replacing, formatting ------------------------------------------------------------*/

static int do_replace(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s, *old, *new;
    int64_t count;

    TRY(show_str(in, a[0], &s));
    TRY(show_str(in, a[1], &old));
    TRY(show_str(in, a[2], &new));
    TRY(arg_int(in, a[3], "replace's count", -1, &count));
    TRY(str_replace(in, s, old, new, count, &s));
    if (s->safe)
        TRY(str_mark_safe(in, s, 0, &s));
    return result(out, s);
}

static int do_format(struct interp *in, struct value self, const struct args *a,
                     struct value *out)
{
    const struct str *s;
    struct value arg;
    struct dict *d;

    TRY(show_str(in, self, &s));
    if (a->n > 0 && a->nkw > 0)
        return interp_fault(in, ERR_RECORD, "format: values by place and by name");
    if (a->nkw > 0) {
        TRY(dict_new(in, &d));
        for (size_t i = 0; i < a->nkw; i++)
            TRY(dict_set(in, d, value_str(a->kw[i].name), a->kw[i].v));
        return format_percent(in, s, dict_value(d), out);
    }
    TRY(value_seq(in, V_TUPLE, a->n, &arg));
    for (size_t i = 0; i < a->n; i++)
        arg.l->v[i] = a->v[i];
    return format_percent(in, s, arg, out);
}

static int do_string(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;

    TRY(show_str(in, a[0], &s));
    return result(out, s);
}

static int do_escape(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;

    TRY(show_str(in, a[0], &s));
    TRY(str_escape(in, s, &s));
    return result(out, s);
}

static int do_forceescape(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;

    TRY(show_str(in, a[0], &s));
    TRY(str_mark_safe(in, s, 0, &s));
    TRY(str_escape(in, s, &s));
    return result(out, s);
}

static int do_safe(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *s;

    TRY(show_str(in, a[0], &s));
    TRY(str_mark_safe(in, s, 1, &s));
    return result(out, s);
}

/* ---- JSON -----------------------------------------------------------------------------*/

static int json_indent(struct interp *in, struct value v, const struct str **out)
{
    struct buf b = {in};
    int64_t n;

    *out = NULL;
    if (v.type == V_MISSING || v.type == V_NONE)
        return 0;
    if (v.type == V_STR) {
        *out = v.s;
        return 0;
    }
    TRY(value_want_int(in, v, "tojson's indent", &n));
    TRY(buf_fill(&b, ' ', n > 0 ? (size_t)n : 0));
    return buf_done(&b, out);
}

static int do_tojson(struct interp *in, const struct value *a, struct value *out)
{
    struct show_json j = {.ascii = arg_truth(a[1], 0), .sort = arg_truth(a[4], 0)};
    struct buf b = {in};
    const struct value *sep;
    const struct str *s;
    size_t n;

    TRY(json_indent(in, a[2], &j.indent));
    TRY(str_lit(in, j.indent ? "," : ", ", &j.comma));
    TRY(str_lit(in, ": ", &j.colon));
    if (a[3].type != V_MISSING && a[3].type != V_NONE) {
        TRY(value_iterate(in, a[3], &sep, &n));
        if (n != 2)
            return interp_fault(in, ERR_RECORD, "tojson: %zu separators, 2 expected",
                                n);
        TRY(arg_str(in, sep[0], "a separator", &j.comma));
        TRY(arg_str(in, sep[1], "a separator", &j.colon));
    }
    TRY(show_put_json(&b, a[0], &j));
    TRY(buf_done(&b, &s));
    return result(out, s);
}

/* ---- numbers --------------------------------------------------------------------------*/

/* The text of a number without white space and '_' between digits; 0 if it cannot be one.
 */
static int number_text(const struct str *s, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const int between =
            i > 0 && i + 1 < s->n && s->s[i - 1] != '_' && s->s[i + 1] != '_';

        if (n + 1 == size || s->s[i] == '\0' || (s->s[i] == '_' && !between))
            return 0;
        if (s->s[i] != '_')
            out[n++] = s->s[i];
    }
    out[n] = '\0';
    return n > 0;
}

/* float(text): 1 with *out. */
static int read_double(struct interp *in, const struct str *s, double *out)
{
    char text[400], *end;

    TRY(str_strip(in, s, NULL, STR_BOTH, &s));
    if (!number_text(s, text, sizeof text) || strpbrk(text, "xXpP(") ||
        str_is_space(text[0]))
        return 0;
    *out = strtod(text, &end);
    return *end == '\0';
}

/* int(text, base): 1 with *out; -1 beyond 64 bits. */
static int read_integer(struct interp *in, const struct str *s, int64_t base,
                        int64_t *out)
{
    char text[100], *end;

    TRY(str_strip(in, s, NULL, STR_BOTH, &s));
    if (!number_text(s, text, sizeof text) || str_is_space(text[0]))
        return 0;
    errno = 0;
    *out = strtoll(text, &end, (int)base);
    if (*end == '\0' && errno == ERANGE)
        return interp_fault(in, ERR_RECORD, "an integer beyond 64 bits");
    return *end == '\0';
}

static int cut_double(struct interp *in, double x, struct value otherwise,
                      struct value *out)
{
    if (!isfinite(x)) {
        *out = otherwise;
        return 0;
    }
    if (!(fabs(x) < 0x1p63))
        return interp_fault(in, ERR_RECORD, "an integer beyond 64 bits");
    *out = value_int((int64_t)x);
    return 0;
}

static int do_int(struct interp *in, const struct value *a, struct value *out)
{
    const struct value otherwise = a[1].type == V_MISSING ? value_int(0) : a[1];
    int64_t base, i;
    double x;
    int rc;

    if (a[0].type == V_UNDEFINED)
        return arg_undefined(in, a[0]);
    *out = otherwise;
    if (a[0].type == V_FLOAT)
        return cut_double(in, a[0].f, otherwise, out);
    if (a[0].type == V_INT || a[0].type == V_BOOL)
        *out = value_int(a[0].i);
    if (a[0].type != V_STR)
        return 0;
    TRY(arg_int(in, a[2], "int's base", 10, &base));
    if (base != 0 && (base < 2 || base > 36))
        return 0;
    if ((rc = read_integer(in, a[0].s, base, &i)) < 0)
        return rc;
    if (rc > 0) {
        *out = value_int(i);
        return 0;
    }
    if ((rc = read_double(in, a[0].s, &x)) <= 0)
        return rc;
    return cut_double(in, x, otherwise, out);
}

static int do_float(struct interp *in, const struct value *a, struct value *out)
{
    double x;
    int rc;

    if (a[0].type == V_UNDEFINED)
        return arg_undefined(in, a[0]);
    *out = a[1].type == V_MISSING ? value_float(0) : a[1];
    if (value_is_number(a[0]))
        *out = value_float(value_double(a[0]));
    if (a[0].type != V_STR)
        return 0;
    if ((rc = read_double(in, a[0].s, &x)) > 0)
        *out = value_float(x);
    return rc < 0 ? rc : 0;
}

static int do_abs(struct interp *in, const struct value *a, struct value *out)
{
    if (a[0].type == V_FLOAT) {
        *out = value_float(fabs(a[0].f));
        return 0;
    }
    if (value_is_number(a[0]) && a[0].i >= 0) {
        *out = value_int(a[0].i);
        return 0;
    }
    return op_negate(in, a[0], out);
}

/* round(x, digits), halves to even, as the decimal digits of x say. */
static double round_double(double x, int64_t digits)
{
    char text[700];

    if (!isfinite(x) || digits > 300)
        return x;
    if (digits >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)digits, x);
        return strtod(text, NULL);
    }
    const double unit = pow(10, (double)-digits);
    return nearbyint(x / unit) * unit;
}

static int do_round(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *how;
    int64_t digits;

    TRY(arg_int(in, a[1], "round's precision", 0, &digits));
    TRY(arg_opt_str(in, a[2], "round's method", &how));
    if (!value_is_number(a[0]))
        return op_negate(in, a[0], out); /* which says what is wrong */
    if (!how || str_is(how, "common")) {
        *out = a[0].type == V_FLOAT ? value_float(round_double(a[0].f, digits))
                                    : value_int(a[0].i);
        if (a[0].type != V_FLOAT && digits < 0)
            *out = value_int((int64_t)round_double((double)a[0].i, digits));
        return 0;
    }
    if (!str_is(how, "ceil") && !str_is(how, "floor"))
        return interp_fault(in, ERR_RECORD,
                            "round's method is 'common', 'ceil' or "
                            "'floor'");
    const double unit = pow(10, (double)digits), x = value_double(a[0]) * unit;
    *out = value_float((str_is(how, "ceil") ? ceil(x) : floor(x)) / unit);
    return 0;
}

/* ---- any value ------------------------------------------------------------------------*/

static int do_default(struct interp *in, const struct value *a, struct value *out)
{
    const int use =
        a[0].type == V_UNDEFINED || (arg_truth(a[2], 0) && !value_truth(a[0]));
    const struct str *nothing;

    *out = a[0];
    if (!use)
        return 0;
    TRY(str_lit(in, "", &nothing));
    *out = a[1].type == V_MISSING ? value_str(nothing) : a[1];
    return 0;
}

static int do_attr(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *name;

    TRY(arg_str(in, a[1], "an attribute's name", &name));
    if (a[0].type == V_DICT && !methods_find(a[0], name)) /* attributes only */
        return value_undefined(in, out, "'dict object' has no attribute '%.*s'",
                               (int)name->n, name->s);
    return lookup_attr(in, a[0], name, out);
}

const struct builtin filters_text[] = {
    {"abs", "", do_abs},
    {"attr", "name", do_attr},
    {"capitalize", "", do_capitalize},
    {"center", "width?", do_center},
    {"d", "default_value? boolean?", do_default},
    {"default", "default_value? boolean?", do_default},
    {"e", "", do_escape},
    {"escape", "", do_escape},
    {"filesizeformat", "", NULL},
    {"float", "default?", do_float},
    {"forceescape", "", do_forceescape},
    {"format", .any = do_format},
    {"indent", "width? first? blank?", do_indent},
    {"int", "default? base?", do_int},
    {"lower", "", do_lower},
    {"pprint", "", NULL},
    {"replace", "old new count?", do_replace},
    {"round", "precision? method?", do_round},
    {"safe", "", do_safe},
    {"string", "", do_string},
    {"striptags", "", NULL},
    {"title", "", do_title},
    {"tojson", "ensure_ascii? indent? separators? sort_keys?", do_tojson},
    {"trim", "chars?", do_trim},
    {"truncate", "length? killwords? end? leeway?", do_truncate},
    {"upper", "", do_upper},
    {"urlencode", "", NULL},
    {"urlize", "", NULL},
    {"wordcount", "", do_wordcount},
    {"wordwrap", "", NULL},
    {"xmlattr", "", NULL},
    {0},
};
