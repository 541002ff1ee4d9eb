/* Panels of curves, three in a row. */
#include "view/svg.h"

#include "view/palette.h"
#include "view/svg_parts.h"

#include <math.h>
#include <string.h>

enum { ACROSS = 3, PANEL_W = 300, PANEL_H = 190, LEFT = 52, RIGHT = 14, TOP = 28 };
enum { FOOT = 32, HEAD = 66, MARGIN = 12, LEGEND_LINE = 18 };

/* How a set is drawn: its colour, and when colours come again, dashes. */
struct style {
    const unsigned char *rgb;
    const char *dashes;
};

/* What all panels share. */
struct plot {
    const struct curve_panels *panels;
    const struct curve_panel *most; /* the panel with most sets: their order */
    size_t runs;                    /* the most that one point is the mean of */
    double head;                    /* above the panels: the title, the sets' names */
};

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

static struct frame frame_of(const struct plot *plot, size_t at)
{
    const struct curve_panel *p = &plot->panels->panel[at];
    struct frame f = {
        .x0 = MARGIN + LEFT + PANEL_W * (double)(at % ACROSS),
        .y0 = plot->head + TOP + PANEL_H * (double)(at / ACROSS),
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
        rec_buf_printf(out, "%c%.1f %.1f", i ? 'L' : 'M', fx(f, l->at[i].x),
                       fy(f, l->at[i].mean + l->at[i].sd));
    for (size_t i = l->n; i-- > 0;)
        rec_buf_printf(out, "L%.1f %.1f", fx(f, l->at[i].x),
                       fy(f, l->at[i].mean - l->at[i].sd));
    rec_buf_str(out, "z\"/>\n");
}

static void put_dots(struct rec_buf *out, const struct frame *f, const struct curve *l,
                     struct style st, double radius)
{
    for (size_t i = 0; i < l->n; i++)
        rec_buf_printf(
            out,
            "<circle fill=\"#%02x%02x%02x\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.0f\"/>\n",
            st.rgb[0], st.rgb[1], st.rgb[2], fx(f, l->at[i].x), fy(f, l->at[i].mean),
            radius);
}

/* The open tag's begin of a line. */
static void put_stroke(struct rec_buf *out, struct style st, double width)
{
    rec_buf_printf(out,
                   "<path fill=\"none\" stroke=\"#%02x%02x%02x\" stroke-width=\"%g\" ",
                   st.rgb[0], st.rgb[1], st.rgb[2], width);
    if (*st.dashes)
        rec_buf_printf(out, "stroke-dasharray=\"%s\" ", st.dashes);
}

/* Against another metric, steps do not show on the axis: each has a dot. */
static void put_line(struct rec_buf *out, const struct frame *f, const struct curve *l,
                     struct style st, const struct plot *plot)
{
    int band = 0;

    for (size_t i = 0; i < l->n; i++)
        band |= l->at[i].runs > 1;
    if (band)
        put_band(out, f, l, st.rgb);
    if (l->n == 1)
        put_dots(out, f, l, st, 3);
    else if (*plot->panels->against)
        put_dots(out, f, l, st, 2);
    put_stroke(out, st, 1.8);
    rec_buf_str(out, "stroke-linejoin=\"round\" d=\"");
    for (size_t i = 0; i < l->n; i++)
        rec_buf_printf(out, "%c%.1f %.1f", i ? 'L' : 'M', fx(f, l->at[i].x),
                       fy(f, l->at[i].mean));
    rec_buf_str(out, "\"/>\n");
}

/* ---- the sets' names --------------------------------------------------------------------- */
static struct plot plot_of(const struct curve_panels *p)
{
    struct plot x = {.panels = p, .head = HEAD};

