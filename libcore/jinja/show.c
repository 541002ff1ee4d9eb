#include "jinja/show.h"

#include "jinja/dict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- numbers --------------------------------------------------------------------------*/

/* Digits and exponent of "d.ddde+xx" as Python's repr lays them out. */
static void lay_out(char out[SHOW_DOUBLE], const char *sci)
{
    char digits[24];
    size_t n = 0;
    const char *p = sci + (*sci == '-');
    const char *sign = *sci == '-' ? "-" : "";

    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    const long e = strtol(p + 1, NULL, 10);

    if (e < -4 || e >= 16)
        snprintf(out, SHOW_DOUBLE, "%s%c%s%.*se%+03ld", sign, digits[0],
                 n > 1 ? "." : "", (int)(n - 1), digits + 1, e);
    else if (e < 0)
        snprintf(out, SHOW_DOUBLE, "%s0.%.*s%.*s", sign, (int)(-e - 1), "0000", (int)n,
                 digits);
    else if ((size_t)e + 1 >= n)
        snprintf(out, SHOW_DOUBLE, "%s%.*s%.*s.0", sign, (int)n, digits,
                 (int)((size_t)e + 1 - n), "0000000000000000");
    else
        snprintf(out, SHOW_DOUBLE, "%s%.*s.%.*s", sign, (int)e + 1, digits,
                 (int)(n - (size_t)e - 1), digits + e + 1);
}

void show_double(char out[SHOW_DOUBLE], double f)
{
    char sci[SHOW_DOUBLE];

    if (!isfinite(f)) {
        snprintf(out, SHOW_DOUBLE, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 0; digits < 17; digits++) {
        snprintf(sci, sizeof sci, "%.*e", digits, f);
        if (strtod(sci, NULL) == f)
            break;
    }
    lay_out(out, sci);
}

/* ---- strings --------------------------------------------------------------------------*/

/* Python's str.isprintable. */
static int is_printable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return 0;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return 1;
    }
}

/* Text that stands for a character; the character's mark on all of it. */
static int put_marked(struct buf *b, const char *text, int user)
{
    for (; *text; text++)
        TRY(buf_char(b, *text, user));
    return 0;
}

static int put_repr_char(struct buf *b, int32_t c, char quote, int user)
{
    char text[16];

    if (c == quote || c == '\\')
        snprintf(text, sizeof text, "\\%c", (char)c);
    else if (c == '\n' || c == '\r' || c == '\t')
        snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (is_printable(c))
        return buf_char(b, c, user);
    else if (c < 0x100)
        snprintf(text, sizeof text, "\\x%02" PRIx32, (uint32_t)c);
    else if (c < 0x10000)
        snprintf(text, sizeof text, "\\u%04" PRIx32, (uint32_t)c);
    else
        snprintf(text, sizeof text, "\\U%08" PRIx32, (uint32_t)c);
    return put_marked(b, text, user);
}

static int put_quoted(struct buf *b, const struct str *s)
{
    const int single = memchr(s->s, '\'', s->n) != NULL;
    const int both = single && memchr(s->s, '"', s->n) != NULL;
    const char quote = single && !both ? '"' : '\'';

    TRY(s->safe ? buf_lit(b, "Markup(") : 0);
    TRY(buf_char(b, quote, 0));
    for (size_t at = 0, len; at < s->n; at += len) {
        const int32_t c = str_at(s, at, &len);

        TRY(put_repr_char(b, c, quote, s->user && s->user[at]));
    }
    TRY(buf_char(b, quote, 0));
    return s->safe ? buf_lit(b, ")") : 0;
}

/* ---- containers -----------------------------------------------------------------------*/

static int put_items(struct buf *b, const struct seq *l)
{
    for (size_t i = 0; i < l->n; i++) {
        TRY(i ? buf_lit(b, ", ") : 0);
        TRY(show_put_repr(b, l->v[i]));
    }
    return 0;
}

static int put_pairs(struct buf *b, const struct dict *d)
{
    TRY(buf_lit(b, "{"));
    for (size_t i = 0; i < d->n; i++) {
        TRY(i ? buf_lit(b, ", ") : 0);
        TRY(show_put_repr(b, d->key[i]));
        TRY(buf_lit(b, ": "));
        TRY(show_put_repr(b, d->val[i]));
    }
    return buf_lit(b, "}");
}

