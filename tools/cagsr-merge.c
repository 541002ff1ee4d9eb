/*
 * cagsr-merge: shards become one stream again, groups in their order.
 *
 * The order is that of `split`, which cagsr-split gave each record and which is taken off
 * here.  Where there is none, as in what cagsr-sample --shard I/K makes, shards take turns,
 * a group each, as the prompts were dealt.
 */
#include "cagsr-split/field.h"
#include "cli/cli.h"
#include "rec/stream.h"

#include <stddef.h>
#include <stdlib.h>

enum { SHARDS_MAX = 500 };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
};

static const struct cli_option options[] = {
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-merge",
    .synopsis = "[-o file] file ...",
    .summary = "put shards of a stream together, in order",
    .common = CLI_OUTPUT | CLI_FORCE,
    .options = options,
    .max_files = SHARDS_MAX,
};

struct shard {
    struct rec_reader *in;
    struct rec_group group;
    size_t at;       /* the next record is group.rec[at] */
    int more;        /* 1: there is one */
    uint64_t place;  /* of its group among all shards' */
    uint64_t groups; /* so far */
};

struct run {
    const struct opts *o;
    struct shard *shard; /* (n) */
    size_t n;
    struct cli_output file;
    struct rec_writer *out;
};

/* Goes to the next record of shard i and finds its place.  An error without a place of its
 * own stands behind the group it follows. */
static int advance(struct run *x, size_t i, struct err *e)
{
    struct shard *s = &x->shard[i];

    if (++s->at >= s->group.n) {
        const int rc = rec_group_next(&s->group, s->in, e);

        s->at = 0;
        s->more = rc > 0;
        if (rc <= 0)
            return rc;
        if (s->groups == 0 || !rec_is(&s->group.rec[0], "error"))
            s->groups++;
        s->place = (s->groups - 1) * x->n + i;
    }
    return rec_opt_uint(&s->group.rec[s->at], SPLIT_FIELD, &s->place, e);
}

static int start(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    const struct rec_pg pg = {.name = tool.name,
                              .version = CAGSR_VERSION,
                              .command_line = o->common.command_line};
    int rc = cli_output_open(&x->file, &o->common, e);

    if (rc < 0)
        return rc;
    x->n = o->common.nfiles ? o->common.nfiles : 1;
    if (!(x->shard = calloc(x->n, sizeof *x->shard)))
        return err_set(e, ERR_NOMEM, "no memory for %zu shards", x->n);
    for (size_t i = 0; i < x->n && rc >= 0; i++)
        rc = rec_reader_new(&x->shard[i].in,
                            o->common.nfiles ? &o->common.files[i] : NULL,
                            o->common.nfiles ? 1 : 0, &o->limits, e);
    if (rc >= 0)
        rc = rec_writer_new(&x->out, x->file.fd, x->shard[0].in, &pg, &o->limits, e);
    return rc;
}

/* The shard whose next record comes first; n: all are at their end. */
static size_t first(const struct run *x)
{
    size_t best = x->n;

    for (size_t i = 0; i < x->n; i++)
        if (x->shard[i].more &&
            (best == x->n || x->shard[i].place < x->shard[best].place))
            best = i;
    return best;
}

static int merge(struct run *x, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < x->n && rc >= 0; i++)
        rc = advance(x, i, e);
    for (size_t i; rc >= 0 && (i = first(x)) < x->n;) {
        struct rec *r = &x->shard[i].group.rec[x->shard[i].at];

        rec_remove(r, SPLIT_FIELD);
        rc = rec_writer_put(x->out, r, e);
        if (rc >= 0)
            rc = advance(x, i, e);
    }
    return rc;
}

static void release(struct run *x)
{
    for (size_t i = 0; x->shard && i < x->n; i++) {
        rec_group_release(&x->shard[i].group);
        rec_reader_free(x->shard[i].in);
    }
    free(x->shard);
    rec_writer_free(x->out);
}

int main(int argc, char **argv)
{
    struct opts o = {0};
    struct run x = {.o = &o, .file = {.fd = -1}};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    int rc = start(&x, &e);
    if (rc >= 0)
        rc = merge(&x, &e);
    rc = rec_writer_end(x.out, rc, &e);
    rc = cli_output_close(&x.file, rc, &e);
    for (size_t i = 0; x.shard && i < x.n; i++)
        if (x.shard[i].in && rec_reader_forgiven(x.shard[i].in))
            cli_note(&tool, &o.common, "taken as it is: %s",
                     rec_reader_forgiven(x.shard[i].in));
    release(&x);
    return cli_finish(&tool, &o.common, rc, &e);
}
