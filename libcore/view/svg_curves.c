/* Panels of curves, three in a row. */
#include "view/svg.h"

#include "view/palette.h"
#include "view/svg_parts.h"

#include <math.h>
#include <string.h>

enum { ACROSS = 3, PANEL_W = 300, PANEL_H = 190, LEFT = 52, RIGHT = 14, TOP = 28 };
enum { FOOT = 32, HEAD = 66, MARGIN = 12 };

/* One panel's place and scales. */
struct frame {
    double x0, y0, w, h; /* of the plot itself */
    double lo[2], hi[2]; /* x, y */
};

static double fx(const struct frame *f, double step)
{
    return f->x0 + f->w * (step - f->lo[0]) / (f->hi[0] - f->lo[0]);
}

static double fy(const struct frame *f, double value)
{
    return f->y0 + f->h * (1 - (value - f->lo[1]) / (f->hi[1] - f->lo[1]));
}

static void span(double *lo, double *hi, const double range[2], double margin)
{
    const double width = range[1] - range[0];
    const double room = width > 0 ? margin * width : fmax(fabs(range[0]) / 10, .5);

    *lo = range[0] - room;
    *hi = range[1] + room;
}

static struct frame frame_of(const struct curve_panel *p, size_t at)
{
    struct frame f = {
        .x0 = MARGIN + LEFT + PANEL_W * (double)(at % ACROSS),
        .y0 = HEAD + TOP + PANEL_H * (double)(at / ACROSS),
        .w = PANEL_W - LEFT - RIGHT,
        .h = PANEL_H - TOP - FOOT,
    };

    span(&f.lo[0], &f.hi[0], p->x, 0);
    span(&f.lo[1], &f.hi[1], p->y, .05);
    return f;
}

static void put_axes(struct rec_buf *out, const struct frame *f)
{
    const struct svg_ticks x = svg_ticks(f->lo[0], f->hi[0], 5),
                           y = svg_ticks(f->lo[1], f->hi[1], 5);
    char text[32];

    for (size_t i = 0; i < y.n; i++) {
        const double v = y.first + y.step * (double)i, at = fy(f, v);

        rec_buf_printf(out, "<path class=\"g\" d=\"M%.1f %.1fh%.0f\"/>\n", f->x0, at,
                       f->w);
        svg_number(text, v, y.step);
        svg_str(out, f->x0 - 6, at + 4, "m s", "end", text);
    }
    for (size_t i = 0; i < x.n; i++) {
        const double v = x.first + x.step * (double)i;

        svg_number(text, v, x.step);
        svg_str(out, fx(f, v), f->y0 + f->h + 16, "m s", "middle", text);
    }
    rec_buf_printf(out, "<path class=\"x\" d=\"M%.1f %.1fv%.0fh%.0f\"/>\n", f->x0,
                   f->y0, f->h, f->w);
}

static void put_band(struct rec_buf *out, const struct frame *f, const struct curve *l,
                     const unsigned char rgb[3])
{
    rec_buf_printf(out, "<path fill=\"#%02x%02x%02x\" fill-opacity=\".22\" d=\"",
                   rgb[0], rgb[1], rgb[2]);
    for (size_t i = 0; i < l->n; i++)
        rec_buf_printf(out, "%c%.1f %.1f", i ? 'L' : 'M', fx(f, l->at[i].step),
                       fy(f, l->at[i].mean + l->at[i].sd));
    for (size_t i = l->n; i-- > 0;)
        rec_buf_printf(out, "L%.1f %.1f", fx(f, l->at[i].step),
                       fy(f, l->at[i].mean - l->at[i].sd));
    rec_buf_str(out, "z\"/>\n");
}

