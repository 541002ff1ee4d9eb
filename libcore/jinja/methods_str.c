/*
 * Methods of strings that change, ask or search; methods_cut.c has those that cut and join.
 */
#include "jinja/methods.h"

#include "jinja/format.h"

#include <string.h>

static int result(struct value *out, const struct str *s)
{
    *out = value_str(s);
    return 0;
}

/* ---- case -----------------------------------------------------------------------------*/

static int recase(struct interp *in, const struct value *a, enum casing how,
                  struct value *out)
{
    const struct str *s;

    TRY(casing_make(in, a[0].s, how, &s));
    return result(out, s);
}

static int str_upper(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_UPPER, out);
}

static int str_lower(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_LOWER, out);
}

static int str_title(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_TITLE, out);
}

static int str_capitalize(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_CAPITALIZE, out);
}

static int str_swapcase(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_SWAP, out);
}

static int str_casefold(struct interp *in, const struct value *a, struct value *out)
{
    return recase(in, a, CASING_FOLD, out);
}

/* ---- kinds ----------------------------------------------------------------------------*/

static int all_are(struct value v, enum char_kind kind, int of_none, struct value *out)
{
    int yes = v.s->n > 0 || of_none;

    for (size_t at = 0, len; at < v.s->n && yes; at += len)
        yes = casing_is(str_at(v.s, at, &len), kind);
    *out = value_bool(yes);
    return 0;
}

int methods_is_cased(const struct str *s, enum char_kind want, enum char_kind never)
{
    int found = 0;

    for (size_t at = 0, len; at < s->n; at += len) {
        const int32_t c = str_at(s, at, &len);

        if (casing_is(c, never))
            return 0;
        found |= casing_is(c, want);
    }
    return found;
}

static int str_isalpha(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_ALPHA, 0, out);
}

static int str_isdecimal(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_DECIMAL, 0, out);
}

static int str_isdigit(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_DIGIT, 0, out);
}

static int str_isnumeric(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_NUMERIC, 0, out);
}

static int str_isalnum(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_ALNUM, 0, out);
}

static int str_isspace(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_SPACE, 0, out);
}

static int str_isascii(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    return all_are(a[0], CHAR_ASCII, 1, out);
}

static int str_islower(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    *out = value_bool(methods_is_cased(a[0].s, CHAR_LOWER, CHAR_UPPER));
    return 0;
}

static int str_isupper(struct interp *in, const struct value *a, struct value *out)
{
    (void)in;
    *out = value_bool(methods_is_cased(a[0].s, CHAR_UPPER, CHAR_LOWER));
    return 0;
}

/* ---- ends -----------------------------------------------------------------------------*/

static int strip(struct interp *in, const struct value *a, enum str_ends ends,
                 struct value *out)
{
    const struct str *chars, *s;

    TRY(arg_opt_str(in, a[1], "strip's argument", &chars));
    TRY(str_strip(in, a[0].s, chars, ends, &s));
    return result(out, s);
}

static int str_strip_(struct interp *in, const struct value *a, struct value *out)
{
    return strip(in, a, STR_BOTH, out);
}

static int str_lstrip(struct interp *in, const struct value *a, struct value *out)
{
    return strip(in, a, STR_LEFT, out);
}

static int str_rstrip(struct interp *in, const struct value *a, struct value *out)
{
    return strip(in, a, STR_RIGHT, out);
}

/* Bytes [from, to) that the arguments start and end name. */
static int window(struct interp *in, const struct str *s, struct value start,
                  struct value end, size_t *from, size_t *to)
{
    const int64_t n = (int64_t)s->chars;
    int64_t i, k;

    TRY(arg_int(in, start, "a start", 0, &i));
    TRY(arg_int(in, end, "an end", n, &k));
    i = i < 0 ? (i + n < 0 ? 0 : i + n) : i;
    k = k < 0 ? (k + n < 0 ? 0 : k + n) : k > n ? n : k;
    *from =
        i > n ? s->n + 1 : str_byte(s, (size_t)i); /* beyond the end finds nothing */
    *to = str_byte(s, (size_t)k);
    return 0;
}

static int has_end(const struct str *s, const struct str *what, size_t from, size_t to,
                   enum str_ends end)
{
    if (from > to || what->n > to - from)
        return 0;
    const size_t at = end == STR_LEFT ? from : to - what->n;

    return memcmp(s->s + at, what->s, what->n) == 0;
}

static int starts_or_ends(struct interp *in, const struct value *a, enum str_ends end,
                          struct value *out)
{
    const struct value *one = &a[1];
    const struct str *what;
    size_t from, to, n = 1;

    TRY(window(in, a[0].s, a[2], a[3], &from, &to));
    if (a[1].type == V_TUPLE) {
        one = a[1].l->v;
        n = a[1].l->n;
    }
    *out = value_bool(0);
    for (size_t i = 0; i < n && !out->i; i++) {
        TRY(arg_str(in, one[i], end == STR_LEFT ? "a prefix" : "a suffix", &what));
        out->i = has_end(a[0].s, what, from, to, end);
    }
    return 0;
}

