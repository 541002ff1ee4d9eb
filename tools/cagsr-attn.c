/*
 * cagsr-attn: what of the prompt each token of a finished answer attended to, and how
 * likely a model holds the answer; by one forward pass over prompt and answers together.
 *
 * Any sampler's records will do: prompt_ids, ids and temperature are all that is read.
 * A group (the candidates of one prompt) is scored at a time, its prompt once.  In memory
 * are the model, one group's records, and one reduced block of rows per candidate; with
 * --heads each, whose blocks are many, candidates are taken in portions instead.
 */
#include "base/hash.h"
#include "base/par.h"
#include "base/reserve.h"
#include "cli/cli.h"
#include "kern/kern.h"
#include "model/capture.h"
#include "model/model.h"
#include "model/reward_model.h"
#include "model/score.h"
#include "rec/sample.h"
#include "rec/stream.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PORTION = 64 << 20 }; /* floats of results held at once, or one candidate's */

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    const char *layers, *heads, *logp, *score;
    int reduce, dtype, no_logp, no_attn;
    size_t batch;
};

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
     "positions computed at once (default 4096); more take more memory", .lo = 1,
     .hi = 1 << 24},
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

/* What one run holds on to. */
struct run {
    const struct opts *o;
    struct par *par;
    struct kern *kern;
    struct model *model;
    struct capture_spec spec;
    struct scorer *scorer;
    struct reward_model *judge; /* with --score, in place of the scorer */
    struct rec_reader *in;
    struct rec_writer *out;
    struct cli_output file;
    struct cli_progress progress;
    struct rec_group group;
    size_t cap; /* of the next four */
    struct sample *sample;
    struct score_response *resp;
    struct reward_answer *answer;
    float **result; /* where each candidate's numbers begin in `numbers` */
    float *numbers;
    size_t room; /* floats of it */
    size_t records, tokens;
    /* How the attention was taken, in words. */
    char hash[HASH_HEX], layers[CAPTURE_TEXT], heads[CAPTURE_TEXT];
};

/* ---- candidates ------------------------------------------------------------------------ */
static size_t blocks(const struct run *x)
{
    return x->o->no_attn || x->judge ? 0 : capture_blocks(&x->spec, x->model);
}

/* Floats a candidate's results take; what does not fit a record is refused before it is
 * computed. */
static int results(const struct run *x, const struct sample *s, size_t *n,
                   struct err *e)
{
    const size_t limit =
        x->o->limits.max_record ? x->o->limits.max_record : REC_MAX_DEFAULT;
    size_t rows;

    if (__builtin_mul_overflow(s->T * (s->P + 1), blocks(x), &rows) ||
        rows > limit / sizeof(float))
        return rec_fault(s->rec, ERR_RECORD, e, "attn",
                         "%zu x %zu tokens in %zu blocks make more than --max-record "
                         "%zu bytes",
                         s->T, s->P, blocks(x), limit);
    *n = rows + s->T;
    return 0;
}

static int check_ids(const struct run *x, const struct sample *s, const char *field,
                     const int32_t *ids, size_t n, struct err *e)
{
    const size_t V = x->model->arch.V;

    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= V)
            return rec_fault(s->rec, ERR_RECORD, e, field,
                             "element %zu is %d, outside the model's vocabulary of %zu",
                             i, (int)ids[i], V);
    return 0;
}

static int read_candidate(const struct run *x, struct sample *s, const struct rec *r,
                          struct err *e)
{
    const int logp = !x->o->no_logp && !x->judge;
    const unsigned need =
        SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS | (logp ? SAMPLE_TEMPERATURE : 0);
    int rc;

    if ((rc = sample_read(s, r, need, 0, e)) < 0 ||
        (rc = check_ids(x, s, "prompt_ids", s->prompt_ids, s->P, e)) < 0 ||
        (rc = check_ids(x, s, "ids", s->ids, s->T, e)) < 0)
        return rc;
    if (model_room(x->model, s->P) == 0 || s->T > model_room(x->model, s->P))
        return rec_fault(
            r, ERR_RECORD, e, "ids",
            "%zu tokens behind a prompt of %zu, the model's context is %zu", s->T, s->P,
            model_context(x->model));
    return 0;
}

static int same_prompt(const struct sample *a, const struct sample *b)
{
    return a->P == b->P &&
           memcmp(a->prompt_ids, b->prompt_ids, a->P * sizeof *a->prompt_ids) == 0;
}

/* ---- one portion ------------------------------------------------------------------------ */
static int room_for(struct run *x, size_t n, struct err *e)
{
    if (n <= x->room)
        return 0;
    float *p = realloc(x->numbers, n * sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for %zu MiB of results",
                       n * sizeof *p >> 20);
    x->numbers = p;
    x->room = n;
    return 0;
}

static struct score_response response(const struct run *x, const struct sample *s,
                                      float *at)
{
    return (struct score_response){
        .ids = s->ids,
        .T = s->T,
        .temperature = x->o->no_logp ? 1.0f : (float)s->temperature,
        .logp = x->o->no_logp ? NULL : at,
        .rows = x->o->no_attn ? NULL : at + s->T,
        .outside = x->o->no_attn ? NULL : at + s->T + s->T * s->P * blocks(x)};
}

