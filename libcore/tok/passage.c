#include "tok/passage.h"

#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

void passage_release(struct passage *p)
{
    free(p->text);
    free(p->end);
    *p = (struct passage){0};
}

int passage_reserve(struct passage *p, size_t n, enum passage_map map, struct err *e)
{
    if (n <= p->cap && (map == PASSAGE_STRAIGHT || p->end))
        return 0;
    const size_t cap = n > p->cap ? n + n / 2 + 64 : p->cap;
    const int mapped = map == PASSAGE_MAPPED || p->end;
    char *text = realloc(p->text, cap);

    if (text)
        p->text = text;
    uint32_t *end = mapped ? realloc(p->end, cap * sizeof *end) : NULL;
    if (end)
        p->end = end;
    if (!text || (mapped && !end))
        return err_set(e, ERR_NOMEM, "no memory for a text of %zu bytes", n);
    p->cap = cap;
    return 0;
}

uint32_t passage_end(const struct passage *p, size_t n)
{
    if (n == 0)
        return p->from;
    return p->end ? p->end[n - 1] : p->from + (uint32_t)n;
}

int passage_at_start(const struct passage *p, size_t at)
{
    const size_t len = utf8_length((unsigned char)p->text[at]);

    return p->from == 0 && passage_end(p, at + len) <= p->head;
}

int passage_copy(struct passage *out, const struct passage *part, size_t at, size_t n,
                 struct err *e)
{
    const enum passage_map map = part->end ? PASSAGE_MAPPED : PASSAGE_STRAIGHT;
    int rc;

    if (!part->end) {
        free(out->end);
        out->end = NULL;
    }
    if ((rc = passage_reserve(out, n, map, e)) < 0)
        return rc;
    if (n > 0)
        memcpy(out->text, part->text + at, n);
    if (n > 0 && part->end)
        memcpy(out->end, part->end + at, n * sizeof *out->end);
    out->n = n;
    out->from = passage_end(part, at);
    out->head = part->head;
    return 0;
}

/* ---- changes --------------------------------------------------------------------------*/

int changes_push(struct changes *to, uint32_t c, int32_t n, struct err *e)
{
    if (to->n == to->cap) {
        const size_t cap = to->cap ? 2 * to->cap : 256;
        struct change *v = realloc(to->v, cap * sizeof *v);

        if (!v)
            return err_set(e, ERR_NOMEM, "no memory for %zu characters", cap);
        to->v = v;
        to->cap = cap;
    }
    to->v[to->n++] = (struct change){.c = c, .n = n};
    return 0;
}

int changes_push_text(struct changes *to, const char *s, size_t n, int32_t change,
                      struct err *e)
{
    int rc = 0;

    for (size_t i = 0, len; i < n && rc == 0; i += len)
        rc = changes_push(to, utf8_get(s + i, n - i, &len), change, e);
    return rc;
}

/* Bytes of the next k characters at byte `at`. */
static size_t skip_chars(const struct passage *p, size_t at, size_t k)
{
    const size_t from = at;

    for (; k > 0 && at < p->n; k--)
        at += utf8_length((unsigned char)p->text[at]);
    return at - from;
}

/* One change that yields a character: its bytes, and where they end in the text given. */
static void put_char(struct passage *out, const struct passage *p, size_t *at,
                     const struct change *by)
{
    uint32_t *end = out->end + out->n;
    const size_t k = utf8_put(out->text + out->n, by->c);
    const size_t old = by->n > 0 ? 0 : skip_chars(p, *at, 1);
    const int same = old == k && memcmp(out->text + out->n, p->text + *at, k) == 0;

    for (size_t i = 0; i < k; i++)
        end[i] = passage_end(p, *at + (same ? i + 1 : old));
    out->n += k;
    *at += old;
    if (by->n < 0)
        *at += skip_chars(p, *at, (size_t)-by->n);
}

int passage_apply(struct passage *p, const struct changes *by, struct passage *spare,
                  struct err *e)
{
    const int rc = passage_reserve(spare, 4 * by->n, PASSAGE_MAPPED, e);
    size_t at = 0;

    if (rc < 0)
        return rc;
    spare->n = 0;
    spare->from = p->from;
    spare->head = p->head;
    for (size_t i = 0; i < by->n; i++)
        if (by->v[i].c == CHANGE_DROP)
            at += skip_chars(p, at, (size_t)by->v[i].n);
        else
            put_char(spare, p, &at, &by->v[i]);
    const struct passage swap = *p;

    *p = *spare;
    *spare = swap;
    return 0;
}
