/*
 * Added tokens are found leftmost first and, at one place, longest first.  For each place
 * whose byte begins some content, each different length is looked up in a hash table.
 */
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void added_set_release(struct added_set *s)
{
    vocab_release(&s->text);
    free(s->lengths);
    *s = (struct added_set){0};
}

static int longer_first(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

static int list_lengths(struct added_set *s, struct err *e)
{
    s->lengths = malloc((s->text.size + 1) * sizeof *s->lengths);
    if (!s->lengths)
        return err_set(e, ERR_NOMEM, "no memory for the added tokens");
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < s->text.size; i++)
        if (s->text.span[i].used)
            s->lengths[n++] = s->text.span[i].n;
    qsort(s->lengths, n, sizeof *s->lengths, longer_first);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || s->lengths[i] != s->lengths[kept - 1])
            s->lengths[kept++] = s->lengths[i];
    s->nlengths = kept;
    return 0;
}

int added_set_build(struct added_set *s, struct tok *t, int normalized, struct err *e)
{
    struct passage text = {0};
    int rc = 0;

    for (size_t i = 0; i < t->nadded && rc == 0; i++) {
        if (t->added[i].normalized != normalized ||
            (rc = tok_content(t, &t->added[i], &text, e)) < 0 || text.n == 0)
            continue;
        rc = vocab_add(&s->text, i, text.text, text.n, t->where, e);
        s->first[(unsigned char)text.text[0]] = 1;
    }
    passage_release(&text);
    return rc < 0 ? rc : list_lengths(s, e);
}

/* Rust's \w: letters, marks, digits, connectors, joiners, letters in circles. */
static int is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return 1;
    default:
        return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) ||
               (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
               (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* Where the character that ends before `at` begins. */
static size_t step_back(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[--at] & 0xc0) == 0x80)
        ;
    return at;
}

static int stands_alone(const char *text, size_t n, size_t at, size_t end)
{
    size_t len;

    if (at > 0) {
        const size_t b = step_back(text, at);
        if (is_word(utf8_get(text + b, at - b, &len)))
            return 0;
    }
    return end == n || !is_word(utf8_get(text + end, n - end, &len));
}

/* Widens [m->at, m->end) by white space, to the left not beyond `from`. */
static void take_white(const struct added *a, const char *text, size_t n, size_t from,
                       struct added_match *m)
{
    size_t len;

    while (a->lstrip && m->at > from) {
        const size_t b = step_back(text, m->at);
        if (!class_has(&class_white, utf8_get(text + b, m->at - b, &len)))
            break;
        m->at = b;
    }
    while (a->rstrip && m->end < n &&
           class_has(&class_white, utf8_get(text + m->end, n - m->end, &len)))
        m->end += len;
}

/* The longest one that begins at byte i; -1 if there is none. */
static int32_t longest_at(const struct added_set *s, const char *text, size_t n,
                          size_t i, size_t *len)
{
    int32_t found = -1;

    if (!s->first[(unsigned char)text[i]])
        return -1;
    for (size_t k = 0; k < s->nlengths && found < 0; k++) {
        *len = s->lengths[k];
        found = *len <= n - i ? vocab_find(&s->text, text + i, *len) : -1;
    }
    return found;
}

int added_next(const struct tok *t, const struct added_set *s, const char *text,
               size_t n, struct added_match *m)
{
    for (size_t i = m->next, len; i < n; i++) {
        const int32_t found = longest_at(s, text, n, i, &len);

        if (found < 0)
            continue;
        const struct added *a = &t->added[found];
        if (a->single_word && !stands_alone(text, n, i, i + len)) {
            i += len - 1; /* as the tokenizers library: the match is spent */
            continue;
        }
        const size_t from = m->end;
        *m = (struct added_match){(size_t)found, i, i + len, i + len};
        take_white(a, text, n, from, m);
        return 1;
    }
    return 0;
}
