/*
 * Two levels: data up to the next tag, with the white space that the tag asks to drop;
 * then words up to the tag's end, which counts only outside brackets.
 */
#include "jinja/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { BRACKETS = 200 }; /* open at once */

struct lexer {
    struct interp *in;
    const char *s; /* (n) newlines are \n, the last one is gone */
    size_t n, at;
    int line;
    int line_start; /* what was read last ended with a newline, or nothing was */
    struct tokens *out;
    char open[BRACKETS]; /* closing brackets awaited */
    size_t nopen;
};

int token_is(const struct token *t, enum token_type type, const char *text)
{
    return t->type == type && t->n == strlen(text) && memcmp(t->s, text, t->n) == 0;
}

static int lex_fault(struct lexer *l, const char *what)
{
    l->in->line = l->line;
    return interp_fault(l->in, ERR_FILE, "%s", what);
}

static int add(struct lexer *l, enum token_type type, const char *s, size_t n,
               struct value v)
{
    struct tokens *t = l->out;

    if (t->n == t->cap) {
        const size_t cap = t->cap ? 2 * t->cap : 64;
        struct token *more;

        TRY(interp_take(l->in, &more, cap, sizeof *more));
        if (t->n > 0)
            memcpy(more, t->v, t->n * sizeof *more);
        t->v = more;
        t->cap = cap;
    }
    t->v[t->n++] = (struct token){.type = type, .line = l->line, s, n, v};
    return 0;
}

static int add_bare(struct lexer *l, enum token_type type)
{
    return add(l, type, "", 0, (struct value){0});
}

/* Goes on n bytes, counting lines. */
static void skip(struct lexer *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->line += l->s[l->at + i] == '\n';
    l->at += n;
    if (n > 0)
        l->line_start = l->s[l->at - 1] == '\n';
}

/* 1 if `text` stands at `at`. */
static int stands(const struct lexer *l, size_t at, const char *text)
{
    const size_t n = strlen(text);

    return at <= l->n && n <= l->n - at && memcmp(l->s + at, text, n) == 0;
}

/* Bytes of white space from `at` on. */
static size_t white(const struct lexer *l, size_t at)
{
    const struct str s = {.s = l->s, .n = l->n};
    size_t n = 0, len;

    while (at + n < l->n && str_is_space(str_at(&s, at + n, &len)))
        n += len;
    return n;
}

/* ---- data -----------------------------------------------------------------------------*/

/* Data [at, to) before a tag with this sign ('-', '+' or none). */
static int add_data(struct lexer *l, size_t to, char sign, int is_output)
{
    const struct str s = {.s = l->s, .n = l->n};
    size_t end = to, len;

    if (sign == '-') {
        while (end > l->at && str_is_space(str_at(&s, str_before(&s, end), &len)))
            end = str_before(&s, end);
    } else if (sign != '+' && !is_output) {
        size_t from = to;

        while (from > l->at && l->s[from - 1] != '\n')
            from--;
        if ((from > l->at || l->line_start) && from + white(l, from) >= to)
            end = from;
    }
    if (end > l->at) {
        const struct str *data;

        TRY(str_of(l->in, l->s + l->at, end - l->at, STR_NOBODY, &data));
        TRY(add(l, TOKEN_DATA, data->s, data->n, value_str(data)));
    }
    skip(l, to - l->at);
    return 0;
}

/* The sign behind the two characters of a tag's beginning. */
static char sign_at(const struct lexer *l, size_t at)
{
    return at < l->n && (l->s[at] == '-' || l->s[at] == '+') ? l->s[at] : '\0';
}

/* The length of a tag's end at `at`, with the white space that it takes along; 0: none is
 * there.  close: "%}", "}}" or "#}". */
static size_t tag_end(const struct lexer *l, size_t at, const char *close)
{
    const int output = close[0] == '}';

    if (stands(l, at, "-") && stands(l, at + 1, close))
        return 3 + white(l, at + 3);
    if (!output && stands(l, at, "+") && stands(l, at + 1, close))
        return 3;
    if (!stands(l, at, close))
        return 0;
    return 2 + (!output && stands(l, at + 2, "\n"));
}

