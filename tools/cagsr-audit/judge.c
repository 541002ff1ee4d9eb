/*
 * Three questions to each component of a reward, asked inside each prompt (all that a
 * group-relative learner can use) and averaged over prompts:
 *   spearman   does it rise and fall with what we measure?  (partial: given other numbers?)
 *   auroc      does it put a prompt's own answers above corrupted ones?
 *   best_of    what would choosing the best of N by the reward gain?
 */
#include "audit.h"

#include "metrics/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sign that is the same in fewer prompts may be chance: (1/2)^5 > .05 / 2. */
enum { NAME = 64, COLUMNS_MAX = 64, MARK_LEAST = 6 };

/* A component: a column of the board, or a feature of the attention. */
struct component {
    char name[NAME];
    size_t column, feature; /* SIZE_MAX: not that */
};

struct view {
    const struct opts *o;
    const struct board *b;
    FILE *out;
    size_t prompts, rows;
    size_t *first, *order;
    double *x, *y;       /* (rows) in the order of prompts */
    double *gx, *gy;     /* (rows) those of one prompt */
    double *work;        /* (4 rows), or (givens + 3, rows) */
    size_t *index;       /* (rows) */
    size_t *with, withs; /* measures: columns */
    size_t *given, givens;
    double *z, *gz; /* (givens, rows): the given columns, and those of one prompt */
};

/* ---- names ----------------------------------------------------------------------------- */
static const char *column_name(const struct board *b, size_t column)
{
    return strtab_text(&b->columns, column) + b->is_reward[column];
}

static struct component of_column(const struct board *b, size_t column)
{
    struct component c = {.column = column, .feature = SIZE_MAX};

    snprintf(c.name, NAME, "%s", column_name(b, column));
    return c;
}

static struct component of_feature(const struct board *b, size_t f)
{
    struct component c = {.column = SIZE_MAX, .feature = f};
    const size_t LH = b->layers * b->heads;

    if (f >= LH)
        snprintf(c.name, NAME, "layer %zu", b->first_layer + f - LH);
    else
        snprintf(c.name, NAME, "head %zu.%zu", b->first_layer + f / b->heads,
                 f % b->heads);
    return c;
}

static void load(double *x, const struct view *v, const struct component *c)
{
    if (c->feature == SIZE_MAX) {
        board_column(x, v->b, v->order, c->column);
        return;
    }
    for (size_t i = 0; i < v->rows; i++) {
        const float *f = v->b->row[v->order[i]].feature;

        x[i] = f ? (double)f[c->feature] : (double)NAN;
    }
}

static const char *const usual[] = {
    "relevance", "tfidf", "similarity", "tfidf_reference", "rougeL", "length", "copy_4",
    "rep_3",     "ref",   NULL};

static size_t find_measure(const struct board *b, const char *name, size_t n)
{
    return *name == '+' ? SIZE_MAX : strtab_find(&b->columns, name, n);
}

static size_t find_number(const struct board *b, const char *name, size_t n)
{
    char key[NAME];
    const size_t at = find_measure(b, name, n);

    if (at != SIZE_MAX || n + 2 > sizeof key)
        return at;
    snprintf(key, sizeof key, "+%.*s", (int)n, name);
    return strtab_find(&b->columns, key, n + 1);
}

/* The columns that a list names, malloc'd; SIZE_MAX of `find`: there is none. */
static int choose(size_t **out, size_t *count, const struct view *v, const char *option,
                  const char *list,
                  size_t (*find)(const struct board *, const char *, size_t),
                  struct err *e)
{
    *out = calloc(strlen(list) + 1, sizeof **out);
    if (!*out)
        return err_set(e, ERR_NOMEM, "no memory for columns");
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        const size_t at = find(v->b, list, n);
        if (at == SIZE_MAX)
            return err_set(e, ERR_RECORD,
                           "--%s: no sample has '%.*s' among its 'metrics'%s; "
                           "'cagsr-eval --each' adds them",
                           option, (int)n, list,
                           find == find_number ? " or 'rewards'" : "");
        (*out)[(*count)++] = at;
    }
    return 0;
}

