/*
 * The heat map.  Cells of one shade are one path, so that a map of 64 x 67 tokens takes 30
 * kB and is drawn at once.
 */
#include "view/svg.h"

#include "base/chars.h"
#include "view/svg_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 15, EDGE = 16, LABEL_COLUMNS = 18, FOOT = 64, HEAD = 44 };

struct map {
    struct rec_buf *out;
    const struct scene *s;
    const struct scene_cand *c;
    size_t *col; /* (n) prompt tokens shown */
    size_t n;
    double *w; /* (1 + T, n): over steps, then each step */
    double *row;
    double top, left, above; /* pixels */
};

/* How a prompt's token is written: bold if it belongs to a word, slanted too if that was
 * hardly read. */
static const char *class_of(const struct scene_cand *c, size_t j)
{
    for (size_t g = 0; g < c->words; g++)
        for (size_t i = 0; i < c->word[g].n; i++)
            if (c->word[g].pos[i] == j)
                return c->word[g].hardly ? "t b i" : "t b";
    return "m";
}

/* A label of at most LABEL_COLUMNS: a token without the blank before it. */
static struct rec_str label_of(struct rec_str k, size_t *columns)
{
    size_t n = 0;
    unsigned more;
    int32_t code;

    for (; k.n > 1 && *k.s == ' '; k.n--)
        k.s++;
    for (*columns = 0; n < k.n; *columns += more) {
        const size_t step = chars_next(&code, &more, k.s + n, k.n - n);

        if (*columns + more > LABEL_COLUMNS)
            break;
        n += step;
    }
    k.n = n;
    return k;
}

static double longest(const struct scene_tokens *k, const size_t *which, size_t n)
{
    size_t most = 4, columns;

    for (size_t i = 0; i < n; i++) {
        label_of(k->token[which ? which[i] : i], &columns);
        most = columns > most ? columns : most;
    }
    return svg_width(most);
}

static void fill(struct map *m, const struct scene_look *look)
{
    const size_t T = m->c->sample.T;
    struct scene_look all = *look;
    double top;

    all.token = SCENE_ALL;
    m->top = scene_weights(m->row, m->s, m->c, &all);
    for (size_t i = 0; i < m->n; i++)
        m->w[i] = m->row[m->col[i]];
    for (size_t t = 0; t < T; t++) {
        scene_row(m->row, m->s, m->c, t, look);
        for (size_t i = 0; i < m->n; i++)
            m->w[(1 + t) * m->n + i] = m->row[m->col[i]];
        top = 0;
        for (size_t i = 0; i < m->s->npos; i++)
            top = fmax(top, m->row[m->s->pos[i]]);
        m->top = t && t < m->c->steps ? fmax(m->top, top) : m->top;
    }
}

/* y of row r: 0 is the strip over steps. */
static double row_y(const struct map *m, size_t r)
{
    return m->above + (r ? CELL * ((double)r + .6) : 0);
}

static void put_cells(const struct map *m)
{
    const size_t rows = 1 + m->c->sample.T;

    for (int level = 1; level <= SVG_LEVELS; level++) {
        size_t cells = 0;

        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < m->n; i++) {
                if (svg_level(m->w[r * m->n + i], m->top) != level)
                    continue;
                if (cells++ == 0)
                    rec_buf_printf(m->out, "<path class=\"l%d\" d=\"", level);
                rec_buf_printf(m->out, "M%g %gh%dv%dh-%dz", m->left + CELL * (double)i,
                               row_y(m, r), CELL - 1, CELL - 1, CELL - 1);
            }
        if (cells)
            rec_buf_str(m->out, "\"/>\n");
    }
}

static void put_labels(const struct map *m, enum scene_over over)
{
    size_t columns;

    for (size_t i = 0; i < m->n; i++) {
        const double x = m->left + CELL * (double)i + 11;

        rec_buf_printf(m->out, "<g transform=\"translate(%g %g) rotate(-90)\">", x,
                       m->above - 5);
        svg_text(m->out, 0, 0, class_of(m->c, m->col[i]), "start",
                 label_of(m->s->prompt.token[m->col[i]], &columns));
        rec_buf_str(m->out, "</g>\n");
    }
    svg_str(m->out, m->left - 6, row_y(m, 0) + 11, "m", "end",
            over == SCENE_MEAN ? "mean" : "most");
    for (size_t t = 0; t < m->c->sample.T; t++)
        svg_text(m->out, m->left - 6, row_y(m, 1 + t) + 11, "t", "end",
                 label_of(m->c->tokens.token[t], &columns));
}

