/*
 * cagsr-cat: streams and JSON lines in; JSON lines, a table, or a stream out; or nothing
 * but the answer whether all is well (--check); or metrics as an event file.
 */
#include "base/file.h"
#include "cagsr-cat/board.h"
#include "cagsr-cat/schema.h"
#include "cagsr-cat/select.h"
#include "cagsr-cat/tsv.h"
#include "cagsr-cat/where.h"
#include "cli/cli.h"
#include "rec/buf.h"
#include "rec/sample.h"
#include "rec/stream.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK = 64 << 10 };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    int json, stream, tsv, plain, ends, count, schema;
    const char *check, *fields, *kind, *tensorboard;
    struct cli_list where;
    size_t head, tail;
};

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"json", 0, CLI_FLAG, AT(json), NULL, "write JSON lines (the default)"},
    {"stream", 's', CLI_FLAG, AT(stream), NULL, "write a stream of records"},
    {"tsv", 't', CLI_FLAG, AT(tsv), NULL, "write a table, names in its first line"},
    {"plain", 'p', CLI_FLAG, AT(plain), NULL,
     "JSON without types: easier to read, not for the way back"},
    {"header", 'H', CLI_FLAG, AT(ends), NULL,
     "JSON with header and end, so that a cut is seen after a text filter"},
    {"fields", 'F', CLI_STRING, AT(fields), "A,B.C",
     "only these fields, in this order"},
    {"kind", 'k', CLI_STRING, AT(kind), "KIND", "only records of this kind"},
    {"where", 'w', CLI_LIST, AT(where), "TEST",
     "only records with FIELD, !FIELD, or FIELD OP VALUE; may be given again: all "
     "hold"},
    {"head", 'n', CLI_SIZE, AT(head), "N", "stop after N records"},
    {"tail", 0, CLI_SIZE, AT(tail), "N", "only the last N records", .lo = 0,
     .hi = 1 << 20},
    {"count", 0, CLI_FLAG, AT(count), NULL, "write only how many records there are"},
    {"schema", 0, CLI_FLAG, AT(schema), NULL,
     "write which fields there are, of which types and lengths"},
    {"check", 'c', CLI_OPTARG, AT(check), "schema",
     "write nothing, find the first fault; =schema: in samples' fields too"},
    {"tensorboard", 0, CLI_STRING, AT(tensorboard), "DIR",
     "write nothing, but the numbers of metrics into an event file in DIR"},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-cat",
    .synopsis =
        "[-s | -t | [-p] [-H]] [-F fields] [-k kind] [-w test] [-n N | --tail N] "
        "[--count | --schema | --check[=schema] | --tensorboard dir] [-o file] "
        "[file ...]",
    .summary = "show, convert, cut and check streams of records",
    .common = CLI_OUTPUT | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

/* What one run holds on to. */
struct cat {
    const struct opts *o;
    struct rec_reader *in;
    struct rec_writer *out; /* JSON and streams */
    struct cli_output file;
    struct rec_buf table; /* TSV not written yet */
    int each, named;      /* flush line by line; names are written */
    struct select fields;
    struct where where;
    struct rec part;  /* the selected fields */
    struct rec *last; /* --tail: a ring of copies */
    size_t records;   /* that are wanted, so far */
    struct schema schema;
    struct sample sample; /* --check=schema */
    struct board board;
};

/* ---- the forms of output -------------------------------------------------------------- */
static int flush_table(struct cat *c, struct err *e)
{
    const int rc =
        c->table.oom ? err_set(e, ERR_NOMEM, "no memory for a line")
                     : file_write_all(c->file.fd, c->table.p, c->table.n, "output", e);

    rec_buf_clear(&c->table);
    return rc;
}

static int put_row(struct cat *c, const struct rec *r, struct err *e)
{
    int rc = 0;

    if (!c->named && c->fields.n == 0)
        rc = select_scalars(&c->fields, r, e);
    if (rc < 0)
        return rc;
    if (!c->named)
        tsv_names(&c->table, &c->fields);
    c->named = 1;
    tsv_line(&c->table, &c->fields, r);
    return c->each || c->table.n >= BLOCK || c->table.oom ? flush_table(c, e) : 0;
}

/* Everything a sample may have, held against everything else. */
static int check_schema(struct cat *c, const struct rec *r, struct err *e)
{
    const unsigned need = SAMPLE_ID | SAMPLE_CAND | SAMPLE_PROMPT_IDS | SAMPLE_IDS;

    return rec_is(r, "sample") ? sample_read(&c->sample, r, need, ~0u, e) : 0;
}

static int put(struct cat *c, const struct rec *r, struct err *e)
{
    if (c->o->check)
        return *c->o->check ? check_schema(c, r, e) : 0;
    if (c->o->tensorboard)
        return board_put(&c->board, c->o->tensorboard, r, e);
    if (c->o->schema)
        return schema_add(&c->schema, r, e);
    if (c->o->count)
        return 0;
    if (c->o->tsv)
        return put_row(c, r, e);
    if (c->fields.n) {
        select_apply(&c->fields, &c->part, r);
        r = &c->part;
    }
    return rec_writer_put(c->out, r, e);
}

