#include "jinja/format.h"

#include "jinja/dict.h"
#include "jinja/lookup.h"
#include "jinja/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What stands between '%' or ':' and the letter. */
struct spec {
    char fill, align; /* '<', '>', '^', '='; 0: the type's own */
    char sign;        /* '+', ' ' or 0 */
    int alternate, zero;
    char group;               /* ',' or '_' between thousands, or 0 */
    int64_t width, precision; /* -1: none */
    char letter;              /* 0: none */
};

enum { WIDTH_MAX = 1000 * 1000, PRECISION_MAX = 300, NUMBER = 512 };

/* ---- laying out -----------------------------------------------------------------------*/

/* s, padded to the width; the sign and prefix, `head` bytes, stay before zeros. */
static int put_padded(struct buf *b, const struct str *s, const struct spec *f,
                      size_t head, char align)
{
    const size_t width = f->width > 0 ? (size_t)f->width : 0;
    const size_t pad = width > s->chars ? width - s->chars : 0;
    const char fill = f->fill ? f->fill : ' ';
    const size_t left = align == '<' ? 0 : align == '^' ? pad / 2 : pad;

    if (align == '=') {
        TRY(buf_sub(b, s, 0, head));
        TRY(buf_fill(b, fill, pad));
        return buf_sub(b, s, head, s->n);
    }
    TRY(buf_fill(b, fill, left));
    TRY(buf_add(b, s));
    return buf_fill(b, fill, pad - left);
}

static int put_text(struct buf *b, const struct str *s, const struct spec *f)
{
    if (f->precision >= 0)
        TRY(str_sub(b->in, s, 0, str_byte(s, (size_t)f->precision), &s));
    return put_padded(b, s, f, 0, f->align ? f->align : '<');
}

/* Digits with a sign before them, grouped by three up to the point. */
static int put_digits(struct buf *b, const char *digits, int negative,
                      const char *prefix, const struct spec *f)
{
    struct buf t = {b->in};
    const struct str *s;
    const size_t whole = strspn(digits, "0123456789abcdefABCDEF");
    const size_t group = f->letter && strchr("xXob", f->letter) ? 4 : 3;

    if (negative || f->sign)
        TRY(buf_char(&t, negative ? '-' : f->sign, 0));
    TRY(buf_lit(&t, prefix));
    const size_t head = t.n;
    for (size_t i = 0; digits[i]; i++) {
        if (f->group && i > 0 && i < whole && (whole - i) % group == 0)
            TRY(buf_char(&t, f->group, 0));
        TRY(buf_char(&t, digits[i], 0));
    }
    TRY(buf_done(&t, &s));
    const char align = f->align ? f->align : f->zero ? '=' : '>';
    return put_padded(b, s, f, head, align);
}

/* ---- numbers --------------------------------------------------------------------------*/

