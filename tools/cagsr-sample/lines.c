#include "lines.h"

#include "rec/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct lines {
    const char *const *files;
    size_t nfiles, next;
    size_t max;
    FILE *f; /* NULL: none open */
    const char *name;
    char *buf;
    size_t cap, number;
};

static const char *const standard_input[] = {"-"};

int lines_new(struct lines **out, const char *const *files, size_t nfiles, size_t max,
              struct err *e)
{
    struct lines *l = calloc(1, sizeof *l);

    *out = l;
    if (!l)
        return err_set(e, ERR_NOMEM, "no memory to read with");
    l->files = nfiles ? files : standard_input;
    l->nfiles = nfiles ? nfiles : 1;
    l->max = max ? max : REC_MAX_DEFAULT;
    return 0;
}

static void close_file(struct lines *l)
{
    if (l->f && l->f != stdin)
        fclose(l->f);
    l->f = NULL;
}

void lines_free(struct lines *l)
{
    if (!l)
        return;
    close_file(l);
    free(l->buf);
    free(l);
}

int lines_fault(const struct lines *l, struct err *e)
{
    return err_prefix(e, "%s: line %zu", l->name, l->number);
}

static int open_next(struct lines *l, struct err *e)
{
    const char *file = l->files[l->next++];
    const int in = strcmp(file, "-") == 0;

    l->name = in ? "standard input" : file;
    l->number = 0;
    l->f = in ? stdin : fopen(file, "re");
    return l->f ? 0 : err_set(e, ERR_FILE, "%s: %s", file, strerror(errno));
}

/* A line into buf, up to max bytes: its length, 0 at the end of the file (an empty line
 * is its newline), or an error. */
static ssize_t read_line(struct lines *l, struct err *e)
{
    size_t n = 0;

    for (int c; (c = getc_unlocked(l->f)) != EOF;) {
        if (n == l->max)
            return err_set(e, ERR_RECORD, "over %zu bytes", l->max), lines_fault(l, e);
        if (n == l->cap) {
            const size_t cap = l->cap ? 2 * l->cap : 4096;
            char *p = realloc(l->buf, cap);

            if (!p)
                return err_set(e, ERR_NOMEM, "no memory for a line of %zu bytes", cap);
            l->buf = p;
            l->cap = cap;
        }
        l->buf[n++] = (char)c;
        if (c == '\n')
            break;
    }
    if (ferror(l->f))
        return err_set(e, ERR_IO, "%s: %s", l->name, strerror(errno));
    return (ssize_t)n;
}

int lines_next(struct lines *l, const char **text, size_t *n, struct err *e)
{
    for (;;) {
        if (!l->f && l->next == l->nfiles)
            return 0;
        const int rc = l->f ? 0 : open_next(l, e);
        if (rc < 0)
            return rc;
        l->number++;
        const ssize_t k = read_line(l, e);

        if (k < 0)
            return (int)k;
        if (k == 0) {
            close_file(l);
            continue;
        }
        *n = (size_t)k;
        while (*n > 0 && (l->buf[*n - 1] == '\n' || l->buf[*n - 1] == '\r'))
            --*n;
        *text = l->buf;
        if (*n > 0)
            return 1;
    }
}
