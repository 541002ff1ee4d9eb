/*
 * Normalizers that go character by character: filters, maps, Lowercase, Strip, Prepend,
 * Append, Replace; BERT's and SentencePiece's nmt rules.
 */
#include "tok/normal_steps.h"
#include "tok/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* ---- filters and maps -----------------------------------------------------------------*/

typedef int filter_fn(const struct normal_step *s, uint32_t c);

/* Drops the characters that `removes` says. */
static int filter(const struct normal_step *step, filter_fn *removes, const char *s,
                  size_t n, struct changes *to, struct err *e)
{
    int rc = 0, changed = 0;

    for (size_t i = 0, len; i < n && rc == 0; i += len) {
        const uint32_t c = utf8_get(s + i, n - i, &len);
        const int gone = removes(step, c);

        changed |= gone;
        rc = gone ? changes_push(to, CHANGE_DROP, 1, e) : changes_push(to, c, 0, e);
    }
    return rc < 0 ? rc : changed;
}

/* Puts one character in the place of each. */
static int map(uint32_t (*becomes)(uint32_t), const char *s, size_t n,
               struct changes *to, struct err *e)
{
    int rc = 0, changed = 0;

    for (size_t i = 0, len; i < n && rc == 0; i += len) {
        const uint32_t c = utf8_get(s + i, n - i, &len), d = becomes(c);

        changed |= c != d;
        rc = changes_push(to, d, 0, e);
    }
    return rc < 0 ? rc : changed;
}

static int in_class(const struct normal_step *s, uint32_t c)
{
    return c >= 0x80 && class_has(s->class, c); /* both classes have no ASCII */
}

int normal_filter(const struct normal_step *step, const char *s, size_t n,
                  struct changes *to, struct err *e)
{
    return filter(step, in_class, s, n, to, e);
}

static int nmt_removes(const struct normal_step *s, uint32_t c)
{
    (void)s;
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f ||
           c == 0x8f || c == 0x9f;
}

int normal_nmt_filter(const struct normal_step *step, const char *s, size_t n,
                      struct changes *to, struct err *e)
{
    return filter(step, nmt_removes, s, n, to, e);
}

