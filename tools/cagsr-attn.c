/*
 * cagsr-attn: what of the prompt each token of a finished answer attended to, and how
 * likely a model holds the answer; by one forward pass over prompt and answers together.
 *
 * Any sampler's records will do: prompt_ids, ids and temperature are all that is read.
 * The candidates of one prompt, a group, are scored together, the prompt once.  Groups that
 * are there already share a pass; none is waited for while there is one to score: in a pipe
 * the sampler may wait for what comes of it.  In memory are the model, a pass's groups, and
 * one reduced block of rows per candidate; with --heads each, whose blocks are many,
 * candidates are taken in portions instead.
 */
#include "base/par.h"
#include "base/reserve.h"
#include "cagsr-attn/run.h"
#include "kern/kern.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct opts, member)

static const char *const reduces[] = {"mean", "norm", NULL};

static const struct cli_option options[] = {
    {"layers", 'l', CLI_STRING, AT(layers), "all|last|upper|A:B",
     "which layers, A to B-1 from 0 (default upper: the later half; all but the first "
     "of "
     "models with up to 6)"},
    {"heads", 0, CLI_STRING, AT(heads), "mean|each|FILE",
     "heads averaged, kept apart, or weighed by lines 'layer head weight' (default "
     "mean)"},
    {"reduce", 0, CLI_CHOICE, AT(reduce), "mean|norm",
     "attention as it is, or times the length of what the value adds (default mean)",
     .choices = reduces},
    {"logp", 0, CLI_STRING, AT(logp), "NAME",
     "call the array of log-probabilities NAME (default ref)"},
    {"no-logp", 0, CLI_FLAG, AT(no_logp), NULL, "no log-probabilities"},
    {"no-attn", 0, CLI_FLAG, AT(no_attn), NULL, "log-probabilities only"},
    {"score", 0, CLI_STRING, AT(score), "NAME",
     "the model is a reward model: put its score of the answer into rewards as NAME, "
     "and "
     "nothing else"},
    {"batch", 0, CLI_SIZE, AT(batch), "ROWS",
     "positions computed at once (default 4096 of one prompt, 512 of several); more "
     "take "
     "more memory",
     .lo = 1, .hi = 1 << 24},
    {"dtype", 0, CLI_CHOICE, AT(dtype), "TYPE",
     "type that the model's matrices are rounded to: f32 or bf16 (default f32)",
     .choices = kern_dtype_names},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-attn",
    .synopsis = "[-m model] [-l layers] [--heads how] [--reduce how] [--logp name] "
                "[--score name] [-o file] [file ...]",
    .summary = "add attention on the prompt, and log-probabilities under a model",
    .common = CLI_MODEL | CLI_OUTPUT | CLI_THREADS | CLI_PROGRESS | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

/* ---- the groups that are held ------------------------------------------------------------ */
/* Room for n groups. */
static int reserve_groups(struct run *x, size_t n, struct err *e)
{
    const size_t had = x->groups_cap;
    const int rc = reserve(&x->group, &x->groups_cap, n, sizeof *x->group, e);

    if (rc >= 0)
        memset(x->group + had, 0, (x->groups_cap - had) * sizeof *x->group);
    return rc;
}

static void show_progress(struct run *x)
{
    const double s = cli_now() - x->progress.started;
    const struct cli_figure speed = {"tokens_per_s", "tokens/s",
                                     s > 0 ? (double)x->tokens / s : 0.0, 0};

    cli_progress_update(&x->progress, x->records, &speed, 1);
}

static int write_group(struct run *x, const struct rec_group *g, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < g->n && rc >= 0; i++)
        rc = rec_writer_put(x->out, &g->rec[i], e);
    if (rc < 0)
        return rc;
    x->records += g->n;
    show_progress(x);
    return 0;
}

/* Scores the groups that are held and writes those before the first at fault; group[n]
 * becomes group[0].  rc and *e are what came of the reading behind them: their own errors
 * come first. */
static int flush(struct run *x, int rc, struct err *e)
{
    struct err own = {0}, out = {0};
    const struct rec_group next = x->group[x->n];
    size_t good = x->n;
    int scored = candidates_score(x, &good, &own);

    for (size_t i = 0; i < good; i++) {
        const int wrote = write_group(x, &x->group[i], &out);

        if (wrote < 0) {
            *e = out;
            return wrote;
        }
    }
    x->group[x->n] = x->group[0];
    x->group[0] = next;
    x->n = x->cands = x->rows = x->floats = 0;
    if (scored < 0)
        *e = own;
    return scored < 0 ? scored : rc;
}

/* Group[n] joins those that are held, or is the first when they take too much together. */
static int hold(struct run *x, struct err *e)
{
    const size_t limit = x->scorer ? scorer_rows(x->scorer) : 0;
    size_t rows = 0, floats = 0;
    int rc = reserve_groups(x, x->n + 2, e);

    if (rc >= 0)
        rc = candidates_read(x, &rows, &floats, e);
    if (x->n && (rc < 0 || x->rows + rows > limit || x->floats + floats > PORTION)) {
        rc = flush(x, rc, e);
        return rc < 0 ? rc : hold(x, e);
    }
    if (rc < 0)
        return rc;
    x->cands += x->group[x->n].other ? 0 : x->group[x->n].n;
    x->rows += rows;
    x->floats += floats;
    x->n++;
    return 0;
}