static int read_comment(struct lexer *l)
{
    for (size_t at = l->at; at < l->n; at++) {
        const size_t end = tag_end(l, at, "#}");

        if (end > 0) {
            skip(l, at + end - l->at);
            return 0;
        }
    }
    return lex_fault(l, "a comment that does not end");
}

/* ---- raw blocks -----------------------------------------------------------------------*/

/* The length of "{% WORD", its sign in *sign, at `at`; 0: something else. */
static size_t raw_tag(const struct lexer *l, size_t at, const char *word, char *sign)
{
    size_t p = at + 2;

    if (!stands(l, at, "{%"))
        return 0;
    *sign = sign_at(l, p);
    p += *sign != 0;
    p += white(l, p);
    if (!stands(l, p, word))
        return 0;
    p += strlen(word);
    return p + white(l, p) - at;
}

/* "{% raw %}" at the lexer's place: its length, 0 if it is none. */
static size_t raw_begin(const struct lexer *l, size_t at, char *sign)
{
    const size_t n = raw_tag(l, at, "raw", sign);

    if (n == 0)
        return 0;
    if (stands(l, at + n, "-%}"))
        return n + 3 + white(l, at + n + 3);
    return stands(l, at + n, "%}") ? n + 2 : 0;
}

static int read_raw(struct lexer *l)
{
    for (size_t at = l->at; at < l->n; at++) {
        char sign;
        const size_t n = raw_tag(l, at, "endraw", &sign);
        const size_t end = n ? tag_end(l, at + n, "%}") : 0;

        if (end > 0) {
            TRY(add_data(l, at, sign, 0));
            skip(l, n + end);
            return 0;
        }
    }
    return lex_fault(l, "a raw block that does not end");
}

