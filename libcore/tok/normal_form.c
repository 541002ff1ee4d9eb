/*
 * Unicode's normal forms, and SentencePiece's compiled normaliser.
 *
 * A form is made as the standard says: decompose, order marks by their class, compose.
 * utf8proc knows the characters; the steps are ours, because each character must know
 * what it stands for.  Of a decomposed character the first part takes its place and the
 * others are new; a composed one swallows what it was made of.
 *
 * Nothing below U+0300 joins what is before it, so the text falls into runs that begin at
 * such characters.
 */
#include "tok/normal_steps.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- decomposing ----------------------------------------------------------------------*/

/* The library's tables are those of Unicode 9: characters that came later stay whole
 * there, and marks that did are no marks. */
static const struct class_range young_whole[] = {
    {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xab69, 0xab69},
    {0x10781, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
    {0x11938, 0x11938}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9},
};
static const struct class_range young_mark[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
    {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},
    {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34},
    {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45},
    {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f},
    {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef},
};
static const struct class whole = {young_whole,
                                   sizeof young_whole / sizeof *young_whole};
static const struct class marks = {young_mark, sizeof young_mark / sizeof *young_mark};

static int is_young(uint32_t c)
{
    return c >= 0x32ff && class_has(&whole, c);
}

static int combining(uint32_t c)
{
    const int class =
        c < 0x300 ? 0 : utf8proc_get_property((utf8proc_int32_t)c)->combining_class;

    return class && !class_has(&marks, c) ? class : 0;
}

static int decompose(struct changes *to, uint32_t c, int compat, struct err *e)
{
    enum { PARTS_MAX = 32 }; /* the longest has 18 */
    utf8proc_int32_t part[PARTS_MAX];
    int boundary = 0, rc = 0;
    const utf8proc_option_t how =
        UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : (utf8proc_option_t)0);
    const utf8proc_ssize_t n = c < 0x80 || is_young(c)
                                   ? 0
                                   : utf8proc_decompose_char((utf8proc_int32_t)c, part,
                                                             PARTS_MAX, how, &boundary);

    if (n <= 0 || n > PARTS_MAX)
        return changes_push(to, c, 0, e);
    for (utf8proc_ssize_t i = 0; i < n && rc == 0; i++)
        rc = changes_push(to, (uint32_t)part[i], i > 0, e);
    return rc;
}

/* ---- ordering -------------------------------------------------------------------------*/

struct mark {
    struct change change;
    int class;
    size_t at;
};

