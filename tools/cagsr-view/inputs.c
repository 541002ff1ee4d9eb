#include "inputs.h"

#include "base/file.h"
#include "base/reserve.h"
#include "view/table.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TABLE_MAX = 256 << 20 };

void inputs_release(struct inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        free(in->input[i].file);
        free(in->input[i].set);
    }
    free(in->input);
    free(in->stream);
    *in = (struct inputs){0};
}

/* What is added belongs to a set: its name of n bytes. */
struct set {
    const char *s;
    size_t n;
};

static int add_file(struct inputs *in, const char *file, struct set set, struct err *e)
{
    int rc;

    if ((rc = reserve(&in->input, &in->cap, in->n + 1, sizeof *in->input, e)) < 0 ||
        (rc = reserve(&in->stream, &in->stream_cap, in->streams + 1, sizeof *in->stream,
                      e)) < 0)
        return rc;
    struct input *x = &in->input[in->n++];
    *x = (struct input){strdup(file), strndup(set.s, set.n)};
    if (!x->file || !x->set)
        return err_set(e, ERR_NOMEM, "no memory for the names of files");
    if (!table_is(file))
        in->stream[in->streams++] = x->file;
    return 0;
}

/* "dir/name/file", if it is there. */
static int add_if(struct inputs *in, const char *dir, const char *name,
                  const char *file, struct set set, struct err *e)
{
    char *inner = file_join(dir, name), *path = inner ? file_join(inner, file) : NULL;
    int rc = path ? 0 : err_set(e, ERR_NOMEM, "no memory for the name of a file");

    if (rc == 0 && file_exists(path))
        rc = add_file(in, path, set, e);
    free(path);
    free(inner);
    return rc;
}

static int is_step(const struct dirent *d)
{
    return strncmp(d->d_name, "step-", 5) == 0 && !strchr(d->d_name, '.');
}

/* A run of cagsr-loop. */
static int add_dir(struct inputs *in, const char *dir, struct set set, struct err *e)
{
    struct dirent **step = NULL;
    const size_t before = in->n;
    const int steps = scandir(dir, &step, is_step, alphasort);
    int rc = steps < 0 ? err_set(e, ERR_FILE, "%s: %s", dir, strerror(errno)) : 0;

    for (int i = 0; i < steps; i++) {
        if (rc >= 0)
            rc = add_if(in, dir, step[i]->d_name, "samples", set, e);
        if (rc >= 0)
            rc = add_if(in, dir, step[i]->d_name, "metrics.jsonl", set, e);
        free(step[i]);
    }
    free(step);
    if (rc >= 0)
        rc = add_if(in, dir, ".", "metrics.jsonl", set, e); /* of one pipe */
    if (rc >= 0)
        rc = add_if(in, dir, ".", "eval.tsv", set, e);
    if (rc >= 0 && in->n == before)
        rc = err_set(e, ERR_FILE, "%s: a directory, and no run of cagsr-loop", dir);
    return rc;
}

static int add(struct inputs *in, const char *file, struct set set, struct err *e)
{
    struct stat st;

    return strcmp(file, "-") != 0 && stat(file, &st) == 0 && S_ISDIR(st.st_mode)
               ? add_dir(in, file, set, e)
               : add_file(in, file, set, e);
}

static int add_run(struct inputs *in, const char *spec, struct err *e)
{
    const char *eq = strchr(spec, '=');

    if (!eq || eq == spec || !eq[1])
        return err_set(e, ERR_USAGE, "--run '%s': expected NAME=FILE", spec);
    return add(in, eq + 1, (struct set){spec, (size_t)(eq - spec)}, e);
}

int inputs_list(struct inputs *in, const struct cli_common *c,
                const struct cli_list *runs, struct err *e)
{
    /* no operand stands as "-": with --run there need be none */
    const int none = runs->n && c->nfiles == 1 && strcmp(c->files[0], "-") == 0;
    int rc = 0;

    for (size_t i = 0; i < c->nfiles && !none && rc >= 0; i++)
        rc = add(in, c->files[i], (struct set){"", 0}, e);
    for (size_t i = 0; i < runs->n && rc >= 0; i++)
        rc = add_run(in, runs->item[i], e);
    return rc;
}

size_t inputs_of(const struct inputs *in, const struct rec *r)
{
    const char *source = r->source ? r->source : "-";
    size_t i = 0;

    while (i + 1 < in->n && strcmp(in->input[i].file, source) != 0)
        i++;
    return i;
}

int inputs_tables(const struct inputs *in, struct curves *c, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < in->n && rc >= 0; i++) {
        char *text = NULL;
        size_t n = 0;

        if (!table_is(in->input[i].file))
            continue;
        rc = file_read(&text, &n, in->input[i].file, TABLE_MAX, e);
        if (rc >= 0)
            rc = table_add(c, text, n, in->input[i].file, in->input[i].set, i, e);
        free(text);
    }
    return rc;
}
