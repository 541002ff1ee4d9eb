/*
 * Unicode's form C by utf8proc, with the way back to the text given.
 *
 * Nothing below U+0300 joins what is before it, so the text falls into runs that begin
 * at such characters and are normalised one by one; most are in form C already.  Inside
 * a run that changes, each grapheme cluster belongs, as a whole, to the token that has
 * its last byte.
 */
#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static int form_c(const char *s, size_t n, utf8proc_uint8_t **out, size_t *len,
                  struct err *e)
{
    const utf8proc_ssize_t k =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, out,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);

    if (k < 0)
        return err_set(e, k == UTF8PROC_ERROR_NOMEM ? ERR_NOMEM : ERR_RECORD,
                       "the text has no normal form: %s", utf8proc_errmsg(k));
    *len = (size_t)k;
    return 0;
}

/* Appends bytes that all end where the text given ends at `end`, but for the last one
 * they cover nothing. */
static int append_block(struct passage *out, const char *s, size_t n, uint32_t begin,
                        uint32_t end, struct err *e)
{
    const int rc = passage_reserve(out, out->n + n, PASSAGE_MAPPED, e);

    if (rc < 0)
        return rc;
    memcpy(out->text + out->n, s, n);
    for (size_t i = 0; i < n; i++)
        out->end[out->n + i] = i + 1 < n ? begin : end;
    out->n += n;
    return 0;
}

static int append_same(struct passage *out, const char *s, size_t n, uint32_t begin,
                       struct err *e)
{
    const int rc = passage_reserve(out, out->n + n, PASSAGE_MAPPED, e);

    if (rc < 0)
        return rc;
    memcpy(out->text + out->n, s, n);
    for (size_t i = 0; i < n; i++)
        out->end[out->n + i] = begin + (uint32_t)i + 1;
    out->n += n;
    return 0;
}

/* Bytes of the grapheme cluster at the start of s[0..n). */
static size_t cluster(const char *s, size_t n)
{
    utf8proc_int32_t state = 0;
    size_t len, at = 0;
    uint32_t c = utf8_get(s, n, &len);

    for (at = len; at < n; at += len) {
        const uint32_t next = utf8_get(s + at, n - at, &len);

        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c,
                                             (utf8proc_int32_t)next, &state))
            break;
        c = next;
    }
    return at;
}

/* A run that changes: cluster by cluster, if that gives the same text as the whole. */
static int append_changed(struct passage *out, const char *s, size_t n, uint32_t begin,
                          const char *whole, size_t nwhole, struct err *e)
{
    const size_t mark = out->n;
    int rc = 0;

    for (size_t at = 0; at < n && rc == 0;) {
        const size_t len = cluster(s + at, n - at);
        utf8proc_uint8_t *c = NULL;
        size_t k = 0;

        rc = form_c(s + at, len, &c, &k, e);
        if (rc == 0 && k == len && memcmp(c, s + at, k) == 0)
            rc = append_same(out, s + at, len, begin + (uint32_t)at, e);
        else if (rc == 0)
            rc = append_block(out, (char *)c, k, begin + (uint32_t)at,
                              begin + (uint32_t)(at + len), e);
        free(c);
        at += len;
    }
    if (rc < 0 || (out->n - mark == nwhole && !memcmp(out->text + mark, whole, nwhole)))
        return rc;
    out->n = mark;
    return append_block(out, whole, nwhole, begin, begin + (uint32_t)n, e);
}

/* Bytes of the run at the start of s[0..n): a character, and all from U+0300 on behind
 * it.  *high: there are such. */
static size_t run_length(const char *s, size_t n, int *high)
{
    size_t len, at;

    *high = utf8_get(s, n, &len) >= 0x300;
    for (at = len; at < n; at += len) {
        if (utf8_get(s + at, n - at, &len) < 0x300)
            break;
        *high = 1;
    }
    return at;
}

static int normal_run_c(struct passage *out, const char *s, size_t n, uint32_t from,
                        struct err *e)
{
    int rc = 0, high;

    for (size_t at = 0, len; at < n && rc == 0; at += len) {
        len = run_length(s + at, n - at, &high);
        utf8proc_uint8_t *c = NULL;
        size_t k = 0;

        if (high && (rc = form_c(s + at, len, &c, &k, e)) < 0)
            return rc;
        if (!high || (k == len && memcmp(c, s + at, k) == 0))
            rc = append_same(out, s + at, len, from + (uint32_t)at, e);
        else
            rc = append_changed(out, s + at, len, from + (uint32_t)at, (char *)c, k, e);
        free(c);
    }
    return rc;
}

static int is_ascii(const char *s, size_t n)
{
    unsigned char any = 0;

    for (size_t i = 0; i < n; i++)
        any |= (unsigned char)s[i];
    return any < 0x80;
}

int normal_run(struct passage *out, const char *text, size_t n, uint32_t from, int nfc,
               struct err *e)
{
    out->n = 0;
    out->from = from;
    if (nfc && !is_ascii(text, n))
        return normal_run_c(out, text, n, from, e);
    free(out->end);
    out->end = NULL;
    const int rc = passage_reserve(out, n, PASSAGE_STRAIGHT, e);

    if (rc < 0)
        return rc;
    memcpy(out->text, text, n);
    out->n = n;
    return 0;
}