    for (size_t i = 0; i < p->n; i++) {
        if (!x.most || p->panel[i].n > x.most->n)
            x.most = &p->panel[i];
        for (size_t k = 0; k < p->panel[i].n; k++)
            for (size_t t = 0; t < p->panel[i].line[k].n; t++)
                if (p->panel[i].line[k].at[t].runs > x.runs)
                    x.runs = p->panel[i].line[k].at[t].runs;
    }
    return x;
}

static struct style style_at(size_t k)
{
    static const char *const dashes[] = {"", "6 3", "2 3", "8 3 2 3"};

    return (struct style){palette_lines[k % PALETTE_LINES],
                          dashes[k / PALETTE_LINES % (sizeof dashes / sizeof *dashes)]};
}

static struct style style_of(const struct plot *x, const char *set)
{
    for (size_t k = 0; x->most && k < x->most->n; k++)
        if (x->most->line[k].set == set)
            return style_at(k);
    return style_at(PALETTE_LINES - 1);
}

/* Where the next entry of the legend stands, so many pixels wide. */
struct pen {
    double x, y, width; /* of the picture */
};

static void make_room(struct pen *pen, double wide)
{
    if (pen->x > MARGIN + 4 && pen->x + wide > pen->width - MARGIN) {
        pen->x = MARGIN + 4;
        pen->y += LEGEND_LINE;
    }
}

static void put_legend(struct rec_buf *out, struct plot *plot, double width)
{
    struct pen pen = {MARGIN + 4, 46, width};
    char text[96];

    for (size_t k = 0; plot->most && plot->most->n > 1 && k < plot->most->n; k++) {
        const char *set =
            *plot->most->line[k].set ? plot->most->line[k].set : "(unnamed)";

        make_room(&pen, 28 + svg_width(strlen(set)));
        put_stroke(out, style_at(k), 3);
        rec_buf_printf(out, "d=\"M%.1f %.0fh22\"/>\n", pen.x, pen.y);
        svg_str(out, pen.x + 28, pen.y + 4, "t", "start", set);
        pen.x += 48 + svg_width(strlen(set));
    }
    if (plot->runs > 1) {
        snprintf(text, sizeof text,
                 "mean of up to %zu runs; band: one standard deviation to both sides",
                 plot->runs);
        make_room(&pen, .85 * svg_width(strlen(text)));
        svg_str(out, pen.x, pen.y + 4, "m s", "start", text);
    }
    plot->head = HEAD - 46 + pen.y;
}

static void put_panel(struct rec_buf *out, const struct plot *plot, size_t i)
{
    const struct curve_panel *panel = &plot->panels->panel[i];
    const struct frame f = frame_of(plot, i);

    svg_str(out, f.x0, f.y0 - 9, "t b", "start", panel->title);
    put_axes(out, &f);
    if (*plot->panels->against)
        svg_str(out, f.x0 + f.w, f.y0 + f.h + 28, "m s", "end", plot->panels->against);
    for (size_t k = 0; k < panel->n; k++)
        put_line(out, &f, &panel->line[k], style_of(plot, panel->line[k].set), plot);
}

void svg_curves(struct rec_buf *out, const struct curve_panels *p, const char *title)
{
    struct plot plot = plot_of(p);
    const size_t rows = (p->n + ACROSS - 1) / ACROSS;
    const size_t across = p->n < ACROSS ? p->n : ACROSS;
    const double width = 2 * MARGIN + PANEL_W * (double)across;
    struct rec_buf legend = {0};

    title = title ? title : "Training";
    put_legend(&legend, &plot, width); /* says how high it is */
    svg_begin(out, width, plot.head + PANEL_H * (double)rows + MARGIN, title,
              *p->against ? "Curves against another metric, one panel for each metric."
                          : "Curves over training steps, one panel for each metric.");
    svg_str(out, 16, 26, "t b h", "start", title);
    rec_buf_add(out, legend.p, legend.n);
    out->oom |= legend.oom;
    rec_buf_release(&legend);
    for (size_t i = 0; i < p->n; i++)
        put_panel(out, &plot, i);
    rec_buf_str(out, "</svg>\n");
}
