#include "cli/cells.h"

#include "base/chars.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

const char *const cells_form_names[] = {"table", "tsv", "json", NULL};

enum { FIRST = 19, OTHER = 9 }; /* least widths in a table */

/* A cell's place in its line. */
struct place {
    size_t i, n;
};

static size_t width_of(const struct cell *c, struct place at)
{
    const size_t least = c->width ? (size_t)c->width : at.i ? OTHER : FIRST;
    const size_t n = at.i ? chars_columns(c->name, strlen(c->name)) : 0;

    return n > least ? n : least;
}

static void pad(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

static void put_chars(FILE *out, const char *s, size_t n)
{
    unsigned columns;
    int32_t code;

    for (size_t i = 0, k; i < n; i += k) {
        k = chars_next(&code, &columns, s + i, n - i);
        if (code == CHARS_UNSAFE)
            fputs(CHARS_DOT, out);
        else
            fwrite(s + i, 1, k, out);
    }
}

/* Text of a table, in its column. */
static void put_text(FILE *out, const struct cell *c, struct place at, const char *text)
{
    const size_t n = strlen(text), takes = chars_columns(text, n),
                 width = width_of(c, at), room = width > takes ? width - takes : 0;
    const int last = at.i + 1 == at.n;
    const int left = at.i == 0 || (last && c->kind == CELL_TEXT);

    if (at.i && !(left && n == 0))
        fputs("  ", out);
    if (!left)
        pad(out, room);
    put_chars(out, text, n);
    if (left && !last)
        pad(out, room);
}

static void number(char out[48], const struct cell *c)
{
    const double a = fabs(c->x);
    const char *mark = c->marked ? "*" : "";

    if (isnan(c->x))
        snprintf(out, 48, "-");
    else if (c->kind == CELL_COUNT)
        snprintf(out, 48, "%.0f%s", c->x, mark);
    else if (c->kind == CELL_SIGNED)
        snprintf(out, 48, "%+.2f%s", c->x, mark);
    else if (c->kind == CELL_SHARE)
        snprintf(out, 48, "%.4f%s", c->x, mark);
    else
        snprintf(out, 48, "%.*f%s",
                 a >= 1000  ? 0
                 : a >= 100 ? 1
                 : a >= 10  ? 2
                            : 4,
                 c->x, mark);
}

static void table_cell(FILE *out, const struct cell *c, struct place at)
{
    char text[48];

    number(text, c);
    put_text(out, c, at, c->kind == CELL_TEXT ? c->text : text);
}

static void tsv_cell(FILE *out, const struct cell *c, struct place at)
{
    if (at.i)
        putc('\t', out);
    if (c->kind == CELL_TEXT)
        for (const char *s = c->text; *s; s++)
            putc((unsigned char)*s < 0x20 ? ' ' : *s, out);
    else if (!isnan(c->x))
        fprintf(out, "%.10g", c->x);
}

static void json_string(FILE *out, const char *s)
{
    putc('"', out);
    for (; *s; s++)
        if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else
            fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    putc('"', out);
}

static void json_cell(FILE *out, const struct cell *c, struct place at)
{
    putc(at.i ? ',' : '{', out);
    json_string(out, c->name);
    putc(':', out);
    if (c->kind == CELL_TEXT)
        json_string(out, c->text);
    else if (isfinite(c->x))
        fprintf(out, "%.10g", c->x);
    else
        fputs("null", out);
}

static void put_names(FILE *out, enum cells_form form, const struct cell *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (form == CELLS_TSV)
            fprintf(out, "%s%s", i ? "\t" : "", c[i].name);
        else
            put_text(out, &c[i], (struct place){i, n}, c[i].name);
    putc('\n', out);
}

void cells_line(FILE *out, enum cells_form form, const struct cell *c, size_t n,
                int names)
{
    static void (*const put[])(FILE *, const struct cell *, struct place) = {
        [CELLS_TABLE] = table_cell, [CELLS_TSV] = tsv_cell, [CELLS_JSON] = json_cell};

    if (names && form != CELLS_JSON)
        put_names(out, form, c, n);
    for (size_t i = 0; i < n; i++)
        put[form](out, &c[i], (struct place){i, n});
    fputs(form == CELLS_JSON ? "}\n" : "\n", out);
}

int cells_open(FILE **out, int fd, struct err *e)
{
    const int copy = dup(fd);

    *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (*out)
        return 0;
    const int why = errno;
    if (copy >= 0)
        close(copy);
    return err_set(e, ERR_IO, "output: %s", strerror(why));
}

int cells_close(FILE *out, int rc, struct err *e)
{
    if (!out)
        return rc;
    const int failed = ferror(out);
    const int why = errno;

    if ((fclose(out) != 0 || failed) && rc >= 0)
        return err_set(e, ERR_IO, "output: %s", strerror(failed ? why : errno));
    return rc;
}