static int put_integer(struct buf *b, int64_t i, const struct spec *f)
{
    const uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    const char letter = f->letter;
    char digits[NUMBER], prefix[3] = {'0', letter, '\0'};
    size_t n = sizeof digits - 1;
    const unsigned base = letter == 'x' || letter == 'X' ? 16
                          : letter == 'o'                ? 8
                          : letter == 'b'                ? 2
                                                         : 10;
    uint64_t left = u;

    digits[n] = '\0';
    do
        digits[--n] =
            (letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[left % base];
    while ((left /= base) > 0);
    while (f->precision > 0 && sizeof digits - 1 - n < (size_t)f->precision)
        digits[--n] = '0';
    if (!f->alternate || base == 10)
        prefix[0] = '\0';
    return put_digits(b, digits + n, i < 0, prefix, f);
}

static int put_float(struct buf *b, double x, const struct spec *f)
{
    const int percent = f->letter == '%';
    const int precision = f->precision < 0 ? 6 : (int)f->precision;
    char fmt[16], digits[NUMBER];

    snprintf(fmt, sizeof fmt, "%%%s.*%c", f->alternate ? "#" : "",
             percent ? 'f' : f->letter);
    snprintf(digits, sizeof digits, fmt, precision, fabs(percent ? x * 100 : x));
    if (percent && strlen(digits) + 1 < sizeof digits)
        memcpy(digits + strlen(digits), "%", 2);
    return put_digits(b, digits, signbit(x) && !isnan(x), "", f);
}

static int bad_letter(struct interp *in, char letter, struct value v)
{
    if (v.type == V_UNDEFINED)
        return arg_undefined(in, v);
    return interp_fault(in, ERR_RECORD, "a %s cannot be formatted with '%c'",
                        value_type_name(v), letter);
}

/* v by the letter of an integer or float. */
static int put_number(struct buf *b, struct value v, const struct spec *f)
{
    if (!value_is_number(v))
        return bad_letter(b->in, f->letter, v);
    if (strchr("eEfFgG%", f->letter)) {
        if (fabs(value_double(v)) > 1e100 && strchr("fF%", f->letter))
            return interp_fault(b->in, ERR_RECORD, "a number too long to be formatted");
        return put_float(b, value_double(v), f);
    }
    if (v.type != V_FLOAT)
        return put_integer(b, v.i, f);
    if (!(fabs(v.f) < 0x1p63))
        return interp_fault(b->in, ERR_RECORD, "an integer beyond 64 bits");
    return put_integer(b, (int64_t)v.f, f);
}

/* str(v) or repr(v), then as text. */
static int put_shown(struct buf *b, struct value v, const struct spec *f, int repr)
{
    struct buf t = {b->in};
    const struct str *s;

    TRY(repr ? show_put_repr(&t, v) : show_put_str(&t, v));
    TRY(buf_done(&t, &s));
    return put_text(b, s, f);
}

static int put_character(struct buf *b, struct value v, const struct spec *f)
{
    struct buf t = {b->in};
    const struct str *s;

    if (v.type == V_STR && v.s->chars == 1)
        return put_text(b, v.s, f);
    if (v.type != V_INT || v.i < 0 || v.i > 0x10ffff || (v.i >= 0xd800 && v.i < 0xe000))
        return bad_letter(b->in, 'c', v);
    TRY(buf_char(&t, (int32_t)v.i, 0));
    TRY(buf_done(&t, &s));
    return put_text(b, s, f);
}

static int check_sizes(struct interp *in, const struct spec *f)
{
    if (f->width <= WIDTH_MAX && f->precision <= PRECISION_MAX)
        return 0;
    return interp_fault(in, ERR_RECORD, "a format wider than %d or finer than %d",
                        WIDTH_MAX, PRECISION_MAX);
}

/* Reads digits at *at: the number, -1 if there is none. */
static int64_t read_digits(const struct str *s, size_t *at)
{
    int64_t n = -1;

    for (; *at < s->n && s->s[*at] >= '0' && s->s[*at] <= '9'; ++*at)
        if (n < INT32_MAX)
            n = (n < 0 ? 0 : n) * 10 + (s->s[*at] - '0');
    return n;
}

static int read_one(const struct str *s, size_t *at, char c)
{
    if (*at >= s->n || s->s[*at] != c)
        return 0;
    ++*at;
    return 1;
}

/* ---- percent --------------------------------------------------------------------------*/

struct percent {
    struct interp *in;
    const struct str *fmt;
    size_t at;
    struct value arg;
    const struct value *v; /* (n) positional */
    size_t n, next;
};

static int next_arg(struct percent *p, struct value *out)
{
    if (p->next >= p->n)
        return interp_fault(p->in, ERR_RECORD,
                            "'%%' has fewer values than its text asks "
                            "for");
    *out = p->v[p->next++];
    return 0;
}

/* (name) behind the percent sign. */
static int named_arg(struct percent *p, struct value *out)
{
    const char *s = p->fmt->s + p->at;
    const char *end = memchr(s, ')', p->fmt->n - p->at);
    const struct value *v;
    const struct str *name;

    if (!end)
        return interp_fault(p->in, ERR_RECORD, "'%%(' without ')'");
    TRY(str_sub(p->in, p->fmt, p->at, p->at + (size_t)(end - s), &name));
    p->at += (size_t)(end - s) + 1;
    if (p->arg.type != V_DICT)
        return interp_fault(p->in, ERR_RECORD, "'%%(name)' needs a dict, not a %s",
                            value_type_name(p->arg));
    v = dict_get(p->arg.d, value_str(name));
    if (!v)
        return interp_fault(p->in, ERR_RECORD, "'%%(%.*s)' names no member",
                            (int)name->n, name->s);
    *out = *v;
    return 0;
}

/* A number, or '*' for an argument. */
static int read_size(struct percent *p, int64_t *out)
{
    struct value v;

    if (!read_one(p->fmt, &p->at, '*')) {
        *out = read_digits(p->fmt, &p->at);
        return 0;
    }
    TRY(next_arg(p, &v));
    return value_want_int(p->in, v, "a width", out);
}

static int read_percent(struct percent *p, struct spec *f)
{
    for (;; p->at++) {
        const char c = p->at < p->fmt->n ? p->fmt->s[p->at] : '\0';

        if (c == '-')
            f->align = '<';
        else if (c == '+' || (c == ' ' && f->sign != '+'))
            f->sign = c;
        else if (c == '#')
            f->alternate = 1;
        else if (c == '0')
            f->zero = 1;
        else if (c != ' ')
            break;
    }
    TRY(read_size(p, &f->width));
    if (read_one(p->fmt, &p->at, '.')) {
        TRY(read_size(p, &f->precision));
        f->precision = f->precision < 0 ? 0 : f->precision;
    }
    while (p->at < p->fmt->n && strchr("hlL", p->fmt->s[p->at]) && p->fmt->s[p->at])
        p->at++;
    if (p->at == p->fmt->n)
        return interp_fault(p->in, ERR_RECORD, "a text for '%%' that ends too early");
    f->letter = p->fmt->s[p->at++];
    if (f->width < -1) {
        f->align = '<';
        f->width = -f->width;
    }
    return check_sizes(p->in, f);
}

static int put_percent(struct percent *p, struct buf *b)
{
    struct spec f = {.width = -1, .precision = -1};
    const int named = read_one(p->fmt, &p->at, '(');
    struct value v = {0};

    if (named)
        TRY(named_arg(p, &v));
    TRY(read_percent(p, &f));
    if (f.letter == '%')
        return buf_lit(b, "%");
    if (!named)
        TRY(next_arg(p, &v));
    if (f.letter == 's' || f.letter == 'r') {
        f.align = f.align ? f.align : '>';
        return put_shown(b, v, &f, f.letter == 'r');
    }
    if (f.letter == 'c') {
        f.align = f.align ? f.align : '>';
        return put_character(b, v, &f);
    }
    if (!f.letter || !strchr("diuoxXeEfFgG", f.letter))
        return interp_fault(p->in, ERR_RECORD, "'%%%c' is not supported", f.letter);
    if (f.zero && !f.align)
        f.fill = '0';
    return put_number(b, v, &f);
}

int format_percent(struct interp *in, const struct str *fmt, struct value arg,
                   struct value *out)
{
    struct percent p = {in, fmt, 0, arg, &arg, 1, 0};
    struct buf b = {in};
    const struct str *s;

    if (arg.type == V_TUPLE) {
        p.v = arg.l->v;
        p.n = arg.l->n;
    }
    while (p.at < fmt->n) {
        const char *at = fmt->s + p.at;
        const char *sign = memchr(at, '%', fmt->n - p.at);
        const size_t plain = sign ? (size_t)(sign - at) : fmt->n - p.at;

        TRY(buf_sub(&b, fmt, p.at, p.at + plain));
        p.at += plain + (sign != NULL);
        if (sign)
            TRY(put_percent(&p, &b));
    }
    if (p.next < p.n && (arg.type == V_TUPLE || arg.type == V_STR ||
                         arg.type == V_NONE || value_is_number(arg)))
        return interp_fault(in, ERR_RECORD,
                            "'%%' has more values than its text asks for");
    TRY(buf_done(&b, &s));
    *out = value_str(s);
    return 0;
}

/* ---- braces ---------------------------------------------------------------------------*/

struct braces {
    struct interp *in;
    const struct args *a;
    size_t next; /* the number that {} stands for */
};

/* [[fill]align][sign][#][0][width][,][.precision][letter] */
static int read_spec(struct interp *in, const struct str *s, struct spec *f)
{
    size_t at = 0;

    *f = (struct spec){.width = -1, .precision = -1};
    if (s->n >= 2 && strchr("<>^=", s->s[1])) {
        f->fill = s->s[0];
        f->align = s->s[1];
        at = 2;
    } else if (s->n >= 1 && strchr("<>^=", s->s[0])) {
        f->align = s->s[at++];
    }
    if (at < s->n && strchr("+- ", s->s[at])) {
        f->sign = s->s[at] == '-' ? '\0' : s->s[at];
        at++;
    }
    f->alternate = read_one(s, &at, '#');
    f->zero = read_one(s, &at, '0');
    if (f->zero && !f->fill)
        f->fill = '0';
    f->width = read_digits(s, &at);
    if (at < s->n && (s->s[at] == ',' || s->s[at] == '_'))
        f->group = s->s[at++];
    if (read_one(s, &at, '.'))
        f->precision = read_digits(s, &at);
    if (at < s->n)
        f->letter = s->s[at++];
    if (at < s->n || (f->fill & 0x80) || (f->group && f->zero))
        return interp_fault(in, ERR_RECORD, "the format '%.*s' is not supported",
                            (int)(s->n < 60 ? s->n : 60), s->s);
    return check_sizes(in, f);
}

static int put_spec(struct buf *b, struct value v, const struct str *text)
{
    struct spec f;

    if (text->n == 0)
        return show_put_str(b, v);
    TRY(read_spec(b->in, text, &f));
    if (v.type == V_STR && (f.letter == 's' || !f.letter))
        return put_text(b, v.s, &f);
    if (!value_is_number(v) || v.type == V_BOOL)
        return bad_letter(b->in, f.letter ? f.letter : ':', v);
    if (!f.letter && v.type == V_FLOAT) {
        char digits[SHOW_DOUBLE];

        if (f.precision >= 0)
            return interp_fault(b->in, ERR_RECORD, "a precision without a letter");
        show_double(digits, fabs(v.f));
        return put_digits(b, digits, signbit(v.f), "", &f);
    }
    f.letter = f.letter ? f.letter : 'd';
    if (!strchr("dxXobeEfFgG%", f.letter) ||
        (v.type == V_FLOAT && strchr("dxXob", f.letter)))
        return bad_letter(b->in, f.letter, v);
    return put_number(b, v, &f);
}

/* The argument that a field begins with: a number, a name, or nothing. */
static int first_of(struct braces *f, const struct str *name, struct value *out)
{
    size_t at = 0;
    int64_t i = name->n ? read_digits(name, &at) : (int64_t)f->next++;

    if (name->n == 0 || (i >= 0 && at == name->n)) {
        if ((uint64_t)i >= f->a->n)
            return interp_fault(f->in, ERR_RECORD,
                                "format() has no value number %" PRId64, i);
        *out = f->a->v[i];
        return 0;
    }
    for (size_t k = 0; k < f->a->nkw; k++)
        if (str_equal(f->a->kw[k].name, name)) {
            *out = f->a->kw[k].v;
            return 0;
        }
    return interp_fault(f->in, ERR_RECORD, "format() has no value '%.*s'", (int)name->n,
                        name->s);
}

static size_t span(const struct str *s, size_t at, const char *stop)
{
    while (at < s->n && !(s->s[at] && strchr(stop, s->s[at])))
        at++;
    return at;
}

/* name.attr[key] */
static int field_value(struct braces *f, const struct str *field, struct value *out)
{
    size_t at = span(field, 0, ".[");
    const struct str *part;

    TRY(str_sub(f->in, field, 0, at, &part));
    TRY(first_of(f, part, out));
    while (at < field->n) {
        const int is_item = field->s[at] == '[';
        const size_t end = span(field, at + 1, is_item ? "]" : ".[");
        size_t digits = 0;

        TRY(str_sub(f->in, field, at + 1, end, &part));
        const int64_t i = read_digits(part, &digits);
        if (!is_item)
            TRY(lookup_attr(f->in, *out, part, out));
        else if (i >= 0 && digits == part->n)
            TRY(lookup_item(f->in, *out, value_int(i), out));
        else
            TRY(lookup_item(f->in, *out, value_str(part), out));
        at = end + (size_t)is_item;
    }
    return 0;
}

/* The field between the braces. */
static int put_field(struct braces *f, struct buf *b, const struct str *field)
{
    const size_t name = span(field, 0, "!:");
    size_t at = name;
    const struct str *part;
    struct value v;
    char how = '\0';

    TRY(str_sub(f->in, field, 0, name, &part));
    TRY(field_value(f, part, &v));
    if (read_one(field, &at, '!') && at < field->n)
        how = field->s[at++];
    if (at < field->n && !read_one(field, &at, ':'))
        return interp_fault(f->in, ERR_RECORD,
                            "a field of format() that is not "
                            "supported");
    if (how == 'r' || how == 's') {
        struct buf t = {f->in};

        TRY(how == 'r' ? show_put_repr(&t, v) : show_put_str(&t, v));
        TRY(buf_done(&t, &part));
        v = value_str(part);
    } else if (how) {
        return interp_fault(f->in, ERR_RECORD, "'!%c' is not supported", how);
    }
    TRY(str_sub(f->in, field, at, field->n, &part));
    return put_spec(b, v, part);
}

int format_braces(struct interp *in, const struct str *fmt, const struct args *a,
                  struct value *out)
{
    struct braces f = {in, a, 0};
    struct buf b = {in};
    const struct str *s;

    for (size_t at = 0; at < fmt->n;) {
        const size_t brace = span(fmt, at, "{}");
        const char c = brace < fmt->n ? fmt->s[brace] : '\0';

        TRY(buf_sub(&b, fmt, at, brace));
        at = brace + 1;
        if (!c)
            break;
        if (read_one(fmt, &at, c)) { /* {{ and }} */
            TRY(buf_sub(&b, fmt, brace, brace + 1));
            continue;
        }
        const size_t end = span(fmt, at, "{}");
        if (c == '}' || end == fmt->n || fmt->s[end] == '{')
            return interp_fault(in, ERR_RECORD,
                                "format(): braces that are not in pairs, "
                                "or within each other");
        TRY(str_sub(in, fmt, at, end, &s));
        TRY(put_field(&f, &b, s));
        at = end + 1;
    }
    TRY(buf_done(&b, &s));
    *out = value_str(s);
    return 0;
}