static void set_attn(const struct run *x, struct rec *r, const struct sample *s,
                     const struct score_response *q)
{
    const int each = x->spec.heads == CAPTURE_EACH;
    const char *reduce = capture_reduce_text(&x->spec);
    const char *kind = capture_kind_text(&x->spec);
    const struct sample_attn a = {.kind = {kind, strlen(kind)},
                                  .layers = {x->layers, strlen(x->layers)},
                                  .heads = {x->heads, strlen(x->heads)},
                                  .reduce = {reduce, strlen(reduce)},
                                  .model = {x->hash, strlen(x->hash)},
                                  .L = each ? x->spec.to - x->spec.from : 0,
                                  .H = each ? x->model->arch.H : 0,
                                  .T = s->T,
                                  .P = s->P,
                                  .rows = q->rows,
                                  .outside = q->outside};

    sample_set_attn(r, &a);
}

/* --score: candidates from..to-1, all behind one prompt. */
static int judge_portion(struct run *x, size_t from, size_t to, struct err *e)
{
    const struct sample *s = x->sample;
    int rc;

    for (size_t i = from; i < to; i++) {
        x->answer[i] = (struct reward_answer){.ids = s[i].ids, .T = s[i].T};
        x->tokens += s[i].T;
    }
    rc = reward_model_score(x->judge, s[from].prompt_ids, s[from].P, x->answer + from,
                            to - from, e);
    for (size_t i = from; i < to && rc >= 0; i++)
        sample_set_rewards(&x->group.rec[i], 1, &x->o->score, &x->answer[i].score);
    return rc;
}

/* Candidates from..to-1, all behind one prompt; empty answers have nothing to score. */
static int attend_portion(struct run *x, size_t from, size_t to, size_t floats,
                          struct err *e)
{
    const struct sample *s = x->sample;
    size_t n = 0, at = 0, need;
    int rc = room_for(x, floats + 1, e);

    for (size_t i = from; i < to && rc >= 0; i++) {
        if ((rc = results(x, &s[i], &need, e)) < 0)
            break;
        x->result[i] = x->numbers + at;
        if (s[i].T)
            x->resp[n++] = response(x, &s[i], x->result[i]);
        at += need;
        x->tokens += s[i].T;
    }
    if (rc >= 0 && n)
        rc = score_group(x->scorer, s[from].prompt_ids, s[from].P, x->resp, n, e);
    for (size_t i = from; i < to && rc >= 0; i++) {
        const struct score_response q = response(x, &s[i], x->result[i]);

        if (q.rows)
            set_attn(x, &x->group.rec[i], &s[i], &q);
        if (q.logp)
            rec_set_f32s(&x->group.rec[i], x->o->logp, q.logp, s[i].T);
    }
    return rc;
}

static int score_portion(struct run *x, size_t from, size_t to, size_t floats,
                         struct err *e)
{
    const int rc = x->judge ? judge_portion(x, from, to, e)
                            : attend_portion(x, from, to, floats, e);

    if (rc < 0)
        return err_prefix(e, "records %zu to %zu", x->sample[from].rec->number,
                          x->sample[to - 1].rec->number);
    return 0;
}

/* ---- one group -------------------------------------------------------------------------- */
static int reserve_group(struct run *x, size_t n, struct err *e)
{
    struct {
        void *array;
        size_t size;
    } part[] = {{&x->sample, sizeof *x->sample},
                {&x->resp, sizeof *x->resp},
                {&x->answer, sizeof *x->answer},
                {&x->result, sizeof *x->result}};
    size_t cap = x->cap;
    int rc = 0;

    for (size_t i = 0; i < sizeof part / sizeof *part && rc >= 0; i++) {
        cap = x->cap;
        rc = reserve(part[i].array, &cap, n, part[i].size, e);
    }
    if (rc < 0)
        return rc;
    memset(x->sample + x->cap, 0, (cap - x->cap) * sizeof *x->sample);
    x->cap = cap;
    return 0;
}

/* Cuts the group where the prompt changes, or where results would take too much. */
static int score(struct run *x, struct err *e)
{
    const size_t n = x->group.n;
    int rc = reserve_group(x, n, e);
    size_t from = 0, floats = 0, need;

    for (size_t i = 0; i < n && rc >= 0; i++) {
        const struct rec *r = &x->group.rec[i];

        if ((rc = read_candidate(x, &x->sample[i], r, e)) < 0 ||
            (rc = results(x, &x->sample[i], &need, e)) < 0)
            break;
        if (i > from && (floats + need > PORTION ||
                         !same_prompt(&x->sample[from], &x->sample[i]))) {
            if ((rc = score_portion(x, from, i, floats, e)) < 0)
                break;
            from = i;
            floats = 0;
        }
        floats += need;
    }
    return rc < 0 ? rc : score_portion(x, from, n, floats, e);
}

static void show_progress(struct run *x)
{
    const double s = cli_now() - x->progress.started;
    const struct cli_figure speed = {"tokens_per_s", "tokens/s",
                                     s > 0 ? (double)x->tokens / s : 0.0, 0};

    cli_progress_update(&x->progress, x->records, &speed, 1);
}

static int copy(struct run *x, struct err *e)
{
    int rc;

    while ((rc = rec_group_next(&x->group, x->in, e)) > 0) {
        if (!x->group.other && (rc = score(x, e)) < 0)
            break;
        for (size_t i = 0; i < x->group.n && rc >= 0; i++)
            rc = rec_writer_put(x->out, &x->group.rec[i], e);
        if (rc < 0)
            break;
        x->records += x->group.n;
        show_progress(x);
    }
    return rc;
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
    for (size_t i = 0; i < x->cap; i++)
        sample_release(&x->sample[i]);
    free(x->sample);
    free(x->resp);
    free(x->answer);
    free(x->result);
    free(x->numbers);
    rec_group_release(&x->group);
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
