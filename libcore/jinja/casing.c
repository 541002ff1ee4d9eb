#include "jinja/casing.h"

#include "jinja/casing_table.h"

#include <utf8proc.h>

/* ---- kinds ----------------------------------------------------------------------------*/

static int is_letter(int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);

    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

/* Digits that are no decimals: superscripts, subscripts, circled ones. */
static int is_odd_digit(int32_t c)
{
    return c == 0xb2 || c == 0xb3 || c == 0xb9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
           (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247c) ||
           (c >= 0x2488 && c <= 0x2490) || (c >= 0x2776 && c <= 0x277e);
}

int casing_is(int32_t c, enum char_kind kind)
{
    const utf8proc_category_t k = utf8proc_category(c);
    const int decimal = k == UTF8PROC_CATEGORY_ND;

    switch (kind) {
    case CHAR_ALPHA: return is_letter(c);
    case CHAR_DECIMAL: return decimal;
    case CHAR_DIGIT: return decimal || is_odd_digit(c);
    case CHAR_NUMERIC:
        return decimal || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
    case CHAR_ALNUM:
        return is_letter(c) || decimal || k == UTF8PROC_CATEGORY_NL ||
               k == UTF8PROC_CATEGORY_NO;
    case CHAR_SPACE: return str_is_space(c);
    case CHAR_ASCII: return c < 128;
    case CHAR_UPPER: return k == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216f);
    case CHAR_LOWER:
        return k == UTF8PROC_CATEGORY_LL || c == 0xaa || c == 0xba ||
               (c >= 0x2170 && c <= 0x217f);
    }
    return 0;
}

static int is_cased(int32_t c)
{
    return casing_is(c, CHAR_UPPER) || casing_is(c, CHAR_LOWER) ||
           utf8proc_category(c) == UTF8PROC_CATEGORY_LT;
}

/* What stands inside words without being a letter of them. */
static int is_ignorable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return 1;
    default:
        return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x387 ||
               c == 0x2019 || c == 0x2018 || c == 0x2024 || c == 0x2027;
    }
}

/* ---- one character --------------------------------------------------------------------*/

static int put_all(struct buf *b, const int32_t *c, size_t most, int user)
{
    for (size_t i = 0; i < most && (c[i] || i == 0); i++)
        TRY(buf_char(b, c[i], user));
    return 0;
}

static const struct casing_special *special(int32_t c)
{
    for (const struct casing_special *s = casing_special; s->c && s->c <= c; s++)
        if (s->c == c)
            return s;
    return NULL;
}

static int put_upper(struct buf *b, int32_t c, int user)
{
    const struct casing_special *s = c < 0x80 ? NULL : special(c);

    return s ? put_all(b, s->upper, 3, user) : buf_char(b, utf8proc_toupper(c), user);
}

static int put_title(struct buf *b, int32_t c, int user)
{
    const struct casing_special *s = c < 0x80 ? NULL : special(c);

    return s ? put_all(b, s->title, 3, user) : buf_char(b, utf8proc_totitle(c), user);
}

/* A capital sigma is a final one behind a letter and before none. */
static int is_final_sigma(const struct str *s, size_t at, size_t len)
{
    size_t before = at, after = at + len, n;
    int32_t c = 0;

    while (before > 0) {
        before = str_before(s, before);
        if (!is_ignorable(c = str_at(s, before, &n)))
            break;
    }
    if (!is_cased(c))
        return 0;
    for (; after < s->n; after += n)
        if (!is_ignorable(c = str_at(s, after, &n)))
            return !is_cased(c);
    return 1;
}

static int put_lower(struct buf *b, const struct str *s, size_t at, size_t len,
                     int user)
{
    static const int32_t dotted[2] = {'i', 0x307};
    size_t n;
    const int32_t c = str_at(s, at, &n);

    if (c == 0x130)
        return put_all(b, dotted, 2, user);
    if (c == 0x3a3)
        return buf_char(b, is_final_sigma(s, at, len) ? 0x3c2 : 0x3c3, user);
    return buf_char(b, utf8proc_tolower(c), user);
}

static int put_folded(struct buf *b, int32_t c, int user)
{
    utf8proc_int32_t to[8];
    int last = 0;
    const utf8proc_ssize_t n =
        utf8proc_decompose_char(c, to, 8, UTF8PROC_CASEFOLD, &last);

    for (utf8proc_ssize_t i = 0; i < n && i < 8; i++)
        TRY(buf_char(b, to[i], user));
    return 0;
}

/* ---- whole strings --------------------------------------------------------------------*/

/* What becomes of a character, whose place in its word or text is known. */
static enum casing one(enum casing how, int32_t c, size_t at, int in_word)
{
    switch (how) {
    case CASING_TITLE: return in_word ? CASING_LOWER : CASING_TITLE;
    case CASING_CAPITALIZE: return at ? CASING_LOWER : CASING_TITLE;
    case CASING_SWAP:
        return casing_is(c, CHAR_UPPER)   ? CASING_LOWER
               : casing_is(c, CHAR_LOWER) ? CASING_UPPER
                                          : CASING_SWAP;
    default: return how;
    }
}

int casing_make(struct interp *in, const struct str *s, enum casing how,
                const struct str **out)
{
    struct buf b = {in};
    int in_word = 0;

    TRY(interp_steps(in, s->n >> 8));
    for (size_t at = 0, len; at < s->n; at += len) {
        const int32_t c = str_at(s, at, &len);
        const int user = s->user && s->user[at];

        switch (one(how, c, at, in_word)) {
        case CASING_UPPER: TRY(put_upper(&b, c, user)); break;
        case CASING_LOWER: TRY(put_lower(&b, s, at, len, user)); break;
        case CASING_FOLD: TRY(put_folded(&b, c, user)); break;
        case CASING_SWAP: TRY(buf_char(&b, c, user)); break;
        default: TRY(put_title(&b, c, user));
        }
        in_word = is_cased(c);
    }
    TRY(buf_done(&b, out));
    return s->safe ? str_mark_safe(in, *out, 1, out) : 0;
}
