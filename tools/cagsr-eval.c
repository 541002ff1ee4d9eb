/*
 * cagsr-eval: how good answers are, by measures that no reward saw.
 *
 * Samples are read to the end, for a text is judged beside the others: idf and the control
 * by another prompt need all prompts, an interval needs all.  In memory are texts, each
 * once, and the numbers; records only pass through.  Where the parts are:
 * cagsr-eval/eval.h.
 */
#include "cagsr-eval/eval.h"

#include "base/hash.h"
#include "base/par.h"
#include "cli/cells.h"

#include <string.h>

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"metrics", 'M', CLI_STRING, AT(metrics), "NAME,...",
     "metrics or families of them (default: those that the records' fields allow)"},
    {"reference", 'r', CLI_STRING, AT(reference), "FIELD",
     "the right answer, or an array of them (default reference)"},
    {"encoder", 'E', CLI_STRING, AT(encoder), "DIR",
     "a sentence encoder (BERT family): relevance and similarity by it"},
    {"followup", 0, CLI_STRING, AT(followup), "FIELD",
     "what is said next, for --model (default followup, else the reference)"},
    {"against", 'a', CLI_LIST, AT(against), "FILE",
     "compare with this stream, prompt by prompt; may be given again"},
    {"each", 'e', CLI_FLAG, AT(each), NULL,
     "pass the records on, each sample with its numbers in a field 'metrics'"},
    CELLS_OPTION(struct opts, format),
    BOOT_OPTIONS(struct opts, resamples, level, 10000),
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-eval",
    .synopsis =
        "[-M metrics] [-r field] [-E encoder] [-m model] [-a file] [-e] [-F form] "
        "[-B N] [-o file] [file ...]",
    .summary =
        "measure samples: relevance, overlap with references, repetition, policy",
    .common = CLI_MODEL | CLI_THREADS | CLI_OUTPUT | CLI_SEEDED | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

struct run {
    const struct opts *o;
    unsigned char chosen[METRICS];
    struct corpus corpus;
    struct reading reading;
    struct rec_spool spool; /* --each: the records, to be passed on */
    struct rec_reader *in, *against, *again;
    struct rec_group group;
    struct cli_output file;
    struct par *par; /* these three only with --encoder or --model */
    struct kern *kern;
    struct frozen *frozen;
    char hash[HASH_HEX]; /* of the model, else of the encoder; else empty */
};

static int check_opts(const struct opts *o, struct err *e)
{
    if (o->each && o->against.n)
        return err_set(e, ERR_USAGE,
                       "--each passes one stream on; --against compares two");
    if (o->each && cli_given(&o->common, "format"))
        return err_set(e, ERR_USAGE, "--each writes records; --format is for reports");
    if (!*o->reference)
        return err_set(e, ERR_USAGE, "--reference: the name is empty");
    return 0;
}