static int choose_usual(struct view *v, struct err *e)
{
    v->with = calloc(sizeof usual / sizeof *usual, sizeof *v->with);
    if (!v->with)
        return err_set(e, ERR_NOMEM, "no memory for columns");
    for (size_t i = 0; usual[i]; i++) {
        const size_t at = find_measure(v->b, usual[i], strlen(usual[i]));

        if (at != SIZE_MAX)
            v->with[v->withs++] = at;
    }
    return 0;
}

static int choose_given(struct view *v, struct err *e)
{
    const size_t n = v->rows + 1;
    const int rc =
        choose(&v->given, &v->givens, v, "given", v->o->given, find_number, e);

    if (rc < 0)
        return rc;
    if (v->givens > COLUMNS_MAX)
        return err_set(e, ERR_USAGE, "--given: at most %d names", COLUMNS_MAX);
    v->z = calloc((3 * v->givens + 3) * n, sizeof *v->z);
    if (!v->z)
        return err_set(e, ERR_NOMEM, "no memory for %zu samples", n);
    v->gz = v->z + v->givens * n;
    for (size_t k = 0; k < v->givens; k++)
        board_column(v->z + k * v->rows, v->b, v->order, v->given[k]);
    return 0;
}

/* ---- one prompt ------------------------------------------------------------------------ */

/* x of those samples of prompt p that are of that kind; returns how many. */
static size_t take(double *out, const struct view *v, const double *x, size_t p,
                   size_t kind)
{
    size_t n = 0;

    for (size_t i = v->first[p]; i < v->first[p + 1]; i++)
        if (v->b->row[v->order[i]].kind == kind)
            out[n++] = x[i];
    return n;
}

static struct ratio present(double x)
{
    return isnan(x) ? (struct ratio){0} : (struct ratio){x, 1};
}

static void spearman(struct ratio *out, const struct view *v)
{
    for (size_t p = 0; p < v->prompts; p++) {
        const size_t n = take(v->gx, v, v->x, p, 0);

        take(v->gy, v, v->y, p, 0);
        out[p] = present(rank_spearman(v->gx, v->gy, n, v->work, v->index));
    }
}

static void partial(struct ratio *out, const struct view *v)
{
    double *work = v->gz + v->givens * v->rows;
    const double *col[2 + COLUMNS_MAX] = {v->gx, v->gy};

    for (size_t p = 0; p < v->prompts; p++) {
        const size_t n = take(v->gx, v, v->x, p, 0);

        take(v->gy, v, v->y, p, 0);
        for (size_t k = 0; k < v->givens; k++) {
            double *g = v->gz + k * v->rows;

            take(g, v, v->z + k * v->rows, p, 0);
            col[2 + k] = g;
        }
        out[p] = present(rank_partial(col, v->givens, n, work, v->index));
    }
}

static void auroc(struct ratio *out, const struct view *v, size_t kind)
{
    for (size_t p = 0; p < v->prompts; p++) {
        const size_t own = take(v->gx, v, v->x, p, 0);
        const size_t other = take(v->gy, v, v->x, p, kind);

        out[p] = present(rank_auroc(v->gx, own, v->gy, other));
    }
}

static void best_of(struct ratio *out, const struct view *v, size_t N, int gain)
{
    for (size_t p = 0; p < v->prompts; p++) {
        const size_t n = take(v->gx, v, v->x, p, 0);

        take(v->gy, v, v->y, p, 0);
        const double mean = rank_best_of(v->gx, v->gy, n, 1, v->work, v->index);
        const double best = rank_best_of(v->gx, v->gy, n, N, v->work, v->index);
        out[p] = present(gain ? best - mean : mean);
    }
}

/* ---- lines ----------------------------------------------------------------------------- */
struct table {
    const char *name, *title;
    double null;         /* what says nothing */
    size_t plain;        /* columns in front that are no test of that */
    enum cell_kind kind; /* of its numbers, for people */
    int given;           /* the title ends with what --given says */
};

/* One line of a table for people: n numbers under their names. */
static void wide_line(const struct view *v, const struct table *t, const char *of,
                      const struct interval *x, const char *const *with, size_t n,
                      int first)
{
    struct cell cell[1 + COLUMNS_MAX] = {{"", CELL_TEXT, of, 0, 0}};

    for (size_t k = 0; k < n; k++)
        cell[1 + k] = (struct cell){with[k], t->kind, NULL, x[k].value,
                                    k >= t->plain && x[k].n >= MARK_LEAST &&
                                        (x[k].lo > t->null || x[k].hi < t->null)};
    if (first)
        fprintf(v->out, "\n%s%s\n", t->title, t->given ? v->o->given : "");
    cells_line(v->out, CELLS_TABLE, cell, 1 + n, first);
}

