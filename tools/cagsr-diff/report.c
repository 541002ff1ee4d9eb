#include "diff.h"

#include "view/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 13 };

/* A table leaves out whose numbers they are, how many prompts have them (the sentence at its
 * end has it), and what p_holm and the verdict say better: so it has 80 columns. */
enum { TABLE_FROM = 2, TABLE_P = 8, TABLE_PROMPTS = 10, TABLE_BETTER = 11 };
enum { WIDE = 18, NARROW = 7, NARROWER = 6 };

struct report {
    struct diff *d;
    FILE *out;
    enum cells_form form;
    struct screen screen;
    struct rec_buf text;
    int named; /* the names stand above the first line */
};

static struct cell real(const char *name, double x)
{
    return (struct cell){name, CELL_REAL, .x = x};
}

static void put(struct report *r, const struct cell cell[CELLS])
{
    cells_line(r->out, r->form, cell, CELLS, !r->named);
    r->named = 1;
}

static void put_row(struct report *r, struct cell cell[CELLS], size_t n, int first)
{
    size_t k = 0;

    for (size_t i = TABLE_FROM; i < n; i++) {
        if (i == TABLE_P || i == TABLE_PROMPTS || i == TABLE_BETTER)
            continue;
        cell[i].width = i == TABLE_FROM ? WIDE : i > TABLE_P ? NARROWER : NARROW;
        cell[k++] = cell[i];
    }
    cells_line(r->out, r->form, cell, k, first);
}

static int flush(struct report *r, struct err *e)
{
    if (r->text.oom)
        return err_set(e, ERR_NOMEM, "no memory for a text");
    if (r->text.n)
        fwrite(r->text.p, 1, r->text.n, r->out);
    rec_buf_clear(&r->text);
    return 0;
}

/* ---- one pair -------------------------------------------------------------------------- */

/* The columns of both kinds of lines; the caller fills in what it knows. */
static void blank(struct cell cell[CELLS])
{
    static const char *const names[CELLS] = {
        "id", "cand", "measure", "before",  "after",  "diff",   "lo",
        "hi", "p",    "p_holm",  "prompts", "better", "verdict"};

    for (size_t i = 0; i < CELLS; i++)
        cell[i] = real(names[i], (double)NAN);
    cell[8].kind = cell[9].kind = CELL_SHARE;
    cell[10].kind = cell[11].kind = CELL_COUNT;
    cell[12] = (struct cell){names[12], CELL_TEXT, ""};
}

static void whose(const struct report *r, const struct pair *p, struct cell cell[CELLS])
{
    const struct diff *d = r->d;
    const struct row *b = &d->corpus.row[p->row[BEFORE]];
    const uint64_t cand = d->seen[p->row[BEFORE]].cand;

    blank(cell);
    cell[0].kind = CELL_TEXT;
    cell[0].text = strtab_text(&d->corpus.ids, b->prompt);
    cell[1].kind = CELL_COUNT;
    cell[1].x = cand == NONE ? (double)NAN : (double)cand;
}

static void put_texts(struct report *r, const struct pair *p)
{
    struct cell cell[CELLS];

    whose(r, p, cell);
    cell[2] = (struct cell){"measure", CELL_TEXT, "text"};
    for (size_t side = 0; side < SIDES; side++) {
        const size_t text = r->d->corpus.row[p->row[side]].text;
        size_t n;

        cell[3 + side].kind = CELL_TEXT;
        cell[3 + side].text =
            text == NO_TEXT ? "" : corpus_text(&r->d->corpus, text, &n);
    }
    put(r, cell);
}

/* "12" of "attention/12" for what "attention/"; else NULL. */
static const char *layer_of(const struct summary_row *s, const char *what)
{
    const size_t n = strlen(what);

    return s->family == FAMILY_ATTENTION && strncmp(s->name, what, n) == 0 ? s->name + n
                                                                           : NULL;
}

static int is_layer(const struct summary_row *s)
{
    return layer_of(s, "attention/") || layer_of(s, "moved/");
}

/* For people: what changed, of this pair and not of its group, all layers in one. */
static int is_short(const struct summary_row *s, double before, double after)
{
    const int group = s->is_metric && metric_table[s->key].of == OF_GROUP;
    const int same = before <= after && before >= after;

    return !group && !is_layer(s) && !same;
}

