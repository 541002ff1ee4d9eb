/*
 * cagsr-view: pictures of attention, reward and training, from any stream.
 *
 * The stream becomes scenes (a prompt with its candidates) and curves (metrics over
 * steps); libcore/view draws them for a terminal, as SVG, or as one HTML page.
 */
#include "cagsr-view/draw.h"
#include "cagsr-view/inputs.h"

#include "view/screen.h"

#include <string.h>

#define AT(member) offsetof(struct opts, member)

static const char *const plots[] = {"auto", "attn", "reward", "curves", NULL};
static const char *const overs[] = {"best", "mean", NULL};

static const struct cli_option options[] = {
    {"term", 't', CLI_FLAG, AT(term), NULL, "text for a terminal (the default)"},
    {"svg", 's', CLI_FLAG, AT(svg), NULL, "one picture as SVG"},
    {"html", 'H', CLI_FLAG, AT(html), NULL, "all of it as one HTML page"},
    {"plot", 'p', CLI_CHOICE, AT(plot), "WHAT",
     "attn, reward or curves (default: what the input has)", .choices = plots},
    {"id", 'i', CLI_STRING, AT(id), "ID", "the prompt of this id"},
    {"prompts", 'n', CLI_SIZE, AT(prompts), "N",
     "so many prompts (default 1; with --html all)", .lo = 1, .hi = 0xffffffffu},
    {"cand", 'c', CLI_SIZE, AT(cand), "K",
     "candidate K (default: the best and the worst)"},
    {"all", 'a', CLI_FLAG, AT(all), NULL, "every candidate"},
    {"token", 'T', CLI_SIZE, AT(token), "T",
     "what step T read (default: the most that any step did)"},
    {"over", 0, CLI_CHOICE, AT(over), "HOW", "best (default) or mean of the steps",
     .choices = overs},
    {"layer", 'l', CLI_SIZE, AT(layer), "L", "one layer (default: mean)"},
    {"head", 0, CLI_SIZE, AT(head), "H", "one head (default: mean)"},
    {"share", 0, CLI_FLAG, AT(share), NULL,
     "attention as shares of what the countable tokens got"},
    {"whole", 'w', CLI_FLAG, AT(whole), NULL,
     "the prompt with its template, not only what the user wrote"},
    {"run", 'r', CLI_LIST, AT(runs), "NAME=FILE",
     "a run of metrics, a stream or FILE.tsv; runs of one NAME are averaged"},
    {"fields", 'F', CLI_STRING, AT(fields), "A,B", "curves of these metrics"},
    {"against", 'x', CLI_STRING, AT(against), "METRIC",
     "curves against this metric, not the step"},
    {"title", 0, CLI_STRING, AT(title), "TEXT", "what to call the picture"},
    {"color", 0, CLI_CHOICE, AT(color), "WHEN", "auto (default), always, 256, never",
     .choices = screen_colors},
    {"background", 0, CLI_CHOICE, AT(ground), "HOW",
     "the terminal's: dark, light (default: by COLORFGBG, else dark)",
     .choices = screen_grounds},
    {"width", 0, CLI_SIZE, AT(width), "COLUMNS", "(default: the terminal's)",
     .lo = TERM_NARROW, .hi = 10000},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-view",
    .synopsis = "[-t | -s | -H] [-p plot] [-i id] [-n N] [-c K | -a] [-T T] [-l L] "
                "[-r name=file] [-F metrics] [-x metric] [-o file] [file ...]",
    .summary = "pictures of attention, reward and training",
    .common = CLI_OUTPUT,
    .options = options,
    .max_files = SIZE_MAX,
};

/* ---- the run --------------------------------------------------------------------------- */
static int wanted(const struct opts *o, const struct draw *d, const struct rec *r)
{
    struct rec_str id;

    if (rec_value_str(&id, rec_find(r, "id")) < 0)
        return 0;
    return d->prompts < o->prompts && (!o->id || rec_str_is(id, o->id));
}

static int take(struct draw *d, const struct inputs *in, const struct rec_group *g,
                struct err *e)
{
    const struct rec *r = &g->rec[0];

    if (g->other) {
        const size_t i = inputs_of(in, r);
        const int rc =
            rec_is(r, "metric") ? curves_add(&d->curves, r, in->input[i].set, i, e) : 1;

        d->stepless += rc == 0;
        return rc;
    }
    return wanted(d->o, d, r) ? draw_group(d, g, e) : 0;
}

/* Streams; with tables alone there are none. */
static int draw_streams(struct draw *d, const struct inputs *in, struct err *e)
{
    struct rec_reader *rd = NULL;
    struct rec_group g = {0};
    int rc = 0;

    if (in->streams)
        rc = rec_reader_new(&rd, in->stream, in->streams, &d->o->limits, e);
    while (rd && rc >= 0 && (rc = rec_group_next(&g, rd, e)) > 0)
        rc = take(d, in, &g, e);
    if (rd && rec_reader_forgiven(rd))
        cli_note(&tool, &d->o->common, "taken as it is: %s", rec_reader_forgiven(rd));
    if (d->stepless)
        cli_note(&tool, &d->o->common,
                 "%zu records of metrics without a step are left out", d->stepless);
    rec_group_release(&g);
    rec_reader_free(rd);
    return rc;
}

static int draw_all(struct draw *d, const struct inputs *in, struct err *e)
{
    int rc = inputs_tables(in, &d->curves, e);

    if (rc >= 0)
        rc = draw_streams(d, in, e);
    return rc < 0 ? rc : draw_end(d, e);
}

static int check_opts(struct opts *o, struct err *e)
{
    if (o->term + o->svg + o->html > 1)
        return err_set(e, ERR_USAGE, "one of --term, --svg and --html, not two");
    if (o->html && (o->plot || o->all || cli_given(&o->common, "cand")))
        return err_set(e, ERR_USAGE,
                       "--html shows everything: no --plot, --cand, --all");
    if (o->svg && o->all)
        return err_set(e, ERR_USAGE, "--svg is one picture: no --all");
    if (!cli_given(&o->common, "prompts"))
        o->prompts = o->html ? SIZE_MAX : 1;
    return 0;
}

int main(int argc, char **argv)
{
    struct opts o = {
        .cand = SIZE_MAX, .token = SIZE_MAX, .layer = SIZE_MAX, .head = SIZE_MAX};
    struct cli_output file = {.fd = -1};
    struct inputs in = {0};
    struct draw d = {.o = &o};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    o.common.force = 1; /* text may go to a terminal */
    int rc = check_opts(&o, &e);
    if (rc >= 0)
        rc = inputs_list(&in, &o.common, &o.runs, &e);
    if (rc >= 0)
        rc = cli_output_open(&file, &o.common, &e);
    if (rc >= 0) {
        const struct term_style style = {
            screen_depth((enum screen_color)o.color, file.fd),
            screen_ground((enum screen_ground)o.ground), screen_width(o.width, file.fd),
            o.whole};

        draw_begin(&d, file.fd, &style);
        d.streams = in.streams;
        rc = draw_all(&d, &in, &e);
    }
    rc = cli_output_close(&file, rc, &e);
    draw_release(&d);
    inputs_release(&in);
    return cli_finish(&tool, &o.common, rc, &e);
}