/* ---- models ---------------------------------------------------------------------------- */
static int open_models(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    const int model = cli_given(&o->common, "model");
    int rc;

    if (!model && cli_given(&o->common, "adapter"))
        return err_set(e, ERR_USAGE, "--adapter goes with --model");
    if (!model && !o->encoder)
        return 0;
    if ((rc = par_new(&x->par, o->common.threads, e)) < 0 ||
        (rc = kern_new(&x->kern, x->par, NULL, e)) < 0 || !model)
        return rc;
    if ((rc = frozen_open(&x->frozen, o, x->kern, e)) >= 0)
        memcpy(x->hash, frozen_hash(x->frozen), HASH_HEX);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------- */
static int read_side(struct run *x, struct rec_reader *in, unsigned char side,
                     struct err *e)
{
    int rc;

    x->reading.side = side;
    while ((rc = rec_group_next(&x->group, in, e)) > 0) {
        const size_t from = x->corpus.rows;

        rc = corpus_add(&x->reading, &x->group, e);
        if (rc >= 0 && x->frozen && x->corpus.rows > from)
            rc = frozen_measure(x->frozen, &x->corpus, &x->corpus.row[from],
                                x->group.rec, x->group.n, e);
        for (size_t i = 0; i < x->group.n && rc >= 0 && x->o->each; i++)
            rc = rec_spool_put(&x->spool, &x->group.rec[i], e);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_all(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    int rc = reading_begin(&x->reading, o->reference, &x->corpus, e);

    if (rc < 0 || (rc = rec_reader_new(&x->in, o->common.files, o->common.nfiles,
                                       &o->limits, e)) < 0)
        return rc;
    if (o->against.n && (rc = rec_reader_new(&x->against, o->against.item, o->against.n,
                                             &o->limits, e)) < 0)
        return rc;
    if (o->each && (rc = rec_spool_open(&x->spool, x->in, &o->limits, e)) < 0)
        return rc;
    if ((rc = read_side(x, x->in, 0, e)) >= 0 && x->against)
        rc = read_side(x, x->against, 1, e);
    return rc;
}

/* ---- what all texts together say ------------------------------------------------------- */
static int relate(struct run *x, struct err *e)
{
    int rc = relate_partners(&x->corpus, x->o->common.seed, e);

    if (rc < 0 || (rc = relate_tfidf(&x->corpus, e)) < 0)
        return rc;
    if (x->o->encoder) {
        char hash[HASH_HEX] = "";

        if ((rc = relate_encoder(&x->corpus, x->o->encoder, x->kern, hash, e)) < 0)
            return rc;
        if (!x->hash[0])
            memcpy(x->hash, hash, HASH_HEX);
    }
    if (x->against)
        relate_judge(&x->corpus);
    return 0;
}

/* Of each metric or family that was asked for by name something must be there. */
static int check_named(const struct run *x, const char *name, size_t n, struct err *e)
{
    size_t missing = METRICS;

    for (size_t m = METRICS; m-- > 0;)
        if (metric_named((enum metric)m, name, n)) {
            if (corpus_has(&x->corpus, 0, (enum metric)m) &&
                (!x->against || corpus_has(&x->corpus, 1, (enum metric)m)))
                return 0;
            missing = m;
        }
    return err_set(e, ERR_RECORD, "no sample has what '%.*s' needs: %s", (int)n, name,
                   metric_table[missing].needs);
}

static int check_chosen(const struct run *x, struct err *e)
{
    int rc = 0;

    if (x->corpus.rows == 0)
        return err_set(e, ERR_RECORD, "no samples to measure");
    for (const char *list = x->o->metrics; list && *list && rc >= 0;) {
        const size_t n = strcspn(list, ",");

        rc = check_named(x, list, n, e);
        list += n + (list[n] == ',');
    }
    return rc;
}

static int check_sides(const struct run *x, struct err *e)
{
    for (size_t i = 0; i < x->corpus.prompts; i++)
        if (x->corpus.prompt[i].rows[0] && x->corpus.prompt[i].rows[1])
            return 0;
    return err_set(e, ERR_RECORD, "the two streams have no prompt in common (by 'id')");
}

/* ---- passing on ------------------------------------------------------------------------ */
static int write_each(struct run *x, struct rec_writer *w, struct err *e)
{
    struct rec *r;
    size_t i = 0;
    int rc;

    while ((rc = rec_reader_next(x->again, &r, e)) > 0) {
        if (rec_is(r, "sample"))
            report_each(r, &x->corpus.row[i++], x->chosen);
        if ((rc = rec_writer_put(w, r, e)) < 0)
            break;
    }
    return rc;
}

/* rc: what reading came to; the next tool hears of a failure. */
static int pass_on(struct run *x, int rc, struct err *e)
{
    const struct rec_pg pg = {.name = tool.name,
                              .version = CAGSR_VERSION,
                              .command_line = x->o->common.command_line,
                              .model = x->hash[0] ? x->hash : NULL,
                              .dtype = x->hash[0] ? "f32" : NULL,
                              .kernel = x->kern ? kern_name(x->kern) : NULL};
    struct rec_writer *w = NULL;
    struct err late = {0};

    if (rc >= 0)
        rc = rec_spool_read(&x->again, &x->spool, &x->o->limits, e);
    const int made = rec_writer_new(&w, x->file.fd, rc < 0 ? x->in : x->again, &pg,
                                    &x->o->limits, &late);
    if (rc >= 0 && made < 0) {
        *e = late;
        rc = made;
    }
    if (rc >= 0)
        rc = write_each(x, w, e);
    rc = rec_writer_end(w, rc, e);
    rec_writer_free(w);
    return rc;
}

/* ---- the run --------------------------------------------------------------------------- */
static size_t apart(const struct corpus *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->rows; i++)
        n += c->row[i].apart;
    return n;
}

static void notes(const struct run *x)
{
    const struct cli_common *c = &x->o->common;

    if (x->in && rec_reader_forgiven(x->in))
        cli_note(&tool, c, "taken as it is: %s", rec_reader_forgiven(x->in));
    if (x->against && rec_reader_forgiven(x->against))
        cli_note(&tool, c, "taken as it is: %s", rec_reader_forgiven(x->against));
    if (x->frozen && frozen_strange(x->frozen))
        cli_note(&tool, c,
                 "%s spells %zu prompts other than they are: it has another "
                 "tokenizer than what drew the samples",
                 c->model, frozen_strange(x->frozen));
    if (x->o->each)
        return;
    if (x->corpus.came_again)
        cli_note(&tool, c,
                 "a prompt's id comes again: all its candidates are taken "
                 "together (two systems are compared by --against)");
    if (apart(&x->corpus))
        cli_note(&tool, c, "corrupted samples, in no mean: %zu", apart(&x->corpus));
    if (!x->o->metrics && x->corpus.rows && !x->corpus.refs)
        cli_note(&tool, c, "no sample has a field '%s': no comparison with references",
                 x->o->reference);
}

static int run(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    int rc;

    if ((rc = check_opts(o, e)) < 0 ||
        (rc = metrics_choose(x->chosen, o->metrics, e)) < 0 ||
        (rc = cli_output_open(&x->file, &o->common, e)) < 0 ||
        (rc = open_models(x, e)) < 0)
        return rc;
    if ((rc = read_all(x, e)) >= 0)
        rc = relate(x, e);
    if (o->each)
        return pass_on(x, rc, e);
    if (rc < 0 || (rc = check_chosen(x, e)) < 0)
        return rc;
    if (!x->against)
        return report_means(x->file.fd, o, &x->corpus, x->chosen, e);
    rc = check_sides(x, e);
    return rc < 0 ? rc : report_differences(x->file.fd, o, &x->corpus, x->chosen, e);
}

int main(int argc, char **argv)
{
    struct opts o = {.reference = "reference",
                     .followup = "followup",
                     .resamples = 10000,
                     .level = 0.95};
    struct run x = {.o = &o, .spool = {.fd = -1}, .file = {.fd = -1}};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    o.common.force |= !o.each; /* text may go to a terminal */
    int rc = run(&x, &e);
    rc = cli_output_close(&x.file, rc, &e);
    if (rc >= 0)
        notes(&x);
    rec_reader_free(x.again);
    rec_reader_free(x.against);
    rec_reader_free(x.in);
    rec_spool_close(&x.spool);
    rec_group_release(&x.group);
    reading_end(&x.reading);
    corpus_release(&x.corpus);
    frozen_close(x.frozen);
    kern_free(x.kern);
    par_free(x.par);
    return cli_finish(&tool, &o.common, rc, &e);
}
