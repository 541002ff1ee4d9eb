#include "jinja/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

/* ---- making ---------------------------------------------------------------------------*/

static size_t count_chars(const char *s, size_t n)
{
    size_t chars = 0;

    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)s[i] & 0xc0) != 0x80;
    return chars;
}

static int make(struct interp *in, const char *s, const unsigned char *user, size_t n,
                const struct str **out)
{
    struct str *str;

    TRY(interp_steps(in, n >> 10));
    TRY(interp_take(in, &str, 1, sizeof *str));
    *str = (struct str){.s = s, .user = user, .n = n, .chars = count_chars(s, n)};
    *out = str;
    return 0;
}

static int check_utf8(struct interp *in, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)s + i,
                                                      (utf8proc_ssize_t)(n - i), &c);

        if (len <= 0)
            return interp_fault(in, ERR_RECORD, "a text that is not UTF-8");
        i += (size_t)len;
    }
    return 0;
}

int str_of(struct interp *in, const char *s, size_t n, enum str_who who,
           const struct str **out)
{
    unsigned char *user = NULL;

    if (n > INTERP_TEXT)
        return interp_fault(in, ERR_RECORD, "a text of %zu bytes, at most %d", n,
                            INTERP_TEXT);
    TRY(check_utf8(in, s, n));
    if (who == STR_USER && n > 0) {
        TRY(interp_take(in, &user, n, 1));
        memset(user, 1, n);
    }
    return make(in, n ? s : "", user, n, out);
}

int str_lit(struct interp *in, const char *s, const struct str **out)
{
    return make(in, s, NULL, strlen(s), out);
}

int str_printf(struct interp *in, const struct str **out, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return interp_fault(in, ERR_RECORD, "a number that cannot be shown");
    TRY(interp_take(in, &s, (size_t)n + 1, 1));
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return make(in, s, NULL, (size_t)n, out);
}

int str_sub(struct interp *in, const struct str *s, size_t from, size_t to,
            const struct str **out)
{
    if (to < from)
        to = from;
    if (from == 0 && to == s->n) {
        *out = s;
        return 0;
    }
    TRY(make(in, s->s + from, s->user ? s->user + from : NULL, to - from, out));
    return s->safe ? str_mark_safe(in, *out, 1, out) : 0;
}

int str_mark_safe(struct interp *in, const struct str *s, int safe,
                  const struct str **out)
{
    struct str *copy;

    TRY(interp_take(in, &copy, 1, sizeof *copy));
    *copy = *s;
    copy->safe = safe;
    *out = copy;
    return 0;
}

/* ---- comparing ------------------------------------------------------------------------*/

int str_equal(const struct str *a, const struct str *b)
{
    return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
}

int str_is(const struct str *s, const char *lit)
{
    return s->n == strlen(lit) && memcmp(s->s, lit, s->n) == 0;
}

int str_compare(const struct str *a, const struct str *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    const int c = memcmp(a->s, b->s, n); /* UTF-8 sorts as its code points do */

    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* ---- places ---------------------------------------------------------------------------*/

size_t str_byte(const struct str *s, size_t i)
{
    size_t at = 0;

    if (i >= s->chars)
        return s->n;
    if (s->n == s->chars)
        return i;
    for (;; at++) {
        if (((unsigned char)s->s[at] & 0xc0) == 0x80)
            continue;
        if (i-- == 0)
            return at;
    }
}

size_t str_char(const struct str *s, size_t byte)
{
    return s->n == s->chars ? byte : count_chars(s->s, byte);
}

int32_t str_at(const struct str *s, size_t at, size_t *len)
{
    utf8proc_int32_t c;
    const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s->s + at,
                                                (utf8proc_ssize_t)(s->n - at), &c);

    *len = n > 0 ? (size_t)n : 1;
    return c;
}

size_t str_before(const struct str *s, size_t at)
{
    do
        at--;
    while (at > 0 && ((unsigned char)s->s[at] & 0xc0) == 0x80);
    return at;
}

ptrdiff_t str_find(const struct str *s, const struct str *what, size_t from, size_t to)
{
    if (from > to || what->n > to - from)
        return -1;
    const char *p = memmem(s->s + from, to - from, what->s, what->n);

    return p ? p - s->s : -1;
}

ptrdiff_t str_rfind(const struct str *s, const struct str *what, size_t from, size_t to)
{
    if (from > to || what->n > to - from)
        return -1;
    for (size_t at = to - what->n + 1; at-- > from;)
        if (memcmp(s->s + at, what->s, what->n) == 0 &&
            (at == s->n || ((unsigned char)s->s[at] & 0xc0) != 0x80))
            return (ptrdiff_t)at;
    return -1;
}

/* ---- characters -----------------------------------------------------------------------*/

