/*
 * cagsr-reward: samples with attention in, the same with rewards out.
 *
 * One group (the candidates of a prompt) is in memory at a time.  Where the parts are:
 * cagsr-reward/run.h.
 */
#include "cagsr-reward/run.h"

#include "base/file.h"
#include "rec/spool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {"f12", "f7", "literal", NULL};
static const char *const exec_formats[] = {"msgpack", "json", NULL};

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"method", 0, CLI_CHOICE, AT(method), "NAME", "f12 (default), f7 or literal",
     .choices = methods},
    {"f7", 0, CLI_FLAG, AT(f7), NULL, "capped coverage, focus, penalties: --method f7"},
    {"literal", 0, CLI_FLAG, AT(literal), NULL,
     "the paper's sums, to the letter: --method literal"},
    {"weights", 'w', CLI_STRING, AT(weights), "NAME=W,...",
     "the sum; with a leading + only what changes in it; W/s is in deviations"},
    {"calibrate", 0, CLI_STRING, AT(calibrate), "FILE",
     "measure deviations and word counts of this stream, write them to FILE"},
    {"scales", 's', CLI_STRING, AT(scales), "FILE", "use what --calibrate wrote"},
    {"salient", 0, CLI_CHOICE, AT(salient), "HOW",
     "which prompt words count: idf (all content words, the default), sentence, top",
     .choices = salient_mode_names},
    {"stop-words", 0, CLI_STRING, AT(stop_words), "FILE",
     "words that are no content, one a line, instead of the English ones"},
    {"rep-n", 0, CLI_SIZE, AT(rep_n), "N", "repetition counts N-grams (default 3)",
     .lo = 1, .hi = 64},
    {"rep-free", 0, CLI_DOUBLE, AT(rep_free), "X",
     "share of repeats that costs nothing (default .15; 0 with f7)", .lo = 0,
     .hi = 0.999},
    {"copy-n", 0, CLI_SIZE, AT(copy_n), "N", "copying counts N-grams (default 4)",
     .lo = 1, .hi = 64},
    {"copy-free", 0, CLI_DOUBLE, AT(copy_free), "X",
     "share of copies that costs nothing (default .5; .2 with f7, literal)", .lo = 0,
     .hi = 0.999},
    {"h-min", 0, CLI_DOUBLE, AT(h_min), "X",
     "floor of the entropy: sharper is no better (default .25)", .lo = 0, .hi = 0.999},
    {"zeta", 0, CLI_DOUBLE, AT(zeta), "X",
     "penalty of entropy below the floor, f7 only (default 0)", .lo = 0, .hi = 1000},
    {"kappa", 0, CLI_DOUBLE, AT(kappa), "X",
     "even shares at which a word is covered, f7 only (default 1)", .lo = 1e-6,
     .hi = 1e6},
    {"t-min", 0, CLI_SIZE, AT(t_min), "N",
     "answers below N tokens are short (default 3; 8 with f7, literal)", .lo = 0,
     .hi = 1e9},
    {"lambda", 0, CLI_STRING, AT(lambda), "HOW",
     "weights of turns: geometric (default), uniform, or W,W,..."},
    {"turn-gamma", 0, CLI_DOUBLE, AT(gamma), "X", "of the geometric ones (default .95)",
     .lo = 0, .hi = 1},
    {"explain", 'e', CLI_OPTARG, AT(explain), "record",
     "every sum in words on standard error; =record: as a field"},
    {"rank", 'r', CLI_FLAG, AT(rank), NULL,
     "best candidate first, with a field 'rank'"},
    {"best", 'b', CLI_SIZE, AT(best), "K", "only the K best of each prompt", .lo = 1,
     .hi = REC_GROUP_MAX},
    {"pairs", 'p', CLI_FLAG, AT(pairs), NULL,
     "one record per prompt instead: its best against its worst candidate"},
    {"margin", 0, CLI_DOUBLE, AT(margin), "X",
     "no pair unless rewards differ by more (default 0)", .lo = 0, .hi = 1e9},
    {"exec", 'x', CLI_STRING, AT(exec), "CMD",
     "send the records through CMD (by sh) before they are scored"},
    {"exec-format", 0, CLI_CHOICE, AT(exec_format), "FORM",
     "what CMD reads: msgpack (default) or json", .choices = exec_formats},
    {"exec-timeout", 0, CLI_DOUBLE, AT(exec_timeout), "SECONDS",
     "how long CMD may be silent when it is its turn (default 60, 0: for ever)",
     .lo = 0, .hi = 1e6},
    {"plugin", 0, CLI_LIST, AT(plugins), "FILE.so[,OPTIONS]",
     "components from a shared object; may be given again"},
    {"labels", 'l', CLI_STRING, AT(labels), "FILE.tsv",
     "human scores: columns id, cand, score"},
    {"label-weight", 0, CLI_DOUBLE, AT(label_weight), "X",
     "share of the human score where there is one (default .5)", .lo = 0, .hi = 1},
    {"allow-errors", 0, CLI_FLAG, AT(allow_errors), NULL,
     "end with 0 even if records had to become errors"},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-reward",
    .synopsis = "[--f7 | --literal] [-w weights] [-s scales | --calibrate file] "
                "[-e] [-r] [-b K] [-p] [-x cmd] [-l labels] [-o file] [file ...]",
    .summary = "score samples by how they read their prompt",
    .common = CLI_OUTPUT | CLI_SEEDED | CLI_PROGRESS | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

