#include "inputs.h"

#include "base/file.h"
#include "view/table.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_MAX = 256 << 20 };

void inputs_release(struct inputs *in)
{
    for (size_t i = 0; i < in->n; i++)
        free(in->input[i].set);
    free(in->input);
    free(in->stream);
    *in = (struct inputs){0};
}

static int add(struct inputs *in, const char *file, const char *set, size_t n,
               struct err *e)
{
    struct input *x = &in->input[in->n];

    if (!(x->set = strndup(set, n)))
        return err_set(e, ERR_NOMEM, "no memory for the names of runs");
    x->file = file;
    in->n++;
    if (!table_is(file))
        in->stream[in->streams++] = file;
    return 0;
}

static int add_run(struct inputs *in, const char *spec, struct err *e)
{
    const char *eq = strchr(spec, '=');

    if (!eq || eq == spec || !eq[1])
        return err_set(e, ERR_USAGE, "--run '%s': expected NAME=FILE", spec);
    return add(in, eq + 1, spec, (size_t)(eq - spec), e);
}

int inputs_list(struct inputs *in, const struct cli_common *c,
                const struct cli_list *runs, struct err *e)
{
    /* no operand stands as "-": with --run there need be none */
    const int none = runs->n && c->nfiles == 1 && strcmp(c->files[0], "-") == 0;
    const size_t n = c->nfiles + runs->n;
    int rc = 0;

    in->input = calloc(n, sizeof *in->input);
    in->stream = calloc(n, sizeof *in->stream);
    if (!in->input || !in->stream)
        return err_set(e, ERR_NOMEM, "no memory for the names of files");
    for (size_t i = 0; i < c->nfiles && !none && rc >= 0; i++)
        rc = add(in, c->files[i], "", 0, e);
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