static int put_range(struct buf *b, const struct seq *l)
{
    char text[80];

    if (l->range[2] == 1)
        snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64 ")", l->range[0],
                 l->range[1]);
    else
        snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                 l->range[0], l->range[1], l->range[2]);
    return buf_lit(b, text);
}

static int put_number(struct buf *b, struct value v)
{
    char text[SHOW_DOUBLE];

    if (v.type == V_BOOL)
        return buf_lit(b, v.i ? "True" : "False");
    if (v.type == V_FLOAT)
        show_double(text, v.f);
    else
        snprintf(text, sizeof text, "%" PRId64, v.i);
    return buf_lit(b, text);
}

/* What Python wraps the elements in. */
static int put_seq(struct buf *b, struct value v)
{
    static const char *const around[][2] = {
        [V_LIST] = {"[", "]"},
        [V_TUPLE] = {"(", ")"},
        [V_KEYS] = {"dict_keys([", "])"},
        [V_VALUES] = {"dict_values([", "])"},
        [V_ITEMS] = {"dict_items([", "])"},
    };

    TRY(buf_lit(b, around[v.type][0]));
    TRY(put_items(b, v.l));
    TRY(v.type == V_TUPLE && v.l->n == 1 ? buf_lit(b, ",") : 0);
    return buf_lit(b, around[v.type][1]);
}

static int put_repr(struct buf *b, struct value v)
{
    switch (v.type) {
    case V_UNDEFINED: return buf_lit(b, "Undefined");
    case V_NONE: return buf_lit(b, "None");
    case V_BOOL:
    case V_INT:
    case V_FLOAT: return put_number(b, v);
    case V_STR: return put_quoted(b, v.s);
    case V_LIST:
    case V_TUPLE:
    case V_KEYS:
    case V_VALUES:
    case V_ITEMS: return put_seq(b, v);
    case V_RANGE: return put_range(b, v.l);
    case V_DICT: return put_pairs(b, v.d);
    case V_NAMESPACE:
        TRY(buf_lit(b, "<Namespace "));
        TRY(put_pairs(b, v.d));
        return buf_lit(b, ">");
    default:
        return interp_fault(b->in, ERR_RECORD, "a %s cannot be printed",
                            value_type_name(v));
    }
}

int show_put_repr(struct buf *b, struct value v)
{
    TRY(interp_enter(b->in));
    TRY(interp_steps(b->in, 1));
    TRY(put_repr(b, v));
    interp_leave(b->in);
    return 0;
}

int show_put_str(struct buf *b, struct value v)
{
    if (v.type == V_STR)
        return buf_add(b, v.s);
    return v.type == V_UNDEFINED ? 0 : show_put_repr(b, v);
}

int show_str(struct interp *in, struct value v, const struct str **out)
{
    struct buf b = {in};

    if (v.type == V_STR) {
        *out = v.s;
        return 0;
    }
    TRY(show_put_str(&b, v));
    return buf_done(&b, out);
}

/* ---- JSON -----------------------------------------------------------------------------*/