static uint32_t nmt_becomes(uint32_t c)
{
    const int blank = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
                      (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
                      c == 0x2581 || c == 0xfeff || c == 0xfffd;

    return blank ? ' ' : c;
}

int normal_nmt_map(const struct normal_step *step, const char *s, size_t n,
                   struct changes *to, struct err *e)
{
    (void)step;
    return map(nmt_becomes, s, n, to, e);
}

/* ---- BERT -----------------------------------------------------------------------------*/

static int bert_removes(const struct normal_step *s, uint32_t c)
{
    (void)s;
    if (c < 0x80)
        return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    return class_has(&class_control, c);
}

int normal_bert_filter(const struct normal_step *step, const char *s, size_t n,
                       struct changes *to, struct err *e)
{
    return filter(step, bert_removes, s, n, to, e);
}

static uint32_t bert_becomes(uint32_t c)
{
    return class_has(&class_white, c) ? ' ' : c;
}

int normal_bert_map(const struct normal_step *step, const char *s, size_t n,
                    struct changes *to, struct err *e)
{
    (void)step;
    return map(bert_becomes, s, n, to, e);
}

static int is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* Blanks around each, so that it is a word. */
int normal_bert_chinese(const struct normal_step *step, const char *s, size_t n,
                        struct changes *to, struct err *e)
{
    int rc = 0, changed = 0;

    (void)step;
    for (size_t i = 0, len; i < n && rc == 0; i += len) {
        const uint32_t c = utf8_get(s + i, n - i, &len);

        if (!is_chinese(c)) {
            rc = changes_push(to, c, 0, e);
            continue;
        }
        changed = 1;
        if ((rc = changes_push(to, ' ', 0, e)) == 0 &&
            (rc = changes_push(to, c, 1, e)) == 0)
            rc = changes_push(to, ' ', 1, e);
    }
    return rc < 0 ? rc : changed;
}

/* ---- Lowercase --------------------------------------------------------------------------
 * utf8proc may know a Unicode that is older than the library's: letters added since are in
 * the table, `to` apart. */

static uint32_t lower(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        int32_t to;
    } young[] = {
        {0x1c89, 0x1c89, 1},    {0xa7cb, 0xa7cb, 0x264 - 0xa7cb},
        {0xa7cc, 0xa7cc, 1},    {0xa7ce, 0xa7ce, 1},
        {0xa7d2, 0xa7d2, 1},    {0xa7d4, 0xa7d4, 1},
        {0xa7da, 0xa7da, 1},    {0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
        {0x10d50, 0x10d65, 32}, {0x16ea0, 0x16eb8, 27},
    };

    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    for (size_t i = 0; c >= young[0].first && i < sizeof young / sizeof *young; i++)
        if (c >= young[i].first && c <= young[i].last)
            return c + (uint32_t)young[i].to;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

int normal_lowercase(const struct normal_step *step, const char *s, size_t n,
                     struct changes *to, struct err *e)
{
    int rc = 0, changed = 0;

    (void)step;
    for (size_t i = 0, len; i < n && rc == 0; i += len) {
        const uint32_t c = utf8_get(s + i, n - i, &len);
        const int dotted = c == 0x130; /* I with a dot: two characters, i and the dot */
        const uint32_t d = dotted ? 'i' : lower(c);

        changed |= c != d;
        rc = changes_push(to, d, 0, e);
        if (dotted && rc == 0)
            rc = changes_push(to, 0x307, 1, e);
    }
    return rc < 0 ? rc : changed;
}

/* ---- the ends -------------------------------------------------------------------------*/

/* Bytes of white space at the beginning, and where that at the end begins. */
static void find_white(const char *s, size_t n, size_t *head, size_t *tail)
{
    size_t len;
    int seen = 0;

    *head = n;
    *tail = 0;
    for (size_t i = 0; i < n; i += len) {
        if (class_has(&class_white, utf8_get(s + i, n - i, &len)))
            continue;
        if (!seen++)
            *head = i;
        *tail = i + len;
    }
}

int normal_strip(const struct normal_step *step, const char *s, size_t n,
                 struct changes *to, struct err *e)
{
    size_t head, tail, len, i;
    int rc = 0;

    find_white(s, n, &head, &tail);
    if (!step->left)
        head = 0;
    if (!step->right)
        tail = n;
    if (head == 0 && tail == n)
        return 0;
    for (i = 0; i < n && rc == 0; i += len) {
        const uint32_t c = utf8_get(s + i, n - i, &len);

        rc = i < head || i >= tail ? changes_push(to, CHANGE_DROP, 1, e)
                                   : changes_push(to, c, 0, e);
    }
    return rc < 0 ? rc : 1;
}

/* The first character of what comes in takes the place of the text's, which comes back as
 * a new one: so both end where it did. */
int normal_prepend(const struct normal_step *step, const char *s, size_t n,
                   struct changes *to, struct err *e)
{
    const size_t k = strlen(step->text);
    size_t first, own;
    int rc;

    if (k == 0)
        return 0;
    const uint32_t c = utf8_get(s, n, &first), d = utf8_get(step->text, k, &own);
    if ((rc = changes_push(to, d, 0, e)) < 0 ||
        (rc = changes_push_text(to, step->text + own, k - own, 1, e)) < 0 ||
        (rc = changes_push(to, c, 1, e)) < 0)
        return rc;
    rc = changes_push_text(to, s + first, n - first, 0, e);
    return rc < 0 ? rc : 1;
}

int normal_append(const struct normal_step *step, const char *s, size_t n,
                  struct changes *to, struct err *e)
{
    int rc = changes_push_text(to, s, n, 0, e);

    if (rc == 0)
        rc = changes_push_text(to, step->text, strlen(step->text), 1, e);
    return rc < 0 ? rc : 1;
}

int normal_replace(const struct normal_step *step, const char *s, size_t n,
                   struct changes *to, struct err *e)
{
    const size_t k = strlen(step->text);
    size_t done = 0, at, end;
    int rc, changed = 0;

    while ((rc = regex_next(step->regex, s, n, done, &at, &end, e)) > 0) {
        changed = 1;
        if ((rc = changes_push_text(to, s + done, at - done, 0, e)) < 0)
            return rc;
        for (size_t i = at, len; i < end && rc == 0; i += len) {
            (void)utf8_get(s + i, end - i, &len);
            rc = changes_push(to, CHANGE_DROP, 1, e);
        }
        if (rc < 0 || (rc = changes_push_text(to, step->text, k, 1, e)) < 0)
            return rc;
        done = end;
    }
    if (rc == 0 && changed)
        rc = changes_push_text(to, s + done, n - done, 0, e);
    return rc < 0 ? rc : changed;
}
