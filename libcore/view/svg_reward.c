/* Bars: what each term adds to a candidate's reward or takes off. */
#include "view/svg.h"

#include "base/chars.h"
#include "view/escape.h"
#include "view/palette.h"
#include "view/svg_parts.h"

#include <math.h>
#include <string.h>

enum { LEFT = 60, BARS = 460, RIGHT = 300, TOP = 84, ROW = 30, BAR = 18, FOOT = 44 };
enum { WIDTH = LEFT + BARS + RIGHT, TEXT_COLUMNS = 32 };

struct scale {
    double lo, hi;
};

static double x_of(const struct scale *k, double v)
{
    return LEFT + BARS * (v - k->lo) / (k->hi - k->lo);
}

/* From the largest sum of what is taken off to that of what is added. */
static struct scale scale_of(const struct scene *s, int weighed)
{
    struct scale k = {0, 0};

    for (size_t i = 0; i < s->n; i++) {
        const struct scene_cand *c = &s->cand[i];
        double below = 0, above = 0;

        for (size_t t = 0; weighed && t < c->terms; t++) {
            const double x = scene_share(&c->term[t]);

            below += x < 0 ? x : 0;
            above += x > 0 ? x : 0;
        }
        if (!isnan(c->reward)) {
            below = fmin(below, c->reward);
            above = fmax(above, c->reward);
        }
        k.lo = fmin(k.lo, below);
        k.hi = fmax(k.hi, above);
    }
    if (!(k.hi > k.lo))
        k.hi = k.lo + 1;
    return k;
}

static void put_axis(struct rec_buf *out, const struct scale *k, double bottom)
{
    const struct svg_ticks t = svg_ticks(k->lo, k->hi, 8);
    char text[32];

    for (size_t i = 0; i < t.n; i++) {
        const double v = t.first + t.step * (double)i, x = x_of(k, v);
        const int zero = fabs(v) < t.step / 2;

        rec_buf_printf(out, "<path class=\"%s\" d=\"M%.1f %dV%.1f\"/>\n",
                       zero ? "x" : "g", x, TOP - 6, bottom);
        svg_number(text, v, t.step);
        svg_str(out, x, bottom + 16, "m s", "middle", text);
    }
    svg_str(out, LEFT + BARS / 2, bottom + 34, "m s", "middle", "reward");
}

static void put_rect(struct rec_buf *out, const struct scale *k, double from, double to,
                     double y, size_t part)
{
    const unsigned char *c = palette_parts[part].rgb;
    const double a = x_of(k, fmin(from, to)), b = x_of(k, fmax(from, to));

    rec_buf_printf(out,
                   "<rect fill=\"#%02x%02x%02x\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                   "height=\"%d\"/>\n",
                   c[0], c[1], c[2], a, y, b - a, BAR);
}

static void put_terms(struct rec_buf *out, const struct scale *k,
                      const struct scene_cand *c, double y, int weighed)
{
    double below = 0, above = 0;

    if (!weighed && !isnan(c->reward))
        put_rect(out, k, 0, c->reward, y, PALETTE_PARTS - 1);
    for (size_t t = 0; weighed && t < c->terms; t++) {
        const double x = scene_share(&c->term[t]);
        double *at = x < 0 ? &below : &above;

        if (!(fabs(x) > 0))
            continue;
        put_rect(out, k, *at, *at + x, y, palette_find(c->term[t].name));
        *at += x;
    }
}

/* The begin of an answer, as much as fits. */
static void put_answer(struct rec_buf *out, const struct scene_cand *c, double y)
{
    size_t columns = 0, t = 0;

    rec_buf_printf(out, "<text x=\"%d\" y=\"%.1f\" class=\"m s\">", LEFT + BARS + 84,
                   y);
    for (; t < c->tokens.n; t++) {
        const struct rec_str k = c->tokens.token[t];

        columns += chars_columns(k.s, k.n);
        if (columns > TEXT_COLUMNS)
            break;
        escape_xml(out, k.s, k.n);
    }
    rec_buf_str(out, t < c->tokens.n ? "\xe2\x80\xa6</text>\n" : "</text>\n");
}

static void put_cand(struct rec_buf *out, const struct scale *k,
                     const struct scene_cand *c, double y, int weighed)
{
    char text[48];

    snprintf(text, sizeof text, "#%llu", (unsigned long long)c->sample.cand);
    svg_str(out, LEFT - 10, y + 14, "t", "end", text);
    put_terms(out, k, c, y, weighed);
    if (!isnan(c->reward)) {
        const double x = x_of(k, c->reward);

        rec_buf_printf(out,
                       "<path class=\"z\" stroke-width=\"2.5\" d=\"M%.1f %.1fv%d\"/>\n",
                       x, y - 4, BAR + 8);
        snprintf(text, sizeof text, "%+.3f", c->reward);
        svg_str(out, LEFT + BARS + 72, y + 14, "t b", "end", text);
    }
    put_answer(out, c, y + 14);
}

static void put_legend(struct rec_buf *out, const struct scene_cand *c)
{
    double x = LEFT;

    for (size_t t = 0; t < c->terms; t++) {
        const struct rec_str name = c->term[t].name;
        const unsigned char *rgb = palette_parts[palette_find(name)].rgb;

        if (c->term[t].weight >= 0 && c->term[t].weight <= 0)
            continue;
        rec_buf_printf(out,
                       "<rect fill=\"#%02x%02x%02x\" x=\"%.1f\" y=\"46\" width=\"12\" "
                       "height=\"12\"/>\n",
                       rgb[0], rgb[1], rgb[2], x);
        svg_text(out, x + 17, 57, "t s", "start", name);
        x += 34 + svg_width(name.n);
    }
}

void svg_reward(struct rec_buf *out, const struct scene *s, const char *title)
{
    int weighed = 1;
    char text[256];

    for (size_t i = 0; i < s->n; i++)
        weighed &= scene_weighed(&s->cand[i]);
    const struct scale k = scale_of(s, weighed);
    const double bottom = TOP + ROW * (double)s->n;

    snprintf(text, sizeof text, "%.*s: rewards of %zu candidates",
             (int)(s->id.n < 120 ? s->id.n : 120), s->id.s, s->n);
    title = title ? title : text;
    svg_begin(out, WIDTH, bottom + FOOT, title,
              "Bars: for each candidate, best first, what each component adds to the "
              "reward; a line marks the sum.");
    svg_str(out, 16, 26, "t b h", "start", title);
    if (weighed && s->n)
        put_legend(out, &s->cand[0]);
    put_axis(out, &k, bottom);
    for (size_t i = 0; i < s->n; i++)
        put_cand(out, &k, &s->cand[s->order[i]], TOP + ROW * (double)i, weighed);
    rec_buf_str(out, "</svg>\n");
}