/* ---- options --------------------------------------------------------------------------- */
static int check_method(struct opts *o, struct err *e)
{
    if (o->f7 + o->literal + cli_given(&o->common, "method") > 1)
        return err_set(e, ERR_USAGE, "one of --method, --f7 and --literal, not two");
    if (o->f7)
        o->method = METHOD_F7;
    if (o->literal)
        o->method = METHOD_LITERAL;
    if (o->method == METHOD_F12)
        return 0;
    if (!cli_given(&o->common, "rep-free"))
        o->rep_free = 0;
    if (!cli_given(&o->common, "copy-free"))
        o->copy_free = 0.2;
    if (!cli_given(&o->common, "t-min"))
        o->t_min = COMBINE_F7_T_MIN;
    return 0;
}

static int check_opts(struct opts *o, struct err *e)
{
    if (o->explain && *o->explain && strcmp(o->explain, "record") != 0)
        return err_set(e, ERR_USAGE, "--explain=%s: nothing or 'record' is wanted",
                       o->explain);
    if (o->pairs && (o->best || o->rank))
        return err_set(e, ERR_USAGE, "--pairs stands alone, without --rank or --best");
    if (o->calibrate && o->scales && strcmp(o->calibrate, o->scales) == 0)
        return err_set(e, ERR_USAGE, "--calibrate and --scales name the same file");
    return check_method(o, e);
}

static int read_stop_words(struct run *r, const char *path, struct err *e)
{
    struct words w = {0};
    char *text = NULL;
    size_t n;
    int rc = file_read(&text, &n, path, 16 << 20, e);

    if (rc >= 0)
        rc = words_add(&w, text, 0, n, e);
    for (size_t i = 0; i < w.types.n && rc >= 0; i++) {
        const long at =
            strtab_add(&r->stop_words, strtab_text(&w.types, i), w.types.entry[i].n, e);

        rc = at < 0 ? (int)at : 0;
    }
    r->rules.stop = &r->stop_words;
    words_release(&w);
    free(text);
    return rc;
}

/* Everything that can be wrong before the first record is. */
static int prepare(struct run *r, struct err *e)
{
    const struct opts *o = r->o;
    int rc;

    r->scales = scales_built_in;
    if (o->scales &&
        (rc = scales_read(&r->scales, o->scales, r->method, o->salient, e)) < 0)
        return rc;
    r->rules =
        (struct salient_rules){(enum salient_mode)o->salient, r->scales.df, NULL};
    if (o->stop_words && (rc = read_stop_words(r, o->stop_words, e)) < 0)
        return rc;
    if ((rc = turns_lambda(r, o->lambda, o->gamma, e)) < 0 ||
        (rc = terms_begin(&r->terms, r->method,
                          o->scales ? &r->scales : &scales_built_in, e)) < 0 ||
        (rc = plugins_open(&r->plugins, &o->plugins, &r->terms, e)) < 0)
        return rc;
    r->terms.extra = o->exec ? 1 : 0;
    if (o->weights && (rc = terms_weigh(&r->terms, o->weights, &r->scales, e)) < 0)
        return rc;
    return o->labels ? labels_read(&r->labels, o->labels, e) : 0;
}