/* ---- the run --------------------------------------------------------------------------- */
static int check_opts(const struct opts *o, struct err *e)
{
    if (o->stream + o->tsv + (o->json || o->plain || o->ends) > 1)
        return err_set(e, ERR_USAGE, "one of JSON, --stream and --tsv, not two");
    if ((o->check != NULL) + o->count + o->schema + (o->tensorboard != NULL) > 1)
        return err_set(e, ERR_USAGE,
                       "one of --check, --count, --schema and --tensorboard, not two");
    if (o->tensorboard &&
        (!*o->tensorboard || o->fields || o->stream || o->tsv || o->common.output))
        return err_set(e, ERR_USAGE,
                       "--tensorboard writes event files into a "
                       "directory: no other form, file or fields");
    if ((o->count || o->schema) &&
        (o->stream || o->tsv || o->json || o->plain || o->ends))
        return err_set(e, ERR_USAGE, "--%s writes a text of its own",
                       o->count ? "count" : "schema");
    if (o->head != SIZE_MAX && cli_given(&o->common, "tail"))
        return err_set(e, ERR_USAGE, "--head and --tail, not both");
    if (o->plain && o->ends)
        return err_set(e, ERR_USAGE, "--header is for the way back, --plain is not");
    if (o->check && *o->check && strcmp(o->check, "schema") != 0)
        return err_set(e, ERR_USAGE, "--check=%s: 'schema' is what else can be checked",
                       o->check);
    return 0;
}

static int start(struct cat *c, struct err *e)
{
    const struct opts *o = c->o;
    const struct rec_pg pg = {.name = tool.name,
                              .version = CAGSR_VERSION,
                              .command_line = o->common.command_line};
    struct stat st;
    int rc = check_opts(o, e);

    for (size_t i = 0; i < o->where.n && rc >= 0; i++)
        rc = where_add(&c->where, o->where.item[i], e);
    if (rc >= 0 && cli_given(&o->common, "tail") &&
        !(c->last = calloc(o->tail + 1, sizeof *c->last)))
        rc = err_set(e, ERR_NOMEM, "no memory for --tail");
    if (rc >= 0 && o->fields)
        rc = select_parse(&c->fields, o->fields, e);
    if (rc >= 0)
        rc = rec_reader_new(&c->in, o->common.files, o->common.nfiles, &o->limits, e);
    if (rc < 0 || o->check || o->tensorboard)
        return rc;
    rc = cli_output_open(&c->file, &o->common, e);
    if (rc < 0 || o->tsv || o->count || o->schema) {
        c->each = rc >= 0 && !(fstat(c->file.fd, &st) == 0 && S_ISREG(st.st_mode));
        return rc;
    }
    rc = rec_writer_new(&c->out, c->file.fd, c->in, &pg, &o->limits, e);
    if (rc >= 0 && !o->stream)
        rec_writer_json(c->out, o->plain ? REC_JSON_PLAIN : REC_JSON_EXACT,
                        o->ends ? REC_LINES_ALL : REC_LINES_RECORDS);
    return rc;
}

static int wanted(const struct cat *c, const struct rec *r)
{
    return (!c->o->kind || rec_is(r, c->o->kind)) && where_holds(&c->where, r);
}

/* A record that is wanted: written, or kept in the ring until it is known to be one of the
 * last. */
static int take(struct cat *c, const struct rec *r, struct err *e)
{
    const size_t n = c->records++;

    if (!c->last)
        return put(c, r, e);
    return c->o->tail ? rec_copy(&c->last[n % c->o->tail], r, e) : 0;
}

static int put_last(struct cat *c, struct err *e)
{
    const size_t kept = c->records < c->o->tail ? c->records : c->o->tail;
    int rc = 0;

    for (size_t i = c->records - kept; i < c->records && rc >= 0; i++)
        rc = put(c, &c->last[i % c->o->tail], e);
    return rc;
}

static int copy(struct cat *c, struct err *e)
{
    struct rec *r;
    int rc = 0;

    while (c->records < c->o->head && (rc = rec_reader_next(c->in, &r, e)) > 0)
        if (wanted(c, r) && (rc = take(c, r, e)) < 0)
            break;
    if (rc >= 0 && c->last)
        rc = put_last(c, e);
    return rc < 0 ? rc : 0;
}

static int finish(struct cat *c, int rc, struct err *e)
{
    struct err late = {0};

    /* A count of a part would be taken for the whole. */
    if (c->o->count && rc >= 0)
        rec_buf_printf(&c->table, "%zu\n",
                       c->last && c->o->tail < c->records ? c->o->tail : c->records);
    if (c->o->schema && rc >= 0)
        schema_print(&c->schema, &c->table);
    const int wrote = c->file.fd >= 0 && !c->out ? flush_table(c, &late) : 0;

    rc = rec_writer_end(c->out, rc, e);
    rc = board_close(&c->board, rc, e);
    if (rc >= 0 && wrote < 0) {
        *e = late;
        rc = wrote;
    }
    rc = cli_output_close(&c->file, rc, e);
    if (c->in && rec_reader_forgiven(c->in))
        cli_note(&tool, &c->o->common, "taken as it is: %s",
                 rec_reader_forgiven(c->in));
    if (rc >= 0 && c->o->check && c->o->common.verbose)
        cli_note(&tool, &c->o->common, "%zu records, %llu bytes, no fault",
                 rec_reader_count(c->in), (unsigned long long)rec_reader_bytes(c->in));
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = {.head = SIZE_MAX};
    struct cat c = {.o = &o, .file = {.fd = -1}};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    o.common.force |= !o.stream; /* text may go to a terminal */
    int rc = start(&c, &e);
    if (rc >= 0)
        rc = copy(&c, &e);
    rc = finish(&c, rc, &e);
    rec_writer_free(c.out);
    rec_reader_free(c.in);
    rec_buf_release(&c.table);
    rec_release(&c.part);
    sample_release(&c.sample);
    select_release(&c.fields);
    where_release(&c.where);
    schema_release(&c.schema);
    for (size_t i = 0; c.last && i < o.tail; i++)
        rec_release(&c.last[i]);
    free(c.last);
    return cli_finish(&tool, &o.common, rc, &e);
}