static void long_lines(const struct view *v, const struct table *t, const char *of,
                       const struct interval *x, const char *const *with, size_t n,
                       int names)
{
    for (size_t k = 0; k < n; k++) {
        const struct cell cell[] = {
            {"table", CELL_TEXT, t->name},
            {"of", CELL_TEXT, of},
            {"with", CELL_TEXT, with[k]},
            {"value", CELL_REAL, .x = x[k].value},
            {"lo", CELL_REAL, .x = x[k].lo},
            {"hi", CELL_REAL, .x = x[k].hi},
            {"prompts", CELL_COUNT, .x = (double)x[k].n},
        };

        cells_line(v->out, (enum cells_form)v->o->format, cell,
                   sizeof cell / sizeof *cell, names && k == 0);
    }
}

/* names: the very first line of the report; first: of this table. */
static void put_line(const struct view *v, const struct table *t, const char *of,
                     const struct interval *x, const char *const *with, size_t n,
                     int first, int *names)
{
    if (v->o->format == CELLS_TABLE)
        wide_line(v, t, of, x, with, n, first);
    else
        long_lines(v, t, of, x, with, n, *names);
    *names = 0;
}

/* ---- tables ---------------------------------------------------------------------------- */
static const struct table spearman_table = {
    "spearman", "Spearman's correlation within a prompt (* is not 0)", 0, 0,
    CELL_SIGNED};
static const struct table partial_table = {"partial", "the same, given ", 0,
                                           0,         CELL_SIGNED,        1};
static const struct table auroc_table = {
    "auroc", "own answers above corrupted ones of the same prompt, AUROC (* is not .5)",
    0.5, 0, CELL_SHARE};
static const struct table best_table = {
    "best_of", "what the best of N by the reward gains over the mean (* is not 0)", 0,
    1, CELL_REAL};

/* Intervals of n statistics over the prompts, r (n, prompts). */
static int intervals(struct interval *out, const struct ratio *r, size_t n,
                     const struct view *v, struct err *e)
{
    static const enum boot_form plain[COLUMNS_MAX];
    const struct boot_plan plan = {v->o->resamples, v->o->level, v->o->common.seed};

    return boot_intervals(out, r, plain, n, v->prompts, &plan, e);
}

static int any_number(const struct interval *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (x[k].n)
            return 1;
    return 0;
}

static int correlate(struct view *v, const struct table *t,
                     void (*correlation)(struct ratio *, const struct view *),
                     const struct component *c, size_t n, int *names, struct err *e)
{
    struct interval x[COLUMNS_MAX];
    const char *with[COLUMNS_MAX];
    const size_t m = v->withs < COLUMNS_MAX ? v->withs : COLUMNS_MAX;
    struct ratio *r = calloc(m * v->prompts + 1, sizeof *r);
    int rc = r ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", v->prompts);
    int first = 1;

    for (size_t i = 0; i < n && rc >= 0 && m; i++) {
        load(v->x, v, &c[i]);
        for (size_t k = 0; k < m; k++) {
            with[k] = column_name(v->b, v->with[k]);
            board_column(v->y, v->b, v->order, v->with[k]);
            correlation(r + k * v->prompts, v);
        }
        rc = intervals(x, r, m, v, e);
        if (rc < 0 || !any_number(x, m))
            continue; /* constant in every prompt */
        put_line(v, t, c[i].name, x, with, m, first, names);
        first = 0;
    }
    free(r);
    return rc;
}

static int discriminate(struct view *v, const struct component *c, size_t n, int *names,
                        struct err *e)
{
    struct interval x[COLUMNS_MAX];
    const char *with[COLUMNS_MAX];
    const size_t kinds = v->b->kinds.n - 1,
                 m = kinds < COLUMNS_MAX ? kinds : COLUMNS_MAX;
    struct ratio *r = calloc(m * v->prompts + 1, sizeof *r);
    int rc = r ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", v->prompts);