static void release(struct run *r)
{
    if (r->o->scales)
        scales_release(&r->scales);
    plugins_close(r->plugins);
    terms_release(&r->terms);
    strtab_release(&r->stop_words);
    free(r->lambda_list);
    prompt_release(&r->prompt);
    measure_release(&r->m);
    sample_release(&r->sample);
    labels_free(r->labels);
    df_free(r->cal.df);
}

/* ---- the run --------------------------------------------------------------------------- */
struct io {
    struct rec_reader *in, *spooled;
    struct coprocess *exec;
    struct cli_output file;
    struct output out;
    struct rec_group group;
    struct batch batch;
    struct rec_spool spool; /* --calibrate: the records, to be read twice */
    struct cli_progress progress;
    size_t records, scored; /* so far; with a reward */
    double sum;             /* of the rewards */
};

static int scored_rc(const struct run *r, struct err *e)
{
    if (r->errors == 0 || r->o->allow_errors)
        return 0;
    return err_set(e, ERR_NUMERIC,
                   "%zu records could not be scored and became error records",
                   r->errors);
}

/* Records so far, and the mean of the rewards that there are. */
static void show(struct io *io)
{
    for (size_t i = 0; i < io->group.n; i++)
        if (!io->batch.failed[i] && !isnan(io->batch.reward[i])) {
            io->sum += io->batch.reward[i];
            io->scored++;
        }
    io->records += io->group.n;
    const struct cli_figure mean = {"reward", "mean reward",
                                    io->scored ? io->sum / (double)io->scored : 0, 3};
    cli_progress_update(&io->progress, io->records, &mean, io->scored > 0);
}

static int run_groups(struct run *r, struct io *io, struct rec_reader *in,
                      struct err *e)
{
    int rc;

    for (;;) {
        coprocess_waiting(io->exec, 1);
        rc = rec_group_next(&io->group, in, e);
        coprocess_waiting(io->exec, 0);
        if (rc <= 0)
            return rc;
        if (io->group.other) {
            rc = rec_writer_put(io->out.w, &io->group.rec[0], e);
        } else if ((rc = score_group(r, &io->batch, &io->group, e)) >= 0) {
            if (r->o->calibrate)
                score_calibrate(r, &io->batch, io->group.n);
            rc = output_group(&io->out, r->o, &io->group, io->batch.reward,
                              io->batch.failed, e);
            show(io);
        }
        if (rc < 0)
            return rc;
    }
}

/* The first pass of --calibrate: counts words over the prompts while the records go into
 * a file without a name; the second then reads them with the counts at hand. */
static int add_prompt(struct run *r, const struct rec *rec, struct err *e)
{
    struct prompt_text t;
    int rc = sample_read(&r->sample, rec, SAMPLE_ID | SAMPLE_PROMPT_IDS,
                         SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK, e);

    if (rc < 0 || !prompt_text_of(&t, &r->sample))
        return rc;
    if ((rc = salient_words(&r->prompt.words, &t, e)) < 0)
        return rc;
    return df_add(r->cal.df, &r->prompt.words, e);
}

static int spool(struct run *r, struct io *io, struct rec_reader *in, struct err *e)
{
    int rc = rec_spool_open(&io->spool, in, &r->o->limits, e);

    while (rc >= 0) {
        coprocess_waiting(io->exec, 1);
        rc = rec_group_next(&io->group, in, e);
        coprocess_waiting(io->exec, 0);
        if (rc <= 0)
            break;
        if (!io->group.other)
            rc = add_prompt(r, &io->group.rec[0], e);
        for (size_t i = 0; i < io->group.n && rc >= 0; i++)
            rc = rec_spool_put(&io->spool, &io->group.rec[i], e);
    }
    return rc;
}

static int calibrate_first(struct run *r, struct io *io, struct rec_reader **in,
                           struct err *e)
{
    int rc;

