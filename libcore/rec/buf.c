#include "rec/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char *rec_buf_room(struct rec_buf *buf, size_t more)
{
    size_t want;

    if (buf->oom)
        return NULL;
    if (more <= buf->cap - buf->n && buf->p)
        return buf->p + buf->n;
    if (__builtin_add_overflow(buf->n, more, &want) || want > SIZE_MAX / 4) {
        buf->oom = 1;
        return NULL;
    }
    const size_t cap = want < 256 ? 256 : want + want / 2;
    unsigned char *p = realloc(buf->p, cap);
    if (!p) {
        buf->oom = 1;
        return NULL;
    }
    buf->p = p;
    buf->cap = cap;
    return p + buf->n;
}

void rec_buf_add(struct rec_buf *buf, const void *p, size_t n)
{
    const unsigned char *from = p;
    const int inside =
        buf->p && from >= buf->p && from < buf->p + buf->n; /* realloc may move it */
    const size_t at = inside ? (size_t)(from - buf->p) : 0;
    unsigned char *to = rec_buf_room(buf, n);

    if (!to || n == 0)
        return;
    memcpy(to, inside ? buf->p + at : from, n);
    buf->n += n;
}

void rec_buf_str(struct rec_buf *buf, const char *s)
{
    rec_buf_add(buf, s, strlen(s));
}

void rec_buf_printf(struct rec_buf *buf, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        rec_buf_add(buf, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void rec_buf_clear(struct rec_buf *buf)
{
    buf->n = 0;
    buf->oom = 0;
}

void rec_buf_release(struct rec_buf *buf)
{
    free(buf->p);
    *buf = (struct rec_buf){0};
}

int rec_fields_reserve(struct rec *r, size_t n)
{
    if (n <= r->fields_cap)
        return 0;
    const size_t cap = n < 32 ? 32 : n + n / 2;
    struct rec_field *f = realloc(r->field, cap * sizeof *f);
    if (!f)
        return -1;
    r->field = f;
    r->fields_cap = cap;
    return 0;
}