static int put_json_char(struct buf *b, int32_t c, int ascii, int user)
{
    static const char short_form[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    char text[16];
    const char *p = c > 0 && c < 128 ? strchr(short_form, c) : NULL;

    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", (char)c);
    else if (p && c < 32)
        snprintf(text, sizeof text, "\\%c", p[1]);
    else if (c < 32 || (ascii && c > 126 && c < 0x10000))
        snprintf(text, sizeof text, "\\u%04" PRIx32, (uint32_t)c);
    else if (ascii && c >= 0x10000)
        snprintf(text, sizeof text, "\\u%04" PRIx32 "\\u%04" PRIx32,
                 0xd800 + (((uint32_t)c - 0x10000) >> 10),
                 0xdc00 + (((uint32_t)c - 0x10000) & 0x3ff));
    else
        return buf_char(b, c, user);
    return put_marked(b, text, user);
}

static int put_json_str(struct buf *b, const struct str *s, int ascii)
{
    TRY(buf_lit(b, "\""));
    for (size_t at = 0, len; at < s->n; at += len) {
        const int32_t c = str_at(s, at, &len);

        TRY(put_json_char(b, c, ascii, s->user && s->user[at]));
    }
    return buf_lit(b, "\"");
}

static int put_json_number(struct buf *b, struct value v)
{
    if (v.type == V_BOOL)
        return buf_lit(b, v.i ? "true" : "false");
    if (v.type == V_FLOAT && !isfinite(v.f))
        return buf_lit(b, isnan(v.f) ? "NaN" : v.f < 0 ? "-Infinity" : "Infinity");
    return put_number(b, v);
}

/* A line of its own, `depth` deep, where the form is indented. */
static int put_line(struct buf *b, const struct show_json *j, int depth)
{
    if (!j->indent)
        return 0;
    TRY(buf_lit(b, "\n"));
    for (int i = 0; i < depth; i++)
        TRY(buf_add(b, j->indent));
    return 0;
}

static int put_json(struct buf *b, struct value v, const struct show_json *j,
                    int depth);

static int put_json_key(struct buf *b, struct value k, const struct show_json *j)
{
    struct buf text = {b->in};
    const struct str *s;

    if (k.type == V_STR)
        return put_json_str(b, k.s, j->ascii);
    if (k.type == V_NONE)
        TRY(buf_lit(&text, "null"));
    else if (value_is_number(k))
        TRY(put_json_number(&text, k));
    else
        return interp_fault(b->in, ERR_RECORD, "tojson: a %s cannot be a key",
                            value_type_name(k));
    TRY(buf_done(&text, &s));
    return put_json_str(b, s, j->ascii);
}

/* The pairs' numbers by key; insertion sort: dictionaries are small, steps are counted. */
static int sorted_pairs(struct interp *in, const struct dict *d, size_t **out)
{
    size_t *at;

    TRY(interp_take(in, &at, d->n + 1, sizeof *at));
    for (size_t i = 0; i < d->n; i++) {
        size_t k = i;

        for (int order; k > 0; k--) {
            TRY(value_order(in, d->key[at[k - 1]], d->key[i], &order));
            if (order <= 0)
                break;
            at[k] = at[k - 1];
        }
        at[k] = i;
    }
    *out = at;
    return 0;
}

static int put_json_dict(struct buf *b, const struct dict *d, const struct show_json *j,
                         int depth)
{
    size_t *at = NULL;

    if (d->n == 0)
        return buf_lit(b, "{}");
    if (j->sort)
        TRY(sorted_pairs(b->in, d, &at));
    TRY(buf_lit(b, "{"));
    for (size_t i = 0; i < d->n; i++) {
        const size_t k = at ? at[i] : i;

        TRY(i ? buf_add(b, j->comma) : 0);
        TRY(put_line(b, j, depth + 1));
        TRY(put_json_key(b, d->key[k], j));
        TRY(buf_add(b, j->colon));
        TRY(put_json(b, d->val[k], j, depth + 1));
    }
    TRY(put_line(b, j, depth));
    return buf_lit(b, "}");
}

static int put_json_list(struct buf *b, const struct seq *l, const struct show_json *j,
                         int depth)
{
    if (l->n == 0)
        return buf_lit(b, "[]");
    TRY(buf_lit(b, "["));
    for (size_t i = 0; i < l->n; i++) {
        TRY(i ? buf_add(b, j->comma) : 0);
        TRY(put_line(b, j, depth + 1));
        TRY(put_json(b, l->v[i], j, depth + 1));
    }
    TRY(put_line(b, j, depth));
    return buf_lit(b, "]");
}

static int put_json(struct buf *b, struct value v, const struct show_json *j, int depth)
{
    TRY(interp_enter(b->in));
    TRY(interp_steps(b->in, 1));
    switch (v.type) {
    case V_NONE: TRY(buf_lit(b, "null")); break;
    case V_BOOL:
    case V_INT:
    case V_FLOAT: TRY(put_json_number(b, v)); break;
    case V_STR: TRY(put_json_str(b, v.s, j->ascii)); break;
    case V_LIST:
    case V_TUPLE: TRY(put_json_list(b, v.l, j, depth)); break;
    case V_DICT: TRY(put_json_dict(b, v.d, j, depth)); break;
    default:
        return interp_fault(b->in, ERR_RECORD, "tojson: a %s has no JSON form%s%.*s",
                            value_type_name(v),
                            v.type == V_UNDEFINED && v.s ? ": " : "",
                            v.type == V_UNDEFINED && v.s ? (int)v.s->n : 0,
                            v.type == V_UNDEFINED && v.s ? v.s->s : "");
    }
    interp_leave(b->in);
    return 0;
}

int show_put_json(struct buf *b, struct value v, const struct show_json *j)
{
    return put_json(b, v, j, 0);
}