    if ((rc = df_new(&r->cal.df, e)) < 0 || (rc = spool(r, io, *in, e)) < 0 ||
        (rc = rec_spool_read(&io->spooled, &io->spool, &r->o->limits, e)) < 0)
        return rc;
    if (!r->rules.df)
        r->rules.df = r->cal.df;
    *in = io->spooled;
    return 0;
}

static int open_all(struct run *r, struct io *io, const struct rec_pg *pg,
                    struct rec_reader **in, struct err *e)
{
    const struct opts *o = r->o;
    int rc = prepare(r, e);

    if (rc < 0 || (rc = cli_output_open(&io->file, &o->common, e)) < 0 ||
        (rc = rec_reader_new(&io->in, o->common.files, o->common.nfiles, &o->limits,
                             e)) < 0)
        return rc;
    *in = io->in;
    if (o->exec) {
        if ((rc = coprocess_start(&io->exec, o, io->in, pg, e)) < 0)
            return rc;
        *in = coprocess_reader(io->exec);
    }
    return 0;
}

static void notes(const struct run *r, const struct io *io)
{
    const struct cli_common *c = &r->o->common;
    const char *forgiven = io->in ? rec_reader_forgiven(io->in) : NULL;

    if (forgiven)
        cli_note(&tool, c, "%s", forgiven);
    if (r->abstained)
        cli_note(&tool, c, "%zu candidates abstained: their reward is null",
                 r->abstained);
    if (r->labels && labels_unused(r->labels))
        cli_note(&tool, c, "%s: %zu scores belong to no candidate", r->o->labels,
                 labels_unused(r->labels));
}

static int run(struct run *r, struct err *e)
{
    const struct opts *o = r->o;
    /* What the numbers were made with stands in the header when it is not on the command
     * line. */
    const int built_in = !o->scales && r->method == METHOD_F12;
    char *line = NULL;
    struct io io = {.file = {.fd = -1}, .spool = {.fd = -1}};
    struct rec_reader *in = NULL;
    int rc;

    if (asprintf(&line, "%s%s", o->common.command_line,
                 built_in ? " # built-in scales: tau .1 and .667, every idf 1" : "") <
        0)
        return err_set(e, ERR_NOMEM, "no memory");
    const struct rec_pg pg = {
        .name = tool.name, .version = CAGSR_VERSION, .command_line = line};
    rc = open_all(r, &io, &pg, &in, e);
    if (rc >= 0 && o->calibrate)
        rc = calibrate_first(r, &io, &in, e);
    if (rc >= 0)
        rc = rec_writer_new(&io.out.w, io.file.fd, in, &pg, &o->limits, e);
    cli_progress_start(&io.progress, &tool, &o->common, "records", 0);
    if (rc >= 0)
        rc = run_groups(r, &io, in, e);
    cli_progress_end(&io.progress, rc);
    rc = coprocess_end(io.exec, rc, e);
    if (rc >= 0)
        rc = scored_rc(r, e);
    if (rc >= 0 && o->calibrate)
        rc = calibration_write(&r->cal, o->calibrate, r->method, o->salient, e);
    notes(r, &io);
    rc = rec_writer_end(io.out.w, rc, e);
    rec_writer_free(io.out.w);
    rec_reader_free(io.spooled);
    coprocess_free(io.exec);
    rec_reader_free(io.in);
    rec_group_release(&io.group);
    batch_release(&io.batch);
    output_release(&io.out);
    rec_spool_close(&io.spool);
    free(line);
    return io.file.fd < 0 ? rc : cli_output_close(&io.file, rc, e);
}

int main(int argc, char **argv)
{
    struct opts o = {
        .rep_n = 3,
        .rep_free = 0.15,
        .copy_n = 4,
        .copy_free = 0.5,
        .h_min = 0.25,
        .kappa = 1,
        .t_min = COMBINE_F12_T_MIN,
        .gamma = 0.95,
        .label_weight = 0.5,
        .exec_timeout = 60,
    };
    struct run r = {.o = &o, .tool = &tool};
    struct err e = {0};
    int rc;

    cli_parse(&tool, &o, argc, argv);
    rc = check_opts(&o, &e);
    r.method = (enum method)o.method;
    if (rc >= 0) {
        rc = run(&r, &e);
        release(&r);
    }
    return cli_finish(&tool, &o.common, rc, &e);
}
