/* Curves as lines of blocks. */
#include "view/term.h"

#include "base/chars.h"

#include <math.h>
#include <string.h>

enum { TITLE = 24, LONGEST = 60, NUMBERS = 30 };

/* A column shows the mean of the points that fall on it. */
static void put_blocks(struct rec_buf *out, const struct curve_panel *p,
                       const struct curve *l, size_t width)
{
    static const char *const block[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
                                        "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
                                        "\xe2\x96\x87", "\xe2\x96\x88"};
    const size_t columns = l->n < width ? l->n : width;
    double lo = INFINITY, hi = -INFINITY;

    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->line[k].n; i++) {
            lo = fmin(lo, p->line[k].at[i].mean);
            hi = fmax(hi, p->line[k].at[i].mean);
        }
    for (size_t x = 0; x < columns; x++) {
        const size_t from = x * l->n / columns, to = (x + 1) * l->n / columns;
        double sum = 0;

        for (size_t i = from; i < to; i++)
            sum += l->at[i].mean / (double)(to - from);
        rec_buf_str(out, block[hi > lo ? lround(7 * (sum - lo) / (hi - lo)) : 0]);
    }
    for (size_t x = columns; x < width; x++)
        rec_buf_str(out, " ");
}

static void name_of(char out[160], const struct curve_panel *p, const struct curve *l)
{
    snprintf(out, 160, p->n > 1 && *l->set ? "%s, %s" : "%s", p->title, l->set);
}

/* Columns for the names: as many as the longest wants, within reason. */
static size_t name_columns(const struct curve_panels *p)
{
    size_t most = TITLE;
    char text[160];

    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->panel[i].n; k++) {
            name_of(text, &p->panel[i], &p->panel[i].line[k]);
            const size_t n = chars_columns(text, strlen(text));
            most = n > most ? n : most;
        }
    return most < LONGEST ? most : LONGEST;
}

static void put_padded(struct rec_buf *out, const char *text, size_t columns)
{
    struct flow f = {.out = out, .width = SIZE_MAX};

    flow_begin(&f, "");
    flow_line(&f, text, strlen(text), (struct paint){0});
    flow_stay(&f);
    flow_release(&f);
    for (size_t x = chars_columns(text, strlen(text)); x <= columns; x++)
        rec_buf_str(out, " ");
}

static void put_curve(struct rec_buf *out, const struct curve_panel *p,
                      const struct curve *l, size_t names, size_t width)
{
    const struct curve_at *first = &l->at[0], *last = &l->at[l->n - 1];
    char text[160];

    name_of(text, p, l);
    put_padded(out, text, names);
    put_blocks(out, p, l, width);
    rec_buf_printf(out, " %9.4g %9.4g", first->mean, last->mean);
    if (last->runs > 1)
        rec_buf_printf(out, " +-%.2g", last->sd);
    rec_buf_str(out, "\n");
}

void term_curves(struct rec_buf *out, const struct curve_panels *p,
                 const struct term_style *st)
{
    const size_t names = name_columns(p), used = names + NUMBERS,
                 width = st->width > used + 10 ? st->width - used : 10;
    char text[128];

    if (p->n) { /* the head: which steps */
        snprintf(text, sizeof text, "%s %.6g to %.6g",
                 *p->against ? p->against : "steps", p->panel[0].x[0],
                 p->panel[0].x[1]);
        put_padded(out, text, names);
        rec_buf_printf(out, "%-*s %9s %9s\n", (int)width, "", "first", "last");
    }
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->panel[i].n; k++)
            put_curve(out, &p->panel[i], &p->panel[i].line[k], names, width);
}