static void put_line(struct rec_buf *out, const struct frame *f, const struct curve *l,
                     const unsigned char rgb[3])
{
    int band = 0;

    for (size_t i = 0; i < l->n; i++)
        band |= l->at[i].runs > 1;
    if (band)
        put_band(out, f, l, rgb);
    if (l->n == 1)
        rec_buf_printf(
            out, "<circle fill=\"#%02x%02x%02x\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
            rgb[0], rgb[1], rgb[2], fx(f, l->at[0].step), fy(f, l->at[0].mean));
    rec_buf_printf(out,
                   "<path fill=\"none\" stroke=\"#%02x%02x%02x\" stroke-width=\"1.8\" "
                   "stroke-linejoin=\"round\" d=\"",
                   rgb[0], rgb[1], rgb[2]);
    for (size_t i = 0; i < l->n; i++)
        rec_buf_printf(out, "%c%.1f %.1f", i ? 'L' : 'M', fx(f, l->at[i].step),
                       fy(f, l->at[i].mean));
    rec_buf_str(out, "\"/>\n");
}

/* The sets' names and colours, from the panel that has most of them. */
struct names {
    const struct curve_panel *panel;
    size_t runs; /* the most that one point is the mean of */
};

static struct names names_of(const struct curve_panels *p)
{
    struct names n = {0};

    for (size_t i = 0; i < p->n; i++) {
        if (!n.panel || p->panel[i].n > n.panel->n)
            n.panel = &p->panel[i];
        for (size_t k = 0; k < p->panel[i].n; k++)
            for (size_t t = 0; t < p->panel[i].line[k].n; t++)
                if (p->panel[i].line[k].at[t].runs > n.runs)
                    n.runs = p->panel[i].line[k].at[t].runs;
    }
    return n;
}

static size_t color_of(const struct names *n, const char *set)
{
    for (size_t k = 0; n->panel && k < n->panel->n; k++)
        if (n->panel->line[k].set == set)
            return k % PALETTE_LINES;
    return PALETTE_LINES - 1;
}

static void put_legend(struct rec_buf *out, const struct names *n)
{
    double x = 16;
    char text[96];

    for (size_t k = 0; n->panel && n->panel->n > 1 && k < n->panel->n; k++) {
        const unsigned char *c = palette_lines[k % PALETTE_LINES];
        const char *set = *n->panel->line[k].set ? n->panel->line[k].set : "(unnamed)";

        rec_buf_printf(out,
                       "<path stroke=\"#%02x%02x%02x\" stroke-width=\"3\" "
                       "d=\"M%.1f 46h22\"/>\n",
                       c[0], c[1], c[2], x);
        svg_str(out, x + 28, 50, "t", "start", set);
        x += 48 + svg_width(strlen(set));
    }
    if (n->runs > 1) {
        snprintf(text, sizeof text,
                 "mean of up to %zu runs; band: one standard deviation to both sides",
                 n->runs);
        svg_str(out, x, 50, "m s", "start", text);
    }
}

void svg_curves(struct rec_buf *out, const struct curve_panels *p, const char *title)
{
    const struct names n = names_of(p);
    const size_t rows = (p->n + ACROSS - 1) / ACROSS;
    const size_t across = p->n < ACROSS ? p->n : ACROSS;

    title = title ? title : "Training";
    svg_begin(out, 2 * MARGIN + PANEL_W * (double)across,
              HEAD + PANEL_H * (double)rows + MARGIN, title,
              "Curves over training steps, one panel for each metric.");
    svg_str(out, 16, 26, "t b h", "start", title);
    put_legend(out, &n);
    for (size_t i = 0; i < p->n; i++) {
        const struct curve_panel *panel = &p->panel[i];
        const struct frame f = frame_of(panel, i);

        svg_str(out, f.x0, f.y0 - 9, "t b", "start", panel->title);
        put_axes(out, &f);
        for (size_t k = 0; k < panel->n; k++)
            put_line(out, &f, &panel->line[k],
                     palette_lines[color_of(&n, panel->line[k].set)]);
    }
    rec_buf_str(out, "</svg>\n");
}