int str_is_space(int32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

int str_is_newline(int32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 ||
           c == 0x2028 || c == 0x2029;
}

static int in_set(const struct str *set, int32_t c)
{
    if (!set)
        return str_is_space(c);
    for (size_t i = 0, len; i < set->n; i += len)
        if (str_at(set, i, &len) == c)
            return 1;
    return 0;
}

int str_strip(struct interp *in, const struct str *s, const struct str *chars,
              enum str_ends ends, const struct str **out)
{
    size_t from = 0, to = s->n, len;

    while (ends & STR_LEFT && from < to && in_set(chars, str_at(s, from, &len)))
        from += len;
    while (ends & STR_RIGHT && to > from) {
        const size_t b = str_before(s, to);

        if (!in_set(chars, str_at(s, b, &len)))
            break;
        to = b;
    }
    return str_sub(in, s, from, to, out);
}

/* ---- changing -------------------------------------------------------------------------*/

/* `new` before every character and at the end, `limit` times. */
static int spread(struct buf *b, const struct str *s, const struct str *new,
                  int64_t limit)
{
    size_t at = 0, len;

    for (; limit != 0 && at < s->n; at += len, limit--) {
        TRY(buf_add(b, new));
        (void)str_at(s, at, &len);
        TRY(buf_sub(b, s, at, at + len));
    }
    if (limit != 0)
        return buf_add(b, new);
    return buf_sub(b, s, at, s->n);
}

int str_replace(struct interp *in, const struct str *s, const struct str *old,
                const struct str *new, int64_t limit, const struct str **out)
{
    struct buf b = {in};
    size_t at = 0;

    if (old->n == 0) {
        TRY(spread(&b, s, new, limit));
        return buf_done(&b, out);
    }
    while (limit != 0) {
        const ptrdiff_t found = str_find(s, old, at, s->n);

        if (found < 0)
            break;
        TRY(buf_sub(&b, s, at, (size_t)found));
        TRY(buf_add(&b, new));
        at = (size_t)found + old->n;
        limit -= limit > 0;
    }
    if (at == 0) {
        *out = s;
        return 0;
    }
    TRY(buf_sub(&b, s, at, s->n));
    return buf_done(&b, out);
}

static const char *html(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '\'': return "&#39;";
    case '"': return "&#34;";
    default: return NULL;
    }
}

int str_escape(struct interp *in, const struct str *s, const struct str **out)
{
    struct buf b = {in};

    if (s->safe) {
        *out = s;
        return 0;
    }
    for (size_t i = 0; i < s->n; i++) {
        const char *as = html(s->s[i]);
        const int user = s->user && s->user[i];

        for (; as && *as; as++)
            TRY(buf_char(&b, *as, user));
        if (!as)
            TRY(buf_sub(&b, s, i, i + 1));
    }
    TRY(buf_done(&b, out));
    return str_mark_safe(in, *out, 1, out);
}

/* ---- building -------------------------------------------------------------------------*/

static int reserve(struct buf *b, size_t more)
{
    const size_t cap = 2 * (b->n + more) + 64;
    unsigned char *user;
    char *s;

    if (b->n + more <= b->cap)
        return 0;
    if (more > INTERP_TEXT || b->n + more > INTERP_TEXT)
        return interp_fault(b->in, ERR_RECORD, "a text of more than %d bytes",
                            INTERP_TEXT);
    TRY(interp_take(b->in, &s, cap, 1));
    TRY(interp_take(b->in, &user, cap, 1));
    if (b->n > 0) {
        memcpy(s, b->s, b->n);
        memcpy(user, b->user, b->n);
    }
    b->s = s;
    b->user = user;
    b->cap = cap;
    return 0;
}

int buf_put(struct buf *b, const char *s, const unsigned char *user, size_t n)
{
    if (n == 0)
        return 0;
    TRY(interp_steps(b->in, n >> 10));
    TRY(reserve(b, n));
    memcpy(b->s + b->n, s, n);
    if (user)
        memcpy(b->user + b->n, user, n);
    else
        memset(b->user + b->n, 0, n);
    b->n += n;
    b->users |= user != NULL;
    return 0;
}

int buf_lit(struct buf *b, const char *s)
{
    return buf_put(b, s, NULL, strlen(s));
}

int buf_add(struct buf *b, const struct str *s)
{
    return buf_put(b, s->s, s->user, s->n);
}

int buf_sub(struct buf *b, const struct str *s, size_t from, size_t to)
{
    return buf_put(b, s->s + from, s->user ? s->user + from : NULL, to - from);
}

int buf_char(struct buf *b, int32_t c, int user)
{
    static const unsigned char users[4] = {1, 1, 1, 1};
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);

    return buf_put(b, (const char *)bytes, user ? users : NULL, (size_t)n);
}

int buf_fill(struct buf *b, char c, size_t n)
{
    TRY(reserve(b, n));
    if (n > 0) {
        memset(b->s + b->n, c, n);
        memset(b->user + b->n, 0, n);
    }
    b->n += n;
    return interp_steps(b->in, n >> 10);
}

int buf_done(struct buf *b, const struct str **out)
{
    return make(b->in, b->n ? b->s : "", b->users ? b->user : NULL, b->n, out);
}
