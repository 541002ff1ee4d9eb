/*
 * cagsr-split: a stream dealt out to shards, for several machines or processes; cagsr-merge
 * puts them together again, in order.
 *
 * Groups stay whole: group k goes to shard k mod N.  Each record gets a field `split`, the
 * number of its group, by which the order comes back even if filters drop groups.
 */
#include "cagsr-split/field.h"
#include "cli/cli.h"
#include "rec/stream.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS_MAX = 500 };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    size_t shards;
};

static const struct cli_option options[] = {
    {"shards", 'n', CLI_SIZE, offsetof(struct opts, shards), "N", "how many (2)",
     .lo = 1, .hi = SHARDS_MAX},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-split",
    .synopsis = "[-n N] -o prefix [file ...]",
    .summary = "deal the groups of a stream out to shards",
    .common = CLI_OUTPUT | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

struct shard {
    char name[4096]; /* "prefix.1" */
    struct cli_output file;
    struct rec_writer *out;
};

struct run {
    const struct opts *o;
    struct rec_reader *in;
    struct rec_group group;
    struct shard *shard; /* (o->shards) */
};

static int open_shard(const struct run *x, size_t i, struct err *e)
{
    const struct rec_pg pg = {.name = tool.name,
                              .version = CAGSR_VERSION,
                              .command_line = x->o->common.command_line};
    struct cli_common c = x->o->common;
    struct shard *s = &x->shard[i];
    int rc;

    if ((size_t)snprintf(s->name, sizeof s->name, "%s.%zu", c.output, i + 1) >=
        sizeof s->name)
        return err_set(e, ERR_USAGE, "-o: the name is too long");
    c.output = s->name;
    if ((rc = cli_output_open(&s->file, &c, e)) < 0)
        return rc;
    return rec_writer_new(&s->out, s->file.fd, x->in, &pg, &x->o->limits, e);
}

static int start(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    int rc;

    if (!o->common.output || strcmp(o->common.output, "-") == 0)
        return err_set(e, ERR_USAGE, "-o PREFIX is missing: shards are files");
    if (!(x->shard = calloc(o->shards, sizeof *x->shard)))
        return err_set(e, ERR_NOMEM, "no memory for %zu shards", o->shards);
    for (size_t i = 0; i < o->shards; i++)
        x->shard[i].file.fd = -1;
    rc = rec_reader_new(&x->in, o->common.files, o->common.nfiles, &o->limits, e);
    for (size_t i = 0; i < o->shards && rc >= 0; i++)
        rc = open_shard(x, i, e);
    return rc;
}

static int deal(struct run *x, struct err *e)
{
    uint64_t groups = 0;
    int rc;

    while ((rc = rec_group_next(&x->group, x->in, e)) > 0) {
        struct rec_group *g = &x->group;

        /* An error stands behind the group it belongs to. */
        if (groups == 0 || !g->other || !rec_is(&g->rec[0], "error"))
            groups++;
        for (size_t i = 0; i < g->n && rc >= 0; i++) {
            rec_set_uint(&g->rec[i], SPLIT_FIELD, groups - 1);
            rc = rec_writer_put(x->shard[(groups - 1) % x->o->shards].out, &g->rec[i],
                                e);
        }
        if (rc < 0)
            break;
    }
    return rc;
}

/* All shards end alike: a stream that was cut makes shards that say so. */
static int finish(struct run *x, int rc, struct err *e)
{
    for (size_t i = 0; x->shard && i < x->o->shards; i++)
        rc = rec_writer_end(x->shard[i].out, rc, e);
    for (size_t i = 0; x->shard && i < x->o->shards; i++)
        rc = cli_output_close(&x->shard[i].file, rc, e);
    return rc;
}

static void release(struct run *x)
{
    for (size_t i = 0; x->shard && i < x->o->shards; i++)
        rec_writer_free(x->shard[i].out);
    free(x->shard);
    rec_group_release(&x->group);
    rec_reader_free(x->in);
}

int main(int argc, char **argv)
{
    struct opts o = {.shards = 2};
    struct run x = {.o = &o};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    int rc = start(&x, &e);
    if (rc >= 0)
        rc = deal(&x, &e);
    rc = finish(&x, rc, &e);
    if (x.in && rec_reader_forgiven(x.in))
        cli_note(&tool, &o.common, "taken as it is: %s", rec_reader_forgiven(x.in));
    release(&x);
    return cli_finish(&tool, &o.common, rc, &e);
}
