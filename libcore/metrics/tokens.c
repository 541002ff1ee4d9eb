/*
 * One walk over the characters serves all four cuts.  A character separates, or becomes
 * bytes of the token being made, or goes without a trace.
 */
#include "metrics/tokens.h"

#include "base/reserve.h"
#include "metrics/stem.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void tokens_release(struct tokens *t)
{
    free(t->id);
    free(t->line);
    free(t->word);
    *t = (struct tokens){0};
}

/* ---- characters ------------------------------------------------------------------------ */
static int is_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
           c == 0x2028 || c == 0x2029 || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

static int is_alnum(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return 1;
    default: return 0;
    }
}

static int is_article(const char *s, size_t n)
{
    return (n == 1 && *s == 'a') || (n == 2 && memcmp(s, "an", 2) == 0) ||
           (n == 3 && memcmp(s, "the", 3) == 0);
}

/* ---- one text -------------------------------------------------------------------------- */
struct cutter {
    struct tokens *t;
    struct strtab *tab;
    enum tokens_how how;
    size_t run; /* where in the token the letters and digits began, for articles */
};

/* The token, if there is one, goes to the list. */
static int flush(struct cutter *c, struct err *e)
{
    struct tokens *t = c->t;
    size_t n = t->word_n;
    int rc;

    c->run = t->word_n = 0;
    if (n == 0)
        return 0;
    if ((rc = reserve(&t->id, &t->cap, t->n + 1, sizeof *t->id, e)) < 0)
        return rc;
    if (c->how == TOKENS_STEMS && n > 3)
        n = stem_porter(t->word, n);
    const long id = strtab_add(c->tab, t->word, n, e);
    if (id < 0)
        return (int)id;
    if (id > INT32_MAX)
        return err_set(e, ERR_NOMEM, "more than %d different words", INT32_MAX);
    t->id[t->n++] = (int32_t)id;
    return 0;
}

/* Articles go, and separate; those inside a longer run of letters are none. */
static int end_run(struct cutter *c, struct err *e)
{
    struct tokens *t = c->t;
    int rc = 0;

    if (is_article(t->word + c->run, t->word_n - c->run)) {
        t->word_n = c->run;
        rc = flush(c, e);
    }
    c->run = t->word_n;
    return rc;
}

static int end_token(struct cutter *c, struct err *e)
{
    int rc = c->how == TOKENS_ANSWER && c->t->word_n ? end_run(c, e) : 0;

    return rc < 0 ? rc : flush(c, e);
}

static int end_line(struct cutter *c, struct err *e)
{
    struct tokens *t = c->t;
    int rc = end_token(c, e);

    if (rc < 0)
        return rc;
    rc = reserve(&t->line, &t->lines_cap, t->lines + 1, sizeof *t->line, e);
    if (rc >= 0)
        t->line[t->lines++] = t->n;
    return rc;
}

static int append(struct cutter *c, int32_t cp, struct err *e)
{
    struct tokens *t = c->t;
    const int rc = reserve(&t->word, &t->word_cap, t->word_n + 4, 1, e);

    if (rc >= 0)
        t->word_n +=
            (size_t)utf8proc_encode_char(cp, (utf8proc_uint8_t *)t->word + t->word_n);
    return rc;
}

/* In full, the lower case of U+0130 is an i and a mark, which separates. */
static int take_rouge(struct cutter *c, int32_t cp, struct err *e)
{
    const int32_t low = utf8proc_tolower(cp);
    int rc;

    if (!((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9')))
        return end_token(c, e);
    rc = append(c, low, e);
    return rc < 0 || cp != 0x130 ? rc : end_token(c, e);
}

static int take_answer(struct cutter *c, int32_t cp, struct err *e)
{
    const int alnum = is_alnum(cp);
    int rc;

    if (cp > 0x20 && cp < 0x7f && !alnum)
        return 0;
    if (alnum)
        return append(c, utf8proc_tolower(cp), e);
    if ((rc = end_run(c, e)) >= 0 && (rc = append(c, utf8proc_tolower(cp), e)) >= 0)
        c->run = c->t->word_n;
    return rc;
}

static int take(struct cutter *c, int32_t cp, struct err *e)
{
    if (cp == '\n')
        return end_line(c, e);
    if (cp < 0 || is_space(cp))
        return end_token(c, e);
    switch (c->how) {
    case TOKENS_SPACES: return append(c, cp, e);
    case TOKENS_ANSWER: return take_answer(c, cp, e);
    default: return take_rouge(c, cp, e);
    }
}

int tokens_cut(struct tokens *t, struct strtab *tab, enum tokens_how how,
               const char *text, size_t n, struct err *e)
{
    struct cutter c = {.t = t, .tab = tab, .how = how};
    int rc = reserve(&t->word, &t->word_cap, 4, 1, e);

    t->n = t->lines = t->word_n = 0;
    for (size_t at = 0; at < n && rc >= 0;) {
        int32_t cp;
        const utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                    (utf8proc_ssize_t)(n - at), &cp);

        rc = take(&c, k > 0 ? cp : -1, e);
        at += k > 0 ? (size_t)k : 1;
    }
    return rc < 0 ? rc : end_line(&c, e);
}

int tokens_take(struct tokens *t, const int32_t *id, size_t n, struct err *e)
{
    int rc = reserve(&t->id, &t->cap, n + 1, sizeof *t->id, e);

    if (rc >= 0)
        rc = reserve(&t->line, &t->lines_cap, 1, sizeof *t->line, e);
    if (rc < 0)
        return rc;
    if (n)
        memcpy(t->id, id, n * sizeof *id);
    t->n = t->line[0] = n;
    t->lines = 1;
    return 0;
}