/* What the shades mean: a number every third level. */
static void put_legend(const struct map *m, double y, int share)
{
    char text[96];

    for (int level = 1; level <= SVG_LEVELS; level++) {
        const double x = m->left + 2 * CELL * (level - 1),
                     at = 100 * m->top * level * level / (SVG_LEVELS * SVG_LEVELS);

        rec_buf_printf(m->out,
                       "<rect class=\"l%d\" x=\"%g\" y=\"%g\" width=\"%d\" "
                       "height=\"10\"/>\n",
                       level, x, y, 2 * CELL - 1);
        snprintf(text, sizeof text, "%.2g", at);
        if (level % 2)
            svg_str(m->out, x + CELL, y + 23, "m s", "middle", text);
    }
    svg_str(m->out, m->left, y + 40, "m s", "start",
            share ? "% of the row's mass on countable tokens, the darkest also more"
                  : "% of a step's attention, the darkest also more");
}

static void name_planes(char *out, size_t n, const struct sample_attn *a,
                        const struct scene_look *look)
{
    const int layers = (int)(a->layers.n < 32 ? a->layers.n : 32);
    int at = look->layer >= 0
                 ? snprintf(out, n, "layer %ld, ", look->layer)
                 : snprintf(out, n, "mean of layers %.*s, ", layers, a->layers.s);

    if (look->head >= 0)
        snprintf(out + at, n - (size_t)at, "head %ld", look->head);
    else
        snprintf(out + at, n - (size_t)at, "mean of heads");
}

static void put_map(struct map *m, const struct scene_look *look, const char *title)
{
    const double w = m->left + fmax(CELL * (double)m->n, 420) + EDGE;
    const double end = row_y(m, 1 + m->c->sample.T);
    char text[256];

    if (title)
        snprintf(text, sizeof text, "%s", title);
    else
        snprintf(text, sizeof text, "%.*s, candidate %llu",
                 (int)(m->s->id.n < 120 ? m->s->id.n : 120), m->s->id.s,
                 (unsigned long long)m->c->sample.cand);
    svg_begin(m->out, w, end + FOOT, text,
              "Heat map: rows are tokens of the answer, columns tokens of the prompt, "
              "shades how much attention each row gave to each column.");
    svg_str(m->out, EDGE, 24, "t b h", "start", text);
    name_planes(text, sizeof text, &m->c->sample.attn, look);
    svg_str(m->out, EDGE, 40, "m s", "start", text);
    put_cells(m);
    put_labels(m, look->over);
    put_legend(m, end + 16, look->share);
    rec_buf_str(m->out, "</svg>\n");
}

int svg_attn(struct rec_buf *out, const struct scene *s, const struct scene_cand *c,
             const struct scene_look *look, enum svg_tokens tokens, const char *title,
             struct err *e)
{
    const size_t P = s->prompt.n, T = c->sample.T;
    struct map m = {.out = out, .s = s, .c = c};
    int rc = 0;

    if (!c->A)
        return rec_fault(c->sample.rec, ERR_RECORD, e, "attn",
                         "there is none; cagsr-attn adds it");
    m.col = malloc((P + 1) * sizeof *m.col);
    m.w = calloc((T + 1) * P + 1, sizeof *m.w);
    m.row = malloc((2 * P + 1) * sizeof *m.row);
    if (m.col && m.w && m.row) {
        for (size_t j = 0; j < P; j++)
            if (tokens == SVG_WHOLE || !s->user || s->user[j])
                m.col[m.n++] = j;
        m.left = EDGE + longest(&c->tokens, NULL, T) + 6;
        m.above = HEAD + longest(&s->prompt, m.col, m.n) + 10;
        fill(&m, look);
        put_map(&m, look, title);
    } else {
        rc = err_set(e, ERR_NOMEM, "no memory for a picture");
    }
    free(m.col);
    free(m.w);
    free(m.row);
    return rc;
}