static void put_numbers(struct report *r, const struct pair *p)
{
    int first = 1;

    for (size_t k = 0; k < r->d->stats; k++) {
        const struct summary_row *s = &r->d->stat[k];
        const double a = stats_value(r->d, s, p->row[AFTER]);
        const double b = s->alone ? (double)NAN : stats_value(r->d, s, p->row[BEFORE]);
        struct cell cell[CELLS];

        if ((isnan(a) && isnan(b)) || (r->form == CELLS_TABLE && !is_short(s, b, a)))
            continue;
        whose(r, p, cell);
        cell[2] = (struct cell){"measure", CELL_TEXT, s->name};
        cell[3].x = b;
        cell[4].x = s->alone ? (double)NAN : a;
        cell[5].x = s->alone ? a : a - b;
        if (r->form == CELLS_TABLE)
            put_row(r, cell, 6, first);
        else
            put(r, cell);
        first = 0;
    }
}

static int put_pair(struct report *r, const struct pair *p, struct err *e)
{
    int rc = 0;

    if (r->form != CELLS_TABLE)
        put_texts(r, p);
    else if ((rc = show_texts(&r->text, r->d, p, &r->screen, e)) >= 0)
        rc = flush(r, e);
    if (rc < 0)
        return rc;
    put_numbers(r, p);
    if (r->form == CELLS_TABLE)
        fputs("\n", r->out);
    return 0;
}

static int put_pairs(struct report *r, struct err *e)
{
    size_t *order = malloc((r->d->pairs + 1) * sizeof *order), n = 0;
    int rc = order ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu pairs", r->d->pairs);

    if (rc >= 0)
        rc = pairs_choose(order, &n, r->d, e);
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = put_pair(r, &r->d->pair[order[i]], e);
    free(order);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------- */
static void fill(const struct report *r, const struct summary_row *s,
                 struct cell cell[CELLS])
{
    blank(cell);
    cell[2] = (struct cell){"measure", CELL_TEXT, s->name};
    cell[3].x = s->d.b;
    cell[4].x = s->d.a;
    cell[5].x = s->d.d.value;
    cell[6].x = s->d.d.lo;
    cell[7].x = s->d.d.hi;
    cell[8].x = s->d.p;
    cell[9].x = s->p_holm;
    cell[10].x = (double)s->d.d.n;
    cell[11].x = s->better;
    cell[12].text = stats_verdict(r->d, s);
}

static void put_stats(struct report *r)
{
    int first = 1;

    for (size_t k = 0; k < r->d->stats; k++) {
        struct cell cell[CELLS];

        if (r->form == CELLS_TABLE && is_layer(&r->d->stat[k]))
            continue;
        fill(r, &r->d->stat[k], cell);
        if (r->form == CELLS_TABLE)
            put_row(r, cell, CELLS, first);
        else
            put(r, cell);
        first = 0;
    }
}

static double moved_in(const struct diff *d, const char *layer)
{
    for (size_t k = 0; k < d->stats; k++) {
        const char *x = layer_of(&d->stat[k], "moved/");

        if (x && strcmp(x, layer) == 0)
            return d->stat[k].d.d.value;
    }
    return (double)NAN;
}

/* For people: a line for each layer, with how far it moved in the place of p_holm. */
static void put_layers(struct report *r)
{
    int first = 1;

    for (size_t k = 0; k < r->d->stats; k++) {
        const char *layer = layer_of(&r->d->stat[k], "attention/");
        struct cell cell[CELLS];

        if (!layer)
            continue;
        fill(r, &r->d->stat[k], cell);
        cell[2] = (struct cell){"attention of layer", CELL_TEXT, layer};
        cell[9] = real("moved", moved_in(r->d, layer));
        if (first)
            fputs("\n", r->out);
        put_row(r, cell, CELLS, first);
        first = 0;
    }
    if (!first)
        fputs("\n", r->out);
}

/* The sentences at the end of a table. */
static int put_sentences(struct report *r, struct err *e)
{
    struct rec_buf s = {0};
    int rc;

    show_counts(&s, r->d);
    show_wrapped(&r->text, "", (const char *)s.p, s.n, (struct paint){0}, &r->screen);
    rec_buf_clear(&s);
    const int warns = show_verdict(&s, r->d);
    show_wrapped(&r->text, "", (const char *)s.p, s.n,
                 (struct paint){.attrs = warns ? PAINT_BOLD : 0}, &r->screen);
    r->text.oom |= s.oom;
    rc = flush(r, e);
    rec_buf_release(&s);
    return rc;
}

int report_write(int fd, struct diff *d, struct err *e)
{
    struct report r = {
        .d = d,
        .form = (enum cells_form)d->o->format,
        .screen = {screen_depth((enum screen_color)d->o->color, fd),
                   screen_width(d->o->width, fd)},
    };
    int rc = cells_open(&r.out, fd, e);

    if (rc >= 0)
        rc = put_pairs(&r, e);
    if (rc >= 0)
        put_stats(&r);
    if (rc >= 0 && r.form == CELLS_TABLE) {
        put_layers(&r);
        rc = put_sentences(&r, e);
    }
    rec_buf_release(&r.text);
    return cells_close(r.out, rc, e);
}
