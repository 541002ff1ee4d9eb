#include "view/beside.h"

#include "base/chars.h"

#include <string.h>

#define BETWEEN " \xe2\x94\x82 " /* a bar */
enum { BETWEEN_COLUMNS = 3 };

size_t beside_half(size_t width)
{
    return width > BETWEEN_COLUMNS + 2 ? (width - BETWEEN_COLUMNS) / 2 : 1;
}

static void wrap(struct rec_buf *out, const struct beside_text *t,
                 enum paint_depth depth, size_t columns)
{
    struct flow f = {.out = out, .depth = depth, .width = columns};

    flow_begin(&f, "");
    for (size_t i = 0, k; i < t->n; i += k) {
        const unsigned char mark = t->mark && t->mark[i];

        for (k = 1; i + k < t->n && t->mark && t->mark[i + k] == t->mark[i];)
            k++;
        if (!t->mark)
            k = t->n;
        flow_text(&f, t->s + i, k, (struct paint){.attrs = mark ? t->attrs : 0});
    }
    flow_end(&f);
    flow_release(&f);
}

/* Columns of n bytes in which the only escapes are colours: ESC [ ... m. */
static size_t columns_of(const char *s, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n;) {
        const char *esc = memchr(s + i, '\033', n - i);
        const size_t to = esc ? (size_t)(esc - s) : n;
        const char *m = esc ? memchr(esc, 'm', n - to) : NULL;

        sum += chars_columns(s + i, to - i);
        i = m ? (size_t)(m - s) + 1 : n;
    }
    return sum;
}

/* The next line at *at; its bytes without the line feed. */
static const char *next_line(const struct rec_buf *b, size_t *at, size_t *n)
{
    const char *s = (const char *)b->p + *at;
    const char *feed = *at < b->n ? memchr(s, '\n', b->n - *at) : NULL;

    *n = feed ? (size_t)(feed - s) : 0;
    *at += feed ? *n + 1 : 0;
    return s;
}

void beside_put(struct rec_buf *out, const struct beside_text *left,
                const struct beside_text *right, enum paint_depth depth, size_t width)
{
    const size_t half = beside_half(width);
    struct rec_buf side[2] = {{0}, {0}};
    size_t at[2] = {0, 0}, n;

    wrap(&side[0], left, depth, half);
    wrap(&side[1], right, depth, half);
    out->oom |= side[0].oom | side[1].oom;
    while (!out->oom && (at[0] < side[0].n || at[1] < side[1].n)) {
        const char *s = next_line(&side[0], &at[0], &n);

        rec_buf_add(out, s, n);
        for (size_t k = columns_of(s, n); k < half; k++)
            rec_buf_str(out, " ");
        s = next_line(&side[1], &at[1], &n);
        rec_buf_str(out, n ? BETWEEN : " \xe2\x94\x82");
        rec_buf_add(out, s, n);
        rec_buf_str(out, "\n");
    }
    rec_buf_release(&side[0]);
    rec_buf_release(&side[1]);
}
