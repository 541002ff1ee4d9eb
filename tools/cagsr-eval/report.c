/*
 * From rows to prompts, from prompts to numbers with intervals, from these to lines.
 */
#include "eval.h"

#include "cli/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The metrics that will be shown, with their numbers by prompt. */
struct shown {
    enum metric m[METRICS];
    enum boot_form form[2 * METRICS];
    size_t n;
    struct ratio *x[2]; /* (n, prompts) for each side */
    struct boot_plan plan;
};

static int gather(struct shown *s, const struct opts *o, const struct corpus *c,
                  const unsigned char *chosen, size_t sides, struct err *e)
{
    *s = (struct shown){.plan = {o->resamples, o->level, o->common.seed}};
    for (size_t m = 0; m < METRICS; m++)
        if (chosen[m] && corpus_has(c, 0, (enum metric)m) &&
            (sides == 1 || corpus_has(c, 1, (enum metric)m))) {
            s->form[s->n] = metric_table[m].form;
            s->m[s->n++] = (enum metric)m;
        }
    for (size_t side = 0; side < sides; side++) {
        s->x[side] = calloc(s->n * c->prompts + 1, sizeof *s->x[side]);
        if (!s->x[side])
            return err_set(e, ERR_NOMEM, "no memory for %zu prompts", c->prompts);
        for (size_t k = 0; k < s->n; k++)
            corpus_sums(s->x[side] + k * c->prompts, c, (unsigned char)side, s->m[k]);
    }
    return 0;
}

static void release(struct shown *s)
{
    free(s->x[0]);
    free(s->x[1]);
}

/* ---- one stream ------------------------------------------------------------------------ */

/* Samples of a side that have metric m, and that lack it. */
static void count_samples(const struct corpus *c, unsigned char side, enum metric m,
                          size_t *have, size_t *lack)
{
    *have = *lack = 0;
    for (size_t i = 0; i < c->rows; i++) {
        const struct row *row = &c->row[i];

        *have += row_counts(row, side, m) != 0;
        *lack += row->side == side && !row->apart && !row_counts(row, side, m);
    }
}

int report_means(int fd, const struct opts *o, const struct corpus *c,
                 const unsigned char *chosen, struct err *e)
{
    struct interval v[METRICS];
    FILE *out = NULL;
    struct shown s;
    int rc = gather(&s, o, c, chosen, 1, e);

    if (rc >= 0)
        rc = cells_open(&out, fd, e);
    if (rc >= 0)
        rc = boot_intervals(v, s.x[0], s.form, s.n, c->prompts, &s.plan, e);
    for (size_t k = 0; k < s.n && rc >= 0; k++) {
        size_t have, lack;

        count_samples(c, 0, s.m[k], &have, &lack);
        const struct cell cell[] = {
            {"metric", CELL_TEXT, metric_table[s.m[k]].name},
            {"mean", CELL_REAL, .x = v[k].value},
            {"lo", CELL_REAL, .x = v[k].lo},
            {"hi", CELL_REAL, .x = v[k].hi},
            {"prompts", CELL_COUNT, .x = (double)v[k].n},
            {"samples", CELL_COUNT, .x = (double)have},
            {"absent", CELL_COUNT, .x = (double)lack},
        };
        cells_line(out, (enum cells_form)o->format, cell, sizeof cell / sizeof *cell,
                   k == 0);
    }
    release(&s);
    return cells_close(out, rc, e);
}

/* ---- two streams ----------------------------------------------------------------------- */

/* out (prompts): 1 where side 0 is better in metric m, 0 where side 1, half where neither;
 * none where it has no better. */
static void set_wins(struct ratio *out, const struct ratio *a, const struct ratio *b,
                     size_t n, int better)
{
    for (size_t i = 0; i < n; i++) {
        const double d = better * (a[i].num / a[i].den - b[i].num / b[i].den);

        out[i] = (struct ratio){0};
        if (better && a[i].den > 0 && b[i].den > 0)
            out[i] = (struct ratio){d > 0 ? 1 : d < 0 ? 0 : 0.5, 1};
    }
}

static int win_rates(struct interval *out, const struct shown *s, size_t prompts,
                     struct err *e)
{
    static const enum boot_form plain[METRICS];
    struct ratio *wins = calloc(s->n * prompts + 1, sizeof *wins);
    int rc = wins ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", prompts);

    for (size_t k = 0; k < s->n && rc >= 0; k++)
        set_wins(wins + k * prompts, s->x[0] + k * prompts, s->x[1] + k * prompts,
                 prompts, metric_table[s->m[k]].better);
    if (rc >= 0)
        rc = boot_intervals(out, wins, plain, s->n, prompts, &s->plan, e);
    free(wins);
    return rc;
}

static void put_difference(FILE *out, enum cells_form f, enum metric m,
                           const struct difference *d, double holm,
                           const struct interval *win, int first)
{
    const struct cell cell[] = {
        {"metric", CELL_TEXT, metric_table[m].name},
        {"a", CELL_REAL, .x = d->a},
        {"b", CELL_REAL, .x = d->b},
        {"diff", CELL_REAL, .x = d->d.value},
        {"lo", CELL_REAL, .x = d->d.lo},
        {"hi", CELL_REAL, .x = d->d.hi},
        {"p", CELL_SHARE, .x = d->p},
        {"p_holm", CELL_SHARE, .x = holm},
        {"wins", CELL_REAL, .x = win->value},
        {"wins_lo", CELL_REAL, .x = win->lo},
        {"wins_hi", CELL_REAL, .x = win->hi},
        {"prompts", CELL_COUNT, .x = (double)d->d.n},
    };

    cells_line(out, f, cell, sizeof cell / sizeof *cell, first);
}

int report_differences(int fd, const struct opts *o, const struct corpus *c,
                       const unsigned char *chosen, struct err *e)
{
    struct difference d[METRICS];
    struct interval win[METRICS];
    double p[METRICS];
    size_t order[METRICS];
    FILE *out = NULL;
    struct shown s;
    int rc = gather(&s, o, c, chosen, 2, e);

    if (rc >= 0)
        rc = cells_open(&out, fd, e);
    if (rc >= 0)
        rc = boot_differences(d, s.x[0], s.x[1], s.form, s.n, c->prompts, &s.plan, e);
    if (rc >= 0)
        rc = win_rates(win, &s, c->prompts, e);
    for (size_t k = 0; k < s.n && rc >= 0; k++)
        p[k] = d[k].p;
    if (rc >= 0)
        boot_holm(p, p, s.n, order);
    for (size_t k = 0; k < s.n && rc >= 0; k++)
        put_difference(out, (enum cells_form)o->format, s.m[k], &d[k], p[k], &win[k],
                       k == 0);
    release(&s);
    return cells_close(out, rc, e);
}

/* ---- each sample ----------------------------------------------------------------------- */
void report_each(struct rec *r, const struct row *row, const unsigned char *chosen)
{
    size_t n = 0;

    for (size_t m = 0; m < METRICS; m++)
        n += chosen[m] && metric_table[m].of == OF_SAMPLE && row->v[m].den > 0;
    rec_begin(r, "metrics");
    rec_put_map(r, n);
    for (size_t m = 0; m < METRICS; m++)
        if (chosen[m] && metric_table[m].of == OF_SAMPLE && row->v[m].den > 0) {
            rec_put_str(r, metric_table[m].name);
            rec_put_f64(r, row_get(row, (enum metric)m));
        }
    rec_end(r);
}