static int by_class(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;

    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int sort_marks(struct change *v, size_t n, struct err *e)
{
    struct mark few[16], *m = few;

    if (n > sizeof few / sizeof *few && !(m = malloc(n * sizeof *m)))
        return err_set(e, ERR_NOMEM, "no memory for %zu marks", n);
    for (size_t i = 0; i < n; i++)
        m[i] = (struct mark){v[i], combining(v[i].c), i};
    qsort(m, n, sizeof *m, by_class);
    for (size_t i = 0; i < n; i++)
        v[i] = m[i].change;
    if (m != few)
        free(m);
    return 0;
}

/* Orders each stretch of marks in v[0..n). */
static int order(struct change *v, size_t n, struct err *e)
{
    int rc = 0;

    for (size_t i = 0, j; i < n && rc == 0; i = j) {
        for (j = i; j < n && combining(v[j].c) != 0;)
            j++;
        if (j > i + 1)
            rc = sort_marks(v + i, j - i, e);
        if (j == i)
            j++;
    }
    return rc;
}

/* ---- composing ------------------------------------------------------------------------*/

/* The character that two make, or 0. */
static uint32_t pair(uint32_t a, uint32_t b)
{
    utf8proc_int32_t v[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};

    if (b < 0x300)
        return 0;
    const int one =
        utf8proc_normalize_utf32(v, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1;
    return one && !is_young((uint32_t)v[0]) ? (uint32_t)v[0] : 0;
}

/* Composes v[0..n) in place; returns what is left. */
static size_t compose(struct change *v, size_t n)
{
    struct change *base = NULL;
    size_t out = 0;
    int last = -1; /* class of the mark before, behind `base`; -1: none */

    for (size_t i = 0; i < n; i++) {
        const int class = combining(v[i].c);
        const uint32_t one = base && last < class ? pair(base->c, v[i].c) : 0;

        if (one) {
            base->c = one;
            base->n += v[i].n - 1;
            continue;
        }
        v[out] = v[i];
        if (class == 0) {
            base = &v[out];
            last = -1;
        } else if (base) {
            last = class;
        }
        out++;
    }
    return out;
}

/* ---- a run ----------------------------------------------------------------------------*/

/* Bytes of the run at the start of s[0..n): a character, and all from U+0300 on behind
 * it. */
static size_t run_length(const char *s, size_t n)
{
    size_t len, at;

    (void)utf8_get(s, n, &len);
    for (at = len; at < n && utf8_get(s + at, n - at, &len) >= 0x300;)
        at += len;
    return at;
}

/* 1 if the last changes are other characters than s[0..n). */
static int differs(const struct changes *to, size_t from, const char *s, size_t n)
{
    size_t i = from;

    for (size_t at = 0, len; at < n; at += len, i++)
        if (i == to->n || to->v[i].c != utf8_get(s + at, n - at, &len))
            return 1;
    return i != to->n;
}

static int form_run(const struct normal_step *step, const char *s, size_t n,
                    struct changes *to, struct err *e)
{
    const int compat = step->form == FORM_KC || step->form == FORM_KD;
    const size_t from = to->n;
    int rc = 0;

    for (size_t at = 0, len; at < n && rc == 0; at += len)
        rc = decompose(to, utf8_get(s + at, n - at, &len), compat, e);
    if (rc == 0)
        rc = order(to->v + from, to->n - from, e);
    if (rc < 0)
        return rc;
    if (step->form == FORM_C || step->form == FORM_KC)
        to->n = from + compose(to->v + from, to->n - from);
    return differs(to, from, s, n);
}

int normal_form(const struct normal_step *step, const char *s, size_t n,
                struct changes *to, struct err *e)
{
    int changed = 0;

    for (size_t at = 0, len; at < n; at += len) {
        len = run_length(s + at, n - at);
        const int rc = len == 1 ? changes_push(to, (unsigned char)s[at], 0, e)
                                : form_run(step, s + at, len, to, e);
        if (rc < 0)
            return rc;
        changed |= rc;
    }
    return changed;
}

/* ---- SentencePiece's rules --------------------------------------------------------------
 * The library asks for the rule of each grapheme cluster of less than 6 bytes, then for
 * those of its characters.  A rule that leaves nothing is counted to the character before;
 * at the very beginning it is lost, and what follows ends too early. */

enum { CLUSTER_MAX = 5 };

/* Bytes of the grapheme cluster at the start of s[0..n). */
static size_t cluster(const char *s, size_t n)
{
    utf8proc_int32_t state = 0;
    size_t len, at;
    uint32_t c = utf8_get(s, n, &len);

    for (at = len; at < n; at += len) {
        const uint32_t next = utf8_get(s + at, n - at, &len);

        if (c < 0x80 && next < 0x80 && (c != '\r' || next != '\n'))
            break;
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c,
                                             (utf8proc_int32_t)next, &state))
            break;
        c = next;
    }
    return at;
}

static size_t count_chars(const char *s, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

/* `new` takes the place of `old`: the last ones are new if there are more, or the last one
 * swallows if there are less. */
static int put_rule(struct changes *to, size_t nold, const char *new, size_t nnew,
                    struct err *e)
{
    const size_t k = count_chars(new, nnew);
    const int rc = changes_push_text(to, new, nnew, 0, e);

    if (rc < 0)
        return rc;
    for (size_t i = nold; i < k; i++)
        to->v[to->n - 1 - (i - nold)].n = 1;
    if (k < nold && to->n > 0)
        to->v[to->n - 1].n -= (int32_t)(nold - k);
    return 1;
}

static int rule_for(const struct normal_step *step, const char *s, size_t n,
                    struct changes *to, struct err *e)
{
    size_t len;
    const char *by = charsmap_find(step->map, s, n, &len);

    return by ? put_rule(to, count_chars(s, n), by, len, e) : 0;
}

static int map_cluster(const struct normal_step *step, const char *s, size_t n,
                       struct changes *to, struct err *e)
{
    int rc = n <= CLUSTER_MAX ? rule_for(step, s, n, to, e) : 0, changed = 0;

    if (rc != 0)
        return rc;
    for (size_t at = 0, len; at < n; at += len) {
        const uint32_t c = utf8_get(s + at, n - at, &len);

        rc = rule_for(step, s + at, len, to, e);
        changed |= rc;
        if (rc == 0)
            rc = changes_push(to, c, 0, e);
        if (rc < 0)
            return rc;
    }
    return changed;
}

int normal_charsmap(const struct normal_step *step, const char *s, size_t n,
                    struct changes *to, struct err *e)
{
    int changed = 0;

    for (size_t at = 0, len; at < n; at += len) {
        len = cluster(s + at, n - at);
        const int rc = map_cluster(step, s + at, len, to, e);

        if (rc < 0)
            return rc;
        changed |= rc;
    }
    return changed;
}
