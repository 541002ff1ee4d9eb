/*
 * A subset of UAX #29 that needs no tables beyond utf8proc's categories: what joins and
 * what separates is decided from one character and its two neighbours.
 */
#include "reward/words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum kind {
    OTHER,
    LETTER,
    DIGIT,
    IDEOGRAPH,
    JOINER,   /* connector punctuation: part of a word, but makes none alone */
    EXTENDER, /* marks: belong to what stands before them */
};

static int ascii_is_letter(int32_t cp)
{
    return (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
}

struct cursor {
    const unsigned char *text;
    size_t at, end;
};

/* The character at `at` and its length; a byte that is not UTF-8 is U+FFFD. */
static size_t peek(const struct cursor *c, size_t at, int32_t *cp)
{
    if (at >= c->end) {
        *cp = -1;
        return 0;
    }
    if (c->text[at] < 0x80) {
        *cp = c->text[at];
        return 1;
    }
    const utf8proc_ssize_t n =
        utf8proc_iterate(c->text + at, (utf8proc_ssize_t)(c->end - at), cp);
    if (n > 0)
        return (size_t)n;
    *cp = 0xfffd;
    return 1;
}

static int is_ideograph(int32_t cp)
{
    static const int32_t range[][2] = {
        {0x3041, 0x309f},                                       /* hiragana */
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff}, {0xf900, 0xfaff}, /* Han */
        {0x20000, 0x3ffff},
    };

    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (cp >= range[i][0] && cp <= range[i][1])
            return 1;
    return cp == 0x3005 || cp == 0x3007;
}

/* Of a character below 128: what most text consists of. */
static enum kind ascii_kind(int32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return DIGIT;
    return ascii_is_letter(cp) ? LETTER : cp == '_' ? JOINER : OTHER;
}

static enum kind kind_of(int32_t cp)
{
    if (cp < 0x80)
        return ascii_kind(cp);
    if (is_ideograph(cp))
        return IDEOGRAPH;
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return DIGIT;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return EXTENDER;
    case UTF8PROC_CATEGORY_PC: return JOINER;
    default: return OTHER;
    }
}

static int is_apostrophe(int32_t cp)
{
    return cp == '\'' || cp == 0x2019;
}

/* Does cp, between two characters of these kinds, stay inside a word? */
static int joins(int32_t cp, enum kind before, enum kind after)
{
    if (before == LETTER && after == LETTER)
        return is_apostrophe(cp) || cp == '.' || cp == 0xb7;
    if (before == DIGIT && after == DIGIT)
        return cp == '.' || cp == ',' || cp == '\'';
    return 0;
}

/* End of the word that begins at `at`; *flags gets WORD_DIGIT. */
static size_t word_end(const struct cursor *c, size_t at, unsigned *flags)
{
    int32_t cp, next;
    size_t n = peek(c, at, &cp);
    enum kind last = kind_of(cp);
    const int alone = last == IDEOGRAPH;

    for (;;) {
        if (last == DIGIT)
            *flags |= WORD_DIGIT;
        at += n;
        n = peek(c, at, &cp);
        const enum kind k = kind_of(cp);
        if (k == EXTENDER)
            continue;
        if (alone || k == IDEOGRAPH)
            return at;
        if (k == OTHER) {
            const size_t m = peek(c, at + n, &next);

            if (n == 0 || !joins(cp, last, kind_of(next)))
                return at;
            at += n;
            n = m;
            last = kind_of(next);
            continue;
        }
        last = k == JOINER ? LETTER : k;
    }
}

/* The folded form into *out (malloc'd). */
static int fold(char **out, size_t *n, const char *s, size_t len)
{
    const utf8proc_option_t how =
        UTF8PROC_CASEFOLD | UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    utf8proc_uint8_t *folded = NULL;
    const utf8proc_ssize_t m =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &folded, how);

    if (m < 0)
        return -1;
    *out = (char *)folded;
    *n = (size_t)m;
    return 0;
}

/* ’ becomes ', and 's goes. */
static void plain_apostrophes(char *s, size_t *n)
{
    size_t k = 0;

    for (size_t i = 0; i < *n; i++) {
        if (i + 2 < *n && memcmp(s + i, "\xe2\x80\x99", 3) == 0) {
            s[k++] = '\'';
            i += 2;
        } else {
            s[k++] = s[i];
        }
    }
    if (k > 2 && memcmp(s + k - 2, "'s", 2) == 0)
        k -= 2;
    *n = k;
}

/* The same for a word of ASCII, into out (len); -1 if it is none. */
static int fold_ascii(char *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] & 0x80)
            return -1;
        out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i];
    }
    return 0;
}

static long intern(struct strtab *types, const char *s, size_t len, struct err *e)
{
    char small[64], *folded = small;
    size_t n = len;
    const int ascii = len <= sizeof small && fold_ascii(small, s, len) == 0;

    if (!ascii && fold(&folded, &n, s, len) < 0)
        return err_set(e, ERR_NOMEM, "no memory for a word of %zu bytes", len);
    plain_apostrophes(folded, &n);
    const long type = strtab_add(types, folded, n, e);
    if (!ascii)
        free(folded);
    return type;
}