/* A group is waited for only when none is held. */
static int copy(struct run *x, struct err *e)
{
    int rc = reserve_groups(x, 1, e);

    while (rc >= 0) {
        if (x->n && !rec_group_ready(&x->group[x->n], x->in) &&
            (rc = flush(x, 0, e)) < 0)
            return rc;
        if ((rc = rec_group_next(&x->group[x->n], x->in, e)) <= 0)
            break;
        if ((rc = hold(x, e)) < 0)
            return rc;
    }
    return x->n ? flush(x, rc, e) : rc;
}

/* ---- the run ---------------------------------------------------------------------------- */
/* --score computes nothing else. */
static int check_score(const struct opts *o, struct err *e)
{
    static const char *const others[] = {"layers", "heads",   "reduce",
                                         "logp",   "no-logp", "no-attn"};

    if (!*o->score)
        return err_set(e, ERR_USAGE, "--score: the name is empty");
    if (!cli_given(&o->common, "model"))
        return err_set(e, ERR_USAGE, "--score: -m MODEL is missing, a reward model");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (cli_given(&o->common, others[i]))
            return err_set(
                e, ERR_USAGE,
                "--score and --%s: a reward model gives a score, no attention "
                "and no log-probabilities",
                others[i]);
    return 0;
}

/* Names --logp must not take: a record would no longer be what it was. */
static int check_opts(const struct opts *o, struct err *e)
{
    static const char *const taken[] = {
        "kind",        "id",          "cand",   "n",    "prompt",  "text",
        "prompt_ids",  "ids",         "ends",   "attn", "rewards", "reward",
        "prompt_ends", "prompt_mask", "finish", "seed", "policy",  "temperature"};

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(o->logp, taken[i]) == 0)
            return err_set(e, ERR_USAGE, "--logp %s: that field is something else",
                           o->logp);
    if (!*o->logp)
        return err_set(e, ERR_USAGE, "--logp: the name is empty");
    if (o->no_attn && o->no_logp)
        return err_set(e, ERR_USAGE, "--no-attn and --no-logp leave nothing to do");
    return o->score ? check_score(o, e) : 0;
}

/* METHOD G3: the upper half; of small models, all but the first. */
static const char *default_layers(const struct model *m)
{
    return m->arch.L >= 2 && m->arch.L <= 6 ? "1:" : "upper";
}

static int open_model(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    int rc = par_new(&x->par, o->common.threads, e);

    if (rc >= 0)
        rc = kern_new(&x->kern, x->par,
                      &(struct kern_opts){.dtype = (enum kern_dtype)o->dtype}, e);
    if (rc >= 0)
        rc = model_open_with(&x->model, o->common.model, o->common.adapter, x->kern,
                             MODEL_SAMPLE, e);
    if (rc >= 0)
        hash_hex(x->hash, x->model->hash);
    if (rc >= 0 && o->score)
        return reward_model_new(&x->judge, x->model,
                                o->common.adapter ? o->common.adapter : o->common.model,
                                o->batch, e);
    if (rc >= 0)
        rc = capture_spec_parse(&x->spec, x->model,
                                o->layers ? o->layers : default_layers(x->model),
                                o->heads, reduces[o->reduce], e);
    if (rc >= 0)
        rc =
            scorer_new(&x->scorer, x->model, o->no_attn ? NULL : &x->spec, o->batch, e);
    if (rc < 0)
        return rc;
    capture_layers_text(x->layers, &x->spec);
    capture_heads_text(x->heads, &x->spec, x->model);
    return 0;
}

static int start(struct run *x, struct err *e)
{
    const struct opts *o = x->o;
    struct rec_pg pg = {.name = tool.name,
                        .version = CAGSR_VERSION,
                        .command_line = o->common.command_line,
                        .model = x->hash,
                        .dtype = kern_dtype_names[o->dtype]};
    int rc = check_opts(o, e);

    if (rc >= 0)
        rc = cli_output_open(&x->file, &o->common, e);
    if (rc >= 0)
        rc = rec_reader_new(&x->in, o->common.files, o->common.nfiles, &o->limits, e);
    if (rc < 0)
        return rc;
    /* The next tool hears even of a model that cannot be read. */
    rc = open_model(x, e);
    if (rc < 0)
        pg.model = pg.dtype = NULL;
    else
        pg.kernel = kern_name(x->kern);
    struct err late = {0};
    const int made = rec_writer_new(&x->out, x->file.fd, x->in, &pg, &o->limits, &late);
    if (rc >= 0 && made < 0)
        *e = late;
    return rc < 0 ? rc : made;
}

static void release(struct run *x)
{
    for (size_t i = 0; i < x->groups_cap; i++)
        rec_group_release(&x->group[i]);
    free(x->group);
    candidates_release(x);
    rec_writer_free(x->out);
    rec_reader_free(x->in);
    scorer_free(x->scorer);
    reward_model_free(x->judge);
    capture_spec_release(&x->spec);
    model_close(x->model);
    kern_free(x->kern);
    par_free(x->par);
}

int main(int argc, char **argv)
{
    struct opts o = {.heads = "mean", .logp = "ref"};
    struct run x = {.o = &o, .file = {.fd = -1}};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    int rc = start(&x, &e);
    cli_progress_start(&x.progress, &tool, &o.common, "records", 0);
    if (rc >= 0)
        rc = copy(&x, &e);
    cli_progress_end(&x.progress, rc);
    rc = rec_writer_end(x.out, rc, &e);
    rc = cli_output_close(&x.file, rc, &e);
    if (x.in && rec_reader_forgiven(x.in))
        cli_note(&tool, &o.common, "taken as it is: %s", rec_reader_forgiven(x.in));
    release(&x);
    return cli_finish(&tool, &o.common, rc, &e);
}
