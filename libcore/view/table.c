#include "view/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 128, CELL = 64 };

int table_is(const char *path)
{
    const size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".tsv") == 0;
}

/* One line, without its feed. */
struct line {
    const char *s, *end;
    size_t number; /* from 1 */
};

static int next_line(struct line *l, const char *end)
{
    if (l->number && l->end == end)
        return 0;
    l->s = l->number ? l->end + 1 : l->s;
    if (l->s >= end)
        return 0;
    const char *feed = memchr(l->s, '\n', (size_t)(end - l->s));
    l->end = feed ? feed : end;
    l->number++;
    return 1;
}

/* The cell that begins at *at, and *at behind its tabulator; 0 behind the last. */
static int next_cell(struct rec_str *cell, const char **at, const struct line *l)
{
    if (*at > l->end)
        return 0;
    const char *tab = memchr(*at, '\t', (size_t)(l->end - *at));
    const char *end = tab ? tab : l->end;

    *cell = (struct rec_str){*at, (size_t)(end - *at)};
    if (!tab && cell->n && cell->s[cell->n - 1] == '\r')
        cell->n--;
    *at = end + 1;
    return 1;
}

/* 1 with a finite number. */
static int cell_number(double *out, struct rec_str cell)
{
    char text[CELL], *end;

    if (cell.n == 0 || cell.n >= sizeof text)
        return 0;
    memcpy(text, cell.s, cell.n);
    text[cell.n] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && end != text && isfinite(*out);
}

/* "eval/" for "run/eval.tsv"; nothing for metrics.tsv. */
static void prefix_of(char out[NAME], const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const size_t n = strlen(base) - 4;

    out[0] = '\0';
    if (strcmp(base, "metrics.tsv") != 0)
        snprintf(out, NAME, "%.*s/", (int)(n < 48 ? n : 48), base);
}

static int add_cell(struct curves *c, struct curve_point p, const char *prefix,
                    struct rec_str name, struct rec_str cell, const char *set,
                    struct err *e)
{
    char full[NAME];

    if (!cell_number(&p.value, cell) || rec_str_is(name, "step") || name.n == 0)
        return 0;
    const int n = snprintf(full, sizeof full, "%s%.*s", prefix,
                           (int)(name.n < 64 ? name.n : 64), name.s);
    return curves_put(c, p, (struct rec_str){full, (size_t)n}, set, e);
}

/* The step of a row, then everything else. */
static int add_row(struct curves *c, const struct line *head, const struct line *row,
                   const char *path, const char *set, size_t run, struct err *e)
{
    struct curve_point p = {.run = (uint32_t)run};
    char prefix[NAME];
    int rc = 0, known = 0;

    prefix_of(prefix, path);
    for (int pass = 0; pass < 2; pass++) {
        const char *a = head->s, *b = row->s;
        struct rec_str name, cell;

        while (rc >= 0 && next_cell(&cell, &b, row)) {
            if (!next_cell(&name, &a, head))
                return err_set(e, ERR_FILE,
                               "%s:%zu: more cells than the first line has names", path,
                               row->number);
            if (pass)
                rc = add_cell(c, p, prefix, name, cell, set, e);
            else if (rec_str_is(name, "step"))
                known = cell_number(&p.step, cell);
        }
        if (!known)
            return err_set(e, ERR_FILE, "%s:%zu: no number in the column 'step'", path,
                           row->number);
    }
    return rc;
}

int table_add(struct curves *c, const char *text, size_t n, const char *path,
              const char *set, size_t run, struct err *e)
{
    const char *end = text + n;
    struct line head = {.s = text}, row;
    int rc = 0;

    if (!next_line(&head, end))
        return err_set(e, ERR_FILE, "%s: empty, expected a line of names", path);
    row = head;
    while (rc >= 0 && next_line(&row, end))
        if (row.end > row.s)
            rc = add_row(c, &head, &row, path, set, run, e);
    return rc;
}
