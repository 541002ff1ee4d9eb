/*
 * cagsr-diff: the same prompts before training and after.
 *
 * Two streams are read to their ends, for what changed most is shown first, and what
 * changed in all is said with intervals over prompts.  In memory are texts, each once, and
 * numbers.  Where the parts are: cagsr-diff/diff.h.
 */
#include "cagsr-diff/diff.h"

#include "measure/relate.h"
#include "view/screen.h"
#include "view/term.h"

#include <string.h>

#define AT(member) offsetof(struct opts, member)

static const char *const sorts[] = {"auto",      "reward", "text",
                                    "attention", "input",  NULL};

static const struct cli_option options[] = {
    {"prompts", 'n', CLI_SIZE, AT(prompts), "N",
     "show so many prompts (default 3; 0: the summary only)", .lo = 0, .hi = 4e9},
    {"id", 'i', CLI_STRING, AT(id), "ID", "show the prompt of this id"},
    {"cand", 'c', CLI_SIZE, AT(cand), "K",
     "show candidate K (default: the one that changed most)", .lo = 0, .hi = 4e9},
    {"all", 'a', CLI_FLAG, AT(all), NULL, "show every candidate of these prompts"},
    {"sort", 's', CLI_CHOICE, AT(sort), "BY",
     "largest change first: of reward, text, attention; or as the input is",
     .choices = sorts},
    {"reference", 'r', CLI_STRING, AT(reference), "FIELD",
     "the right answer, or an array of them (default reference)"},
    CELLS_OPTION(struct opts, format),
    BOOT_OPTIONS(struct opts, resamples, level, 10000),
    {"color", 0, CLI_CHOICE, AT(color), "WHEN", "auto (default), always, 256, never",
     .choices = screen_colors},
    {"width", 0, CLI_SIZE, AT(width), "COLUMNS", "(default: the terminal's)",
     .lo = TERM_NARROW, .hi = 10000},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-diff",
    .synopsis = "[-n N] [-i id] [-c K] [-a] [-s by] [-r field] [-F form] [-B N] "
                "[-o file] before after",
    .summary = "the same prompts before and after training, side by side and in all",
    .common = CLI_OUTPUT | CLI_SEEDED,
    .options = options,
    .max_files = SIDES,
};

static int check_opts(const struct opts *o, struct err *e)
{
    if (o->common.nfiles != SIDES)
        return err_set(e, ERR_USAGE, "two streams are compared: BEFORE AFTER");
    if (strcmp(o->common.files[BEFORE], "-") == 0 &&
        strcmp(o->common.files[AFTER], "-") == 0)
        return err_set(e, ERR_USAGE, "only one of the two can be standard input");
    if (o->all && o->cand != NONE)
        return err_set(e, ERR_USAGE, "--all shows every candidate, --cand one");
    return 0;
}

static int read_side(struct diff *d, unsigned char side, struct err *e)
{
    struct rec_reader *in = NULL;
    struct rec_group g = {0};
    int rc = rec_reader_new(&in, &d->o->common.files[side], 1, &d->o->limits, e);

    while (rc >= 0 && (rc = rec_group_next(&g, in, e)) > 0)
        rc = diff_take(d, &g, side, e);
    if (in && rec_reader_forgiven(in))
        cli_note(&tool, &d->o->common, "taken as it is: %s", rec_reader_forgiven(in));
    rec_group_release(&g);
    rec_reader_free(in);
    return rc;
}

static int read_all(struct diff *d, struct err *e)
{
    int rc = reading_begin(&d->reading, d->o->reference, &d->corpus, e);

    for (unsigned char side = 0; side < SIDES && rc >= 0; side++)
        rc = read_side(d, side, e);
    if (rc < 0 || (rc = pairs_join(d, e)) < 0)
        return rc;
    if (d->pairs == 0)
        return err_set(e, ERR_RECORD,
                       "the two streams have no prompt in common (by 'id')");
    if ((rc = relate_partners(&d->corpus, d->o->common.seed, e)) < 0)
        return rc;
    return relate_tfidf(&d->corpus, e);
}

/* A table says it itself. */
static int warn(const struct diff *d, struct err *e)
{
    struct rec_buf s = {0};
    int rc = 0;

    if (d->o->format == CELLS_TABLE)
        return 0;
    const int warns = show_verdict(&s, d);
    if (s.oom)
        rc = err_set(e, ERR_NOMEM, "no memory for a sentence");
    else if (warns)
        cli_note(&tool, &d->o->common, "%.*s", (int)s.n, (const char *)s.p);
    rec_buf_release(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = {.reference = "reference",
                     .cand = NONE,
                     .prompts = 3,
                     .resamples = 10000,
                     .level = 0.95};
    struct cli_output file = {.fd = -1};
    struct diff d = {.o = &o};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    o.common.force = 1; /* text may go to a terminal */
    int rc = check_opts(&o, &e);
    if (rc >= 0)
        rc = cli_output_open(&file, &o.common, &e);
    if (rc >= 0 && (rc = read_all(&d, &e)) >= 0 && (rc = stats_make(&d, &e)) >= 0 &&
        (rc = report_write(file.fd, &d, &e)) >= 0)
        rc = warn(&d, &e);
    rc = cli_output_close(&file, rc, &e);
    diff_release(&d);
    return cli_finish(&tool, &o.common, rc, &e);
}