static int str_startswith(struct interp *in, const struct value *a, struct value *out)
{
    return starts_or_ends(in, a, STR_LEFT, out);
}

static int str_endswith(struct interp *in, const struct value *a, struct value *out)
{
    return starts_or_ends(in, a, STR_RIGHT, out);
}

static int str_removeprefix(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *what, *s = a[0].s;

    TRY(arg_str(in, a[1], "a prefix", &what));
    if (has_end(s, what, 0, s->n, STR_LEFT))
        TRY(str_sub(in, s, what->n, s->n, &s));
    return result(out, s);
}

static int str_removesuffix(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *what, *s = a[0].s;

    TRY(arg_str(in, a[1], "a suffix", &what));
    if (has_end(s, what, 0, s->n, STR_RIGHT))
        TRY(str_sub(in, s, 0, s->n - what->n, &s));
    return result(out, s);
}

/* ---- searching ------------------------------------------------------------------------*/

static int search(struct interp *in, const struct value *a, enum str_ends from_end,
                  int must, struct value *out)
{
    const struct str *what;
    size_t from, to;

    TRY(arg_str(in, a[1], "what is searched for", &what));
    TRY(interp_steps(in, a[0].s->n >> 10));
    TRY(window(in, a[0].s, a[2], a[3], &from, &to));
    const ptrdiff_t at = from_end == STR_LEFT ? str_find(a[0].s, what, from, to)
                                              : str_rfind(a[0].s, what, from, to);
    if (at < 0 && must)
        return interp_fault(in, ERR_RECORD, "index(): the text has no '%.*s'",
                            (int)(what->n < 60 ? what->n : 60), what->s);
    *out = value_int(at < 0 ? -1 : (int64_t)str_char(a[0].s, (size_t)at));
    return 0;
}

static int str_find_(struct interp *in, const struct value *a, struct value *out)
{
    return search(in, a, STR_LEFT, 0, out);
}

static int str_rfind_(struct interp *in, const struct value *a, struct value *out)
{
    return search(in, a, STR_RIGHT, 0, out);
}

static int str_index(struct interp *in, const struct value *a, struct value *out)
{
    return search(in, a, STR_LEFT, 1, out);
}

static int str_rindex(struct interp *in, const struct value *a, struct value *out)
{
    return search(in, a, STR_RIGHT, 1, out);
}

static int str_count(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *what, *s = a[0].s;
    size_t from, to;
    int64_t n = 0;
    ptrdiff_t at;

    TRY(arg_str(in, a[1], "what is counted", &what));
    TRY(window(in, s, a[2], a[3], &from, &to));
    if (what->n == 0 && from <= to)
        n = (int64_t)(str_char(s, to) - str_char(s, from)) + 1;
    for (; what->n > 0 && (at = str_find(s, what, from, to)) >= 0; n++)
        from = (size_t)at + what->n;
    *out = value_int(n);
    return interp_steps(in, s->n >> 10);
}

static int str_replace_(struct interp *in, const struct value *a, struct value *out)
{
    const struct str *old, *new, *s;
    int64_t count;

    TRY(arg_str(in, a[1], "replace's old", &old));
    TRY(arg_str(in, a[2], "replace's new", &new));
    TRY(arg_int(in, a[3], "replace's count", -1, &count));
    TRY(str_replace(in, a[0].s, old, new, count, &s));
    return result(out, s);
}

/* ---- formatting -----------------------------------------------------------------------*/

static int str_format(struct interp *in, struct value self, const struct args *a,
                      struct value *out)
{
    return format_braces(in, self.s, a, out);
}

const struct builtin methods_str[] = {
    {"capitalize", "", str_capitalize},
    {"casefold", "", str_casefold},
    {"count", "sub start? end?", str_count},
    {"encode", "", NULL},
    {"endswith", "suffix start? end?", str_endswith},
    {"find", "sub start? end?", str_find_},
    {"format", .any = str_format},
    {"format_map", "", NULL},
    {"index", "sub start? end?", str_index},
    {"isalnum", "", str_isalnum},
    {"isalpha", "", str_isalpha},
    {"isascii", "", str_isascii},
    {"isdecimal", "", str_isdecimal},
    {"isdigit", "", str_isdigit},
    {"isidentifier", "", NULL},
    {"islower", "", str_islower},
    {"isnumeric", "", str_isnumeric},
    {"isprintable", "", NULL},
    {"isspace", "", str_isspace},
    {"istitle", "", NULL},
    {"isupper", "", str_isupper},
    {"lower", "", str_lower},
    {"lstrip", "chars?", str_lstrip},
    {"maketrans", "", NULL},
    {"removeprefix", "prefix", str_removeprefix},
    {"removesuffix", "suffix", str_removesuffix},
    {"replace", "old new count?", str_replace_},
    {"rfind", "sub start? end?", str_rfind_},
    {"rindex", "sub start? end?", str_rindex},
    {"rstrip", "chars?", str_rstrip},
    {"startswith", "prefix start? end?", str_startswith},
    {"strip", "chars?", str_strip_},
    {"swapcase", "", str_swapcase},
    {"title", "", str_title},
    {"translate", "", NULL},
    {"upper", "", str_upper},
    {0},
};