/* ---- strings --------------------------------------------------------------------------*/

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* `digits` hexadecimal digits at s[*i]. */
static int read_hex(struct lexer *l, const char *s, size_t n, size_t *i, size_t digits,
                    int32_t *out)
{
    uint32_t c = 0;

    for (size_t k = 0; k < digits; k++, ++*i) {
        if (*i >= n || hex_digit(s[*i]) < 0)
            return lex_fault(l, "a string with a cut \\x, \\u or \\U");
        c = c << 4 | (uint32_t)hex_digit(s[*i]);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return lex_fault(l, "a string with an escape that is no character");
    *out = (int32_t)c;
    return 0;
}

/* The escape behind the backslash at s[*i - 1]. */
static int read_escape(struct lexer *l, struct buf *b, const char *s, size_t n,
                       size_t *i)
{
    static const char plain[] = "n\nt\tr\ra\ab\bf\fv\v\\\\''\"\"";
    const char c = s[(*i)++];
    int32_t code = 0;

    if (c == '\n')
        return 0;
    for (size_t k = 0; k + 1 < sizeof plain; k += 2)
        if (plain[k] == c)
            return buf_char(b, plain[k + 1], 0);
    if (c == 'x' || c == 'u' || c == 'U') {
        TRY(read_hex(l, s, n, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, &code));
        return buf_char(b, code, 0);
    }
    if (c == 'N')
        return lex_fault(l, "\\N{...} in a string is not supported");
    if (c < '0' || c > '7') {
        TRY(buf_lit(b, "\\"));
        return buf_put(b, &c, NULL, 1);
    }
    --*i;
    for (size_t k = 0; k < 3 && *i < n && s[*i] >= '0' && s[*i] <= '7'; k++)
        code = code * 8 + (s[(*i)++] - '0');
    return buf_char(b, code, 0);
}

static int read_string(struct lexer *l)
{
    const char quote = l->s[l->at];
    const char *s = l->s + l->at + 1;
    const size_t left = l->n - l->at - 1;
    struct buf b = {l->in};
    const struct str *str;
    size_t n = 0;

    while (n < left && s[n] != quote)
        n += s[n] == '\\' && n + 1 < left ? 2 : 1;
    if (n >= left)
        return lex_fault(l, "a string that does not end");
    for (size_t i = 0; i < n;) {
        size_t k = i;

        while (k < n && s[k] != '\\')
            k++;
        TRY(buf_put(&b, s + i, NULL, k - i));
        i = k + 1;
        if (k < n)
            TRY(read_escape(l, &b, s, n, &i));
    }
    TRY(buf_done(&b, &str));
    TRY(add(l, TOKEN_CONST, s, n, value_str(str)));
    skip(l, n + 2);
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------*/

static int is_digit(char c, int base)
{
    const int d = hex_digit(c);

    return d >= 0 && d < base;
}

/* Digits of a base, one '_' allowed between two: how many bytes. */
static size_t digits(const struct lexer *l, size_t at, int base)
{
    size_t n = 0;

    for (;;) {
        const size_t gap = n > 0 && at + n < l->n && l->s[at + n] == '_';

        if (at + n + gap >= l->n || !is_digit(l->s[at + n + gap], base))
            return n;
        n += gap + 1;
    }
}

/* The length of a float at the lexer's place; 0: it is none. */
static size_t float_length(const struct lexer *l)
{
    size_t n = digits(l, l->at, 10);
    const size_t whole = n;

    if (n == 0 || (l->at > 0 && l->s[l->at - 1] == '.'))
        return 0; /* x.0.1 has no float */
    if (stands(l, l->at + n, ".") && digits(l, l->at + n + 1, 10))
        n += 1 + digits(l, l->at + n + 1, 10);
    if (l->at + n < l->n && (l->s[l->at + n] | 32) == 'e') {
        const size_t sign = sign_at(l, l->at + n + 1) != 0;
        const size_t more = digits(l, l->at + n + 1 + sign, 10);

        n += more ? 1 + sign + more : 0;
    }
    return n > whole ? n : 0;
}

static int base_at(const struct lexer *l)
{
    const char c = l->s[l->at] == '0' && l->at + 1 < l->n ? l->s[l->at + 1] | 32 : 0;

    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
}

static int read_number(struct lexer *l)
{
    char text[64];
    size_t n = float_length(l), k = 0;
    const int is_float = n > 0, base = is_float ? 10 : base_at(l);
    const size_t prefix = base == 10 ? 0 : 2;
    struct value v;

    if (!is_float)
        n = prefix + digits(l, l->at + prefix, base);
    if (n == prefix || n >= sizeof text)
        return lex_fault(l, "a number that is none, or too long");
    for (size_t i = prefix; i < n; i++)
        if (l->s[l->at + i] != '_')
            text[k++] = l->s[l->at + i];
    text[k] = '\0';
    errno = 0;
    v = is_float ? value_float(strtod(text, NULL))
                 : value_int(strtoll(text, NULL, base));
    if (!is_float && errno)
        return lex_fault(l, "an integer beyond 64 bits");
    TRY(add(l, TOKEN_CONST, l->s + l->at, n, v));
    skip(l, n);
    return 0;
}

/* ---- words ----------------------------------------------------------------------------*/

/* Letters of all scripts, and what Python allows behind them. */
static int in_name(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC: return 1;
    default: return 0;
    }
}

static size_t name_length(const struct lexer *l)
{
    const struct str s = {.s = l->s, .n = l->n};
    size_t n = 0, len;

    while (l->at + n < l->n && in_name(str_at(&s, l->at + n, &len)))
        n += len;
    return n;
}

/* Keeps the brackets in pairs. */
static int balance(struct lexer *l, char c)
{
    const char *open = "([{", *close = ")]}", *p = strchr(open, c);

    if (p) {
        if (l->nopen == BRACKETS)
            return lex_fault(l, "too many brackets within each other");
        l->open[l->nopen++] = close[p - open];
    } else if (strchr(close, c)) {
        if (l->nopen == 0 || l->open[l->nopen - 1] != c)
            return lex_fault(l, "a closing bracket that nothing opened");
        l->nopen--;
    }
    return 0;
}

static int read_sign(struct lexer *l)
{
    static const char *const pairs[] = {"//", "**", "==", "!=", ">=", "<="};
    size_t n = strchr("+-/*%~[](){}<>=.:|,;", l->s[l->at]) && l->s[l->at] ? 1 : 0;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (stands(l, l->at, pairs[i]))
            n = 2;
    if (n == 0)
        return lex_fault(l, "a character that has no meaning in a tag");
    if (n == 1)
        TRY(balance(l, l->s[l->at]));
    TRY(add(l, TOKEN_SIGN, l->s + l->at, n, (struct value){0}));
    skip(l, n);
    return 0;
}

static int read_word(struct lexer *l)
{
    const char c = l->s[l->at];
    const size_t space = white(l, l->at);
    size_t n;

    if (space > 0) {
        skip(l, space);
        return 0;
    }
    if (c == '\'' || c == '"')
        return read_string(l);
    if (is_digit(c, 10))
        return read_number(l);
    if ((n = name_length(l)) == 0)
        return read_sign(l);
    TRY(add(l, TOKEN_NAME, l->s + l->at, n, (struct value){0}));
    skip(l, n);
    return 0;
}

/* Words up to the end of the tag. */
static int read_tag(struct lexer *l, const char *close, enum token_type end)
{
    for (l->nopen = 0; l->at < l->n;) {
        const size_t n = l->nopen ? 0 : tag_end(l, l->at, close);

        if (n > 0) {
            TRY(add_bare(l, end));
            skip(l, n);
            return 0;
        }
        TRY(read_word(l));
    }
    return lex_fault(l, "a tag that does not end");
}

/* ---- the whole ------------------------------------------------------------------------*/

/* The tag at `at`, its data before it. */
static int read_any(struct lexer *l, size_t at)
{
    char sign;
    const size_t raw = raw_begin(l, at, &sign);
    const char kind = l->s[at + 1];

    if (raw == 0)
        sign = sign_at(l, at + 2);
    TRY(add_data(l, at, sign, kind == '{'));
    if (raw > 0) {
        skip(l, raw);
        return read_raw(l);
    }
    skip(l, 2 + (sign != 0));
    if (kind == '#')
        return read_comment(l);
    TRY(add_bare(l, kind == '{' ? TOKEN_OUTPUT : TOKEN_BLOCK));
    return kind == '{' ? read_tag(l, "}}", TOKEN_OUTPUT_END)
                       : read_tag(l, "%}", TOKEN_BLOCK_END);
}

/* \r\n and \r become \n; the last newline goes. */
static int normalise(struct lexer *l, const char *source, size_t n)
{
    char *s;

    TRY(interp_take(l->in, &s, n + 1, 1));
    l->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (source[i] == '\n' && i > 0 && source[i - 1] == '\r')
            continue;
        s[l->n++] = source[i] == '\r' ? '\n' : source[i];
    }
    if (l->n > 0 && s[l->n - 1] == '\n')
        l->n--;
    l->s = s;
    return 0;
}

int jinja_lex(struct interp *in, const char *source, size_t n, struct tokens *out)
{
    struct lexer l = {.in = in, .line = 1, .line_start = 1, .out = out};
    const struct str *checked;

    *out = (struct tokens){0};
    TRY(str_of(in, source, n, STR_NOBODY, &checked));
    TRY(normalise(&l, source, n));
    while (l.at < l.n) {
        size_t at = l.at;

        while (at < l.n && !(l.s[at] == '{' && at + 1 < l.n && l.s[at + 1] &&
                             strchr("{%#", l.s[at + 1])))
            at++;
        if (at < l.n)
            TRY(read_any(&l, at));
        else
            TRY(add_data(&l, at, '+', 0));
    }
    return add_bare(&l, TOKEN_END);
}
