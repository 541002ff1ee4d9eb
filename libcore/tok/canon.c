/*
 * Two passes: the source is cut into tags and the text between them, with white space
 * control carried out; each tag is cut into words and written again in one manner.
 */
#include "tok/canon.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Growing text; `oom` sticks. */
struct text {
    char *s;
    size_t n, cap;
    int oom;
};

static void put(struct text *t, const char *s, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        const size_t cap = 2 * (t->n + n) + 64;
        char *p = realloc(t->s, cap);

        if (!p) {
            t->oom = 1;
            return;
        }
        t->s = p;
        t->cap = cap;
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

static void puts_(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

/* c inside quotes of the kind q. */
static void put_quoted(struct text *t, char c, char q)
{
    if (c == '\n')
        puts_(t, "\\n");
    else {
        if (c == q || c == '\\')
            put(t, "\\", 1);
        put(t, &c, 1);
    }
}

/* ---- output -----------------------------------------------------------------------------
 * Literal text is collected until something else comes. */
struct writer {
    struct text out, literal;
    const char *where;
};

static void flush(struct writer *w)
{
    if (w->literal.n == 0)
        return;
    puts_(&w->out, "\"");
    for (size_t i = 0; i < w->literal.n; i++)
        put_quoted(&w->out, w->literal.s[i], '"');
    puts_(&w->out, "\"");
    w->literal.n = 0;
}

/* ---- inside a tag -----------------------------------------------------------------------
 * A word: a string (decoded), a name or number, or one or two characters of operator. */
enum word_kind { WORD_END, WORD_STRING, WORD_NAME, WORD_SIGN, WORD_BAD };

struct word {
    enum word_kind kind;
    const char *s; /* name or sign, borrowed */
    size_t n;
    struct text string; /* owned */
};

static int is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Decodes the string at *s (which is its quote) up to its closing quote. */
static int read_string(const char **s, const char *end, struct text *out)
{
    const char quote = *(*s)++;

    for (; *s < end && **s != quote; (*s)++) {
        char c = **s;

        if (c == '\\' && *s + 1 < end) {
            c = *++*s;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        put(out, &c, 1);
    }
    if (*s == end)
        return 0;
    ++*s;
    return 1;
}

static enum word_kind next_word(struct word *w, const char **s, const char *end)
{
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "//", "**"};

    w->string.n = 0;
    while (*s < end && isspace((unsigned char)**s))
        ++*s;
    w->s = *s;
    w->n = 1;
    if (*s == end)
        return w->kind = WORD_END;
    if (**s == '\'' || **s == '"')
        return w->kind = read_string(s, end, &w->string) ? WORD_STRING : WORD_BAD;
    if (is_name(**s)) {
        while (*s < end && is_name(**s))
            ++*s;
        w->n = (size_t)(*s - w->s);
        return w->kind = WORD_NAME;
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (end - *s >= 2 && memcmp(*s, pairs[i], 2) == 0)
            w->n = 2;
    *s += w->n;
    return w->kind = WORD_SIGN;
}

static void put_string(struct text *t, const struct text *string)
{
    puts_(t, "'");
    for (size_t i = 0; i < string->n; i++)
        put_quoted(t, string->s[i], '\'');
    puts_(t, "'");
}

/* After a '.': ".strip()" is "|trim", ".role" is "['role']"; else the point stays (of
 * loop, and of calls). */
static void put_member(struct text *t, const char **s, const char *end)
{
    const char *p = *s;

    while (p < end && is_name(*p))
        p++;
    const size_t n = (size_t)(p - *s);
    const int loop = t->n >= 4 && memcmp(t->s + t->n - 4, "loop", 4) == 0;

    if (n == 5 && memcmp(*s, "strip", 5) == 0 && end - p >= 2 && !memcmp(p, "()", 2)) {
        puts_(t, "|trim");
        *s = p + 2;
    } else if (n == 0 || loop || (p < end && *p == '(')) {
        puts_(t, ".");
    } else {
        puts_(t, "['");
        put(t, *s, n);
        puts_(t, "']");
        *s = p;
    }
}

/* The words from *s up to the end, or up to a + or ~ outside brackets if `terms`, in
 * canonical form.  Returns 1 if the whole is one string: it is in `only` then. */
static int put_words(struct text *t, const char **s, const char *end, int terms,
                     struct text *only, int *bad)
{
    struct word w = {0};
    int depth = 0, words = 0, strings = 0, name = 0;

    only->n = 0;
    while (next_word(&w, s, end) != WORD_END) {
        if (w.kind == WORD_BAD) {
            *bad = 1;
            break;
        }
        const char c = w.kind == WORD_SIGN ? *w.s : '\0';

        depth += c && strchr("([{", c) ? 1 : c && strchr(")]}", c) ? -1 : 0;
        if (terms && depth == 0 && w.n == 1 && (c == '+' || c == '~'))
            break;
        words++;
        if (w.kind == WORD_STRING) {
            strings++;
            only->n = 0;
            put(only, w.string.s ? w.string.s : "", w.string.n);
            put_string(t, &w.string);
        } else if (c == '.') {
            put_member(t, s, end);
        } else {
            if (name && w.kind == WORD_NAME)
                puts_(t, " ");
            put(t, w.s, w.n);
        }
        name = w.kind == WORD_NAME;
    }
    free(w.string.s);
    return words == 1 && strings == 1;
}

/* {{ ... }}: each term is an output of its own, strings are literal text. */
static int write_output(struct writer *w, const char *s, const char *end)
{
    struct text term = {0}, only = {0};
    int bad = 0;

    while (s < end && !bad) {
        term.n = 0;
        if (put_words(&term, &s, end, 1, &only, &bad)) {
            put(&w->literal, only.s ? only.s : "", only.n);
        } else if (term.n > 0) {
            flush(w);
            puts_(&w->out, "{{");
            put(&w->out, term.s, term.n);
            puts_(&w->out, "}}");
        }
        w->out.oom |= term.oom | only.oom;
    }
    free(term.s);
    free(only.s);
    return !bad;
}

static int write_statement(struct writer *w, const char *s, const char *end)
{
    struct text only = {0};
    int bad = 0;

    flush(w);
    puts_(&w->out, "{%");
    (void)put_words(&w->out, &s, end, 0, &only, &bad);
    puts_(&w->out, "%}");
    free(only.s);
    return !bad;
}

/* ---- tags and text ----------------------------------------------------------------------*/

/* The end of the tag's inside, which begins at s: where its closing mark is, outside of
 * strings; NULL if it does not end. */
static const char *tag_end(const char *s, const char *end, char kind)
{
    const char close = kind == '{' ? '}' : kind;
    char quote = '\0';

    for (; s + 1 < end; s++) {
        if (quote && *s == '\\')
            s++;
        else if (quote)
            quote = *s == quote ? '\0' : quote;
        else if (kind != '#' && (*s == '\'' || *s == '"'))
            quote = *s;
        else if (s[0] == close && s[1] == '}')
            return s;
    }
    return NULL;
}

/* Text before a tag: "-" takes all white space from its end, a block tag the blanks that
 * stand alone in front of it on its line. */
static size_t text_before(const char *s, size_t n, int strip, int block, int line_start)
{
    size_t k = n;

    if (strip) {
        while (k > 0 && isspace((unsigned char)s[k - 1]))
            k--;
        return k;
    }
    while (block && k > 0 && (s[k - 1] == ' ' || s[k - 1] == '\t'))
        k--;
    return k == 0 ? (line_start ? 0 : n) : s[k - 1] == '\n' ? k : n;
}

static int write_tag(struct writer *w, char kind, const char *s, const char *end)
{
    if (kind == '#')
        return 1;
    return kind == '{' ? write_output(w, s, end) : write_statement(w, s, end);
}

/* Where the text behind a tag goes on: "-" takes the white space, a block tag one
 * newline. */
static const char *text_after(const char *s, const char *end, int strip, char kind)
{
    if (strip)
        while (s < end && isspace((unsigned char)*s))
            s++;
    else if (kind != '{' && s < end && *s == '\n')
        s++;
    return s;
}

static int walk(struct writer *w, const char *s, const char *end, struct err *e)
{
    const char *start = s, *source = s;

    while (s < end) {
        const int tag = s + 1 < end && *s == '{' && strchr("{%#", s[1]) && s[1];

        if (!tag) {
            s++;
            continue;
        }
        const char kind = s[1];
        const char *in = s + 2, *close = tag_end(in, end, kind);
        const int line_start = start == source || start[-1] == '\n';

        if (!close)
            return err_set(e, ERR_FILE, "%s: chat template: a '{%c' does not end",
                           w->where, kind);
        const int before = in < close && *in == '-', plus = in < close && *in == '+';
        const int signs = before || plus; /* the one sign of "{%-%}" is the first */
        const int after = close > in + signs && close[-1] == '-';

        put(&w->literal, start,
            text_before(start, (size_t)(s - start), before, kind != '{' && !plus,
                        line_start));
        if (!write_tag(w, kind, in + signs, close - after))
            return err_set(e, ERR_FILE, "%s: chat template: a string does not end",
                           w->where);
        start = s = text_after(close + 2, end, after, kind);
    }
    put(&w->literal, start, (size_t)(end - start));
    flush(w);
    return 0;
}

int canon_make(char **out, const char *source, const char *where, struct err *e)
{
    struct writer w = {.where = where};
    size_t n = strlen(source);

    if (n > 0 && source[n - 1] == '\n')
        n--;
    puts_(&w.out, "");
    int rc = walk(&w, source, source + n, e);

    if (rc == 0 && (w.out.oom || w.literal.oom))
        rc = err_set(e, ERR_NOMEM, "%s: no memory for the chat template", where);
    free(w.literal.s);
    if (rc < 0) {
        free(w.out.s);
        return rc;
    }
    *out = w.out.s;
    return 0;
}