/* ---- sentences and quotation marks ---------------------------------------------------- */
struct scan {
    struct words *w;
    size_t first;   /* first word of the sentence that runs */
    size_t quoted;  /* first word behind an open mark */
    int32_t closer; /* what closes it; 0: none is open */
    int stop;       /* a full stop was the last thing */
};

static void sentence_break(struct scan *s)
{
    if (s->w->n > s->first)
        s->w->sentences++;
    s->first = s->w->n;
    s->stop = 0;
}

static int is_stop_mark(int32_t cp)
{
    return cp == '.' || cp == '!' || cp == '?' || cp == 0x2026 || cp == 0x203d;
}

static int32_t closer_of(int32_t cp)
{
    switch (cp) {
    case '"': return '"';
    case 0x201c: return 0x201d; /* “ ” */
    case 0x201e: return 0x201c; /* „ “ */
    case 0xab: return 0xbb;     /* « » */
    case 0x300c: return 0x300d; /* 「 」 */
    default: return 0;
    }
}

static void quotation(struct scan *s, int32_t cp)
{
    if (s->closer && cp == s->closer) {
        for (size_t i = s->quoted; i < s->w->n; i++)
            s->w->word[i].flags |= WORD_QUOTED;
        s->closer = 0;
    } else if (!s->closer && closer_of(cp)) {
        s->closer = closer_of(cp);
        s->quoted = s->w->n;
    }
}

/* A character outside words. */
static void between(struct scan *s, int32_t cp)
{
    const utf8proc_category_t k = utf8proc_category(cp);

    quotation(s, cp);
    if (cp == '\n' || cp == 0x2028 || cp == 0x2029 || cp == 0x3002 || cp == 0xff01 ||
        cp == 0xff1f)
        sentence_break(s);
    else if (is_stop_mark(cp))
        s->stop = 1;
    else if (s->stop && (k == UTF8PROC_CATEGORY_ZS || cp == '\t' || cp == '\r'))
        sentence_break(s);
    else if (k != UTF8PROC_CATEGORY_PE && k != UTF8PROC_CATEGORY_PF && cp != '"' &&
             cp != '\'')
        s->stop = 0; /* closing marks may stand between the full stop and the space */
}

static int push(struct scan *s, const char *text, size_t begin, size_t end,
                unsigned flags, struct err *e)
{
    struct words *w = s->w;
    const long type = intern(&w->types, text + begin, end - begin, e);

    if (type < 0)
        return (int)type;
    if (w->n == w->cap) {
        const size_t cap = w->cap ? 2 * w->cap : 64;
        struct word *p = realloc(w->word, cap * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for %zu words", cap);
        w->word = p;
        w->cap = cap;
    }
    w->word[w->n++] = (struct word){begin, end, w->sentences, (size_t)type, flags};
    s->stop = 0;
    return 0;
}

int words_add(struct words *w, const char *text, size_t begin, size_t end,
              struct err *e)
{
    struct scan s = {.w = w, .first = w->n};
    const struct cursor c = {(const unsigned char *)text, begin, end};
    int rc;

    for (size_t at = begin; at < end;) {
        int32_t cp;
        const size_t n = peek(&c, at, &cp);
        const enum kind k = kind_of(cp);

        if (k != LETTER && k != DIGIT && k != IDEOGRAPH) {
            between(&s, cp);
            at += n;
            continue;
        }
        const utf8proc_category_t cat = utf8proc_category(cp);
        const int capital = cat == UTF8PROC_CATEGORY_LU || cat == UTF8PROC_CATEGORY_LT;
        unsigned flags = capital && w->n > s.first ? WORD_CAPITAL : 0;
        const size_t stop = word_end(&c, at, &flags);
        if ((rc = push(&s, text, at, stop, flags, e)) < 0)
            return rc;
        at = stop;
    }
    sentence_break(&s);
    return 0;
}

void words_clear(struct words *w)
{
    w->n = w->sentences = 0;
    strtab_clear(&w->types);
}

void words_release(struct words *w)
{
    free(w->word);
    strtab_release(&w->types);
    *w = (struct words){0};
}

int text_is_filler(const char *text, size_t n, size_t begin, size_t end)
{
    const struct cursor c = {(const unsigned char *)text, 0, n};
    int32_t cp;

    while (begin > 0 && begin < end && (c.text[begin] & 0xc0) == 0x80)
        begin--; /* to the start of its character */
    for (size_t at = begin; at < end; at += peek(&c, at, &cp)) {
        (void)peek(&c, at, &cp);
        const utf8proc_category_t k = utf8proc_category(cp);

        if (k < UTF8PROC_CATEGORY_PC ||
            (k > UTF8PROC_CATEGORY_PO && k < UTF8PROC_CATEGORY_ZS))
            return 0; /* letters, marks, numbers, unassigned; symbols */
    }
    return 1;
}
