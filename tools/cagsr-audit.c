/*
 * cagsr-audit: what a reward rewards, before anything is trained on it (METHOD 4.7).
 *
 * With --make it puts corrupted answers behind each prompt's own; the pipeline scores both;
 * without, it reads what came of that.  It measures no text itself: `metrics` come from
 * cagsr-eval --each, or from any other filter.  Where the parts are: cagsr-audit/audit.h.
 */
#include "cagsr-audit/audit.h"

static const char *const bys[] = {"nothing", "layer", "head", NULL};

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"make", 0, CLI_STRING, AT(make), "KIND,...",
     "write the samples, and corrupted ones behind each prompt's: mismatched, "
     "shuffled, "
     "copied, looped, half, endless, empty, or all"},
    {"with", 'w', CLI_STRING, AT(with), "NAME,...",
     "correlate with these of 'metrics' (default: the usual ones that are there)"},
    {"given", 'g', CLI_STRING, AT(given), "NAME,...",
     "correlate once more, given these of 'metrics' or 'rewards' (partial "
     "correlation)"},
    {"by", 'b', CLI_CHOICE, AT(by), "WHAT",
     "nothing (default), layer or head: judge the coverage that each gives alone",
     .choices = bys},
    {"fit", 0, CLI_STRING, AT(fit), "FILE",
     "fit weights of heads, own answers against mismatched, for cagsr-attn --heads "
     "FILE"},
    {"ridge", 0, CLI_DOUBLE, AT(ridge), "X", "how even these weights are (default .01)",
     .lo = 1e-9, .hi = 1e9},
    {"salient", 0, CLI_CHOICE, AT(salient), "HOW",
     "which prompt words count for --by and --fit, as in cagsr-reward (default idf)",
     .choices = salient_mode_names},
    CELLS_OPTION(struct opts, format),
    BOOT_OPTIONS(struct opts, resamples, level, 2000),
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-audit",
    .synopsis = "[--make kinds] [-w names] [-g names] [-b what] [--fit file] [-F form] "
                "[-B N] [-o file] [file ...]",
    .summary =
        "what a reward goes with, and whether it puts good answers above bad ones",
    .common = CLI_OUTPUT | CLI_SEEDED | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

static int check_opts(const struct opts *o, struct err *e)
{
    static const char *const reports[] = {"with", "given",  "by",
                                          "fit",  "format", "resamples"};

    for (size_t i = 0; o->make && i < sizeof reports / sizeof *reports; i++)
        if (cli_given(&o->common, reports[i]))
            return err_set(e, ERR_USAGE,
                           "--make writes samples; --%s is for the report", reports[i]);
    return 0;
}

static int read_all(struct board *b, struct rec_reader **in, const struct opts *o,
                    struct err *e)
{
    struct sample s = {0};
    struct feature_work *work = NULL;
    struct rec *r;
    int rc = feature_work_new(&work, (enum salient_mode)o->salient, e);

    if (rc >= 0)
        rc = rec_reader_new(in, o->common.files, o->common.nfiles, &o->limits, e);
    while (rc >= 0 && (rc = rec_reader_next(*in, &r, e)) > 0)
        if (rec_is(r, "sample"))
            rc = board_add(b, &s, r, work, e);
    sample_release(&s);
    feature_work_free(work);
    if (rc >= 0 && b->rows == 0)
        return err_set(e, ERR_RECORD, "no samples to audit");
    return rc;
}

static void notes(const struct opts *o, const struct board *b,
                  const struct rec_reader *in)
{
    if (in && rec_reader_forgiven(in))
        cli_note(&tool, &o->common, "taken as it is: %s", rec_reader_forgiven(in));
    if (b->kinds.n == 1)
        cli_note(&tool, &o->common,
                 "no corrupted samples: cagsr-audit --make all makes them");
    if (strtab_find(&b->columns, "tfidf", 5) == SIZE_MAX)
        cli_note(&tool, &o->common,
                 "no relevance among the 'metrics': cagsr-eval --each adds it");
    if (o->by && !b->features)
        cli_note(&tool, &o->common,
                 "attention is not kept apart: cagsr-attn --heads each does that");
}

static int report(const struct opts *o, struct err *e)
{
    struct board b = {0};
    struct rec_reader *in = NULL;
    struct cli_output file = {.fd = -1};
    FILE *out = NULL;
    int rc = cli_output_open(&file, &o->common, e);

    if (rc >= 0)
        rc = read_all(&b, &in, o, e);
    if (rc >= 0 && o->fit)
        rc = fit_check(&b, e);
    if (rc >= 0)
        rc = cells_open(&out, file.fd, e);
    if (rc >= 0)
        rc = judge(out, o, &b, e);
    if (rc >= 0 && o->fit)
        rc = fit_heads(out, o, &b, e);
    if (rc >= 0)
        notes(o, &b, in);
    rc = cells_close(out, rc, e);
    rec_reader_free(in);
    board_release(&b);
    return cli_output_close(&file, rc, e);
}

int main(int argc, char **argv)
{
    struct opts o = {.resamples = 2000, .level = 0.95, .ridge = 0.01};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    o.common.force |= !o.make; /* text may go to a terminal */
    int rc = check_opts(&o, &e);
    if (rc >= 0)
        rc = o.make ? make_run(&o, &tool, &e) : report(&o, &e);
    return cli_finish(&tool, &o.common, rc, &e);
}