    for (size_t i = 0; i < n && rc >= 0 && m; i++) {
        load(v->x, v, &c[i]);
        for (size_t k = 0; k < m; k++) {
            with[k] = strtab_text(&v->b->kinds, k + 1);
            auroc(r + k * v->prompts, v, k + 1);
        }
        rc = intervals(x, r, m, v, e);
        if (rc >= 0)
            put_line(v, &auroc_table, c[i].name, x, with, m, i == 0, names);
    }
    free(r);
    return rc;
}

static int choose_best(struct view *v, int *names, struct err *e)
{
    const size_t reward = strtab_find(&v->b->columns, "+reward", 7);
    static const char *const with[] = {"mean", "best_of_2", "best_of_4", "best_of_8"};
    struct interval x[4];
    struct ratio *r = calloc(4 * v->prompts + 1, sizeof *r);
    int rc = r ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", v->prompts);

    if (reward != SIZE_MAX)
        board_column(v->x, v->b, v->order, reward);
    for (size_t k = 0; k < v->withs && rc >= 0 && reward != SIZE_MAX; k++) {
        board_column(v->y, v->b, v->order, v->with[k]);
        best_of(r, v, 1, 0);
        for (size_t i = 1; i < 4; i++)
            best_of(r + i * v->prompts, v, (size_t)1 << i, 1);
        if ((rc = intervals(x, r, 4, v, e)) >= 0)
            put_line(v, &best_table, column_name(v->b, v->with[k]), x, with, 4, k == 0,
                     names);
    }
    free(r);
    return rc;
}

/* ---- the report ------------------------------------------------------------------------ */
static int view_begin(struct view *v, const struct opts *o, const struct board *b,
                      FILE *out, struct err *e)
{
    const size_t n = b->rows + 1;

    *v =
        (struct view){.o = o, .b = b, .out = out, .prompts = b->ids.n, .rows = b->rows};
    v->x = calloc(8 * n, sizeof *v->x);
    v->index = calloc(n, sizeof *v->index);
    if (!v->x || !v->index)
        return err_set(e, ERR_NOMEM, "no memory for %zu samples", n);
    v->y = v->x + n;
    v->gx = v->y + n;
    v->gy = v->gx + n;
    v->work = v->gy + n;
    int rc = board_sort(b, &v->first, &v->order, e);
    if (rc >= 0 && o->with)
        rc = choose(&v->with, &v->withs, v, "with", o->with, find_measure, e);
    else if (rc >= 0)
        rc = choose_usual(v, e);
    return rc < 0 || !o->given ? rc : choose_given(v, e);
}

static void view_end(struct view *v)
{
    free(v->x);
    free(v->index);
    free(v->first);
    free(v->order);
    free(v->with);
    free(v->given);
    free(v->z);
}

/* The components of the reward, then the features asked for. */
static struct component *list_components(size_t *n, const struct view *v)
{
    const struct board *b = v->b;
    const size_t LH = b->layers * b->heads;
    struct component *c = calloc(b->columns.n + b->features + 1, sizeof *c);

    *n = 0;
    for (size_t i = 0; c && i < b->columns.n; i++)
        if (b->is_reward[i])
            c[(*n)++] = of_column(b, i);
    for (size_t f = v->o->by == BY_HEAD ? 0 : LH; c && v->o->by && f < b->features; f++)
        c[(*n)++] = of_feature(b, f);
    return c;
}

int judge(FILE *out, const struct opts *o, const struct board *b, struct err *e)
{
    struct view v;
    struct component *c = NULL;
    size_t n = 0;
    int names = 1, rc = view_begin(&v, o, b, out, e);

    if (rc >= 0 && !(c = list_components(&n, &v)))
        rc = err_set(e, ERR_NOMEM, "no memory for columns");
    if (rc >= 0 && n == 0 && !o->fit)
        rc = err_set(e, ERR_RECORD,
                     "no sample has a reward: send the stream through "
                     "cagsr-reward first");
    if (rc >= 0)
        rc = correlate(&v, &spearman_table, spearman, c, n, &names, e);
    if (rc >= 0 && o->given)
        rc = correlate(&v, &partial_table, partial, c, n, &names, e);
    if (rc >= 0)
        rc = discriminate(&v, c, n, &names, e);
    if (rc >= 0)
        rc = choose_best(&v, &names, e);
    free(c);
    view_end(&v);
    return rc;
}
