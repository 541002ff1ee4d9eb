/*
 * What a model costs: sampling, scoring, a training step, the optimizer alone.
 *
 *     model -m MODEL [-j THREADS] [-n TIMES] [-G GROUPS] [-N CANDIDATES] [-P PROMPT]
 *           [-T TOKENS] WORK ...
 *
 * Each work runs once unmeasured, then TIMES times (3), a line for each:
 *     ours WORK SECONDS TOKENS PEAK_KB
 * The clock is bench.h's; memory is the process's so far: one work per process, where
 * it matters.  -G, -N, -P and -T change a work's shape.  Tokens are fixed numbers, so no
 * tokenizer is needed, and end tokens end nothing.
 *
 *   decodeN        N candidates, 8 of each prompt; the prompt's pass is counted, tokens
 *                  are the new ones.  -attn: attention of the upper layers is kept
 *   score          log-probabilities and reduced attention of responses, each behind a
 *                  prompt of its own; tokens: prompts and responses, repeated prompts too
 *   score-group    the same, the prompt shared
 *   train          cross-entropy of whole sequences: pass, head, both back, norm, AdamW
 *   adamw, triad   AdamW over all parameters; a[i] = b[i] + s c[i] over arrays as long:
 *                  what memory gives.  Units are bytes read and written
 */
#include "base/arena.h"
#include "bench.h"
#include "kern/kern.h"
#include "model/batch.h"
#include "model/generate.h"
#include "model/head.h"
#include "model/pass.h"
#include "model/score.h"
#include "optim/adamw.h"
#include "optim/clipnorm.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct shape {
    size_t groups, cands, P, T; /* prompts, candidates of each, tokens of both */
};

/* One step's memory. */
struct trainer {
    struct pass *pass;
    struct head *head;
    struct batch batch;
    struct head_item *item; /* (items) */
    size_t items, seqs;     /* of a micro-batch */
    float *grads, *m, *v;   /* (plan.size) */
    float *logp, *dlogp;    /* (items) */
    float *dh;              /* (rows, C) */
    double *norm;
    struct arena arena; /* grads, m and v, as cagsr-update has them */
    struct adamw_run *run;
    size_t nruns;
    uint64_t steps;
};

struct bench {
    struct par *par;
    struct kern *kern;
    struct model *m;
    struct shape s;
    int32_t *ids; /* (groups, P + cands T) */
    struct capture_spec spec;
    int attn; /* capture it */
    size_t asked;
    struct scorer *scorer;
    struct score_group *scored;  /* (groups) */
    struct score_response *resp; /* (groups, cands) */
    float *numbers;              /* (groups, cands, T (P + 2)) */
    struct trainer t;
    float *triad[3]; /* (plan.size) */
};

static const int32_t *prompt_ids(const struct bench *b, size_t g)
{
    return b->ids + g * (b->s.P + b->s.cands * b->s.T);
}

static const int32_t *response_ids(const struct bench *b, size_t g, size_t c)
{
    return prompt_ids(b, g) + b->s.P + c * b->s.T;
}

static void *take(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p)
        abort();
    return p;
}

/* ---- sampling -------------------------------------------------------------------------- */

static int next_prompt(void *ctx, struct generate_prompt *p, struct err *e)
{
    struct bench *b = ctx;

    (void)e;
    if (b->asked == b->s.groups)
        return 0;
    *p = (struct generate_prompt){
        .ids = prompt_ids(b, b->asked), .P = b->s.P, .id = b->asked, .n = b->s.cands};
    b->asked++;
    return 1;
}

static int run_decode(struct bench *b, double *units, struct err *e)
{
    const struct generate_opts o = {
        .rows = b->s.groups * b->s.cands,
        .max_tokens = b->s.T,
        .sample = {.temperature = 1, .top_p = 1},
        .ignore_eos = 1,
        .capture = b->attn ? &b->spec : NULL,
        .source = next_prompt,
        .ctx = b,
    };
    const struct generate_completion *c;
    struct generator *g;
    int rc = generator_new(&g, b->m, &o, e);

    b->asked = 0;
    *units = 0;
    while (rc >= 0 && (rc = generator_next(g, &c, e)) > 0)
        *units += (double)c->T;
    generator_free(g);
    return rc;
}

/* ---- scoring --------------------------------------------------------------------------- */

static int prepare_score(struct bench *b, struct err *e)
{
    const size_t T = b->s.T, P = b->s.P, N = b->s.cands, n = b->s.groups * N;

    b->scored = take(b->s.groups, sizeof *b->scored);
    b->resp = take(n, sizeof *b->resp);
    b->numbers = take(n * T * (P + 2), sizeof *b->numbers);
    for (size_t i = 0; i < n; i++) {
        float *at = b->numbers + i * T * (P + 2);

        b->resp[i] = (struct score_response){.ids = response_ids(b, i / N, i % N),
                                             .T = T,
                                             .temperature = 1,
                                             .logp = at,
                                             .outside = at + T,
                                             .rows = at + 2 * T};
    }
    for (size_t g = 0; g < b->s.groups; g++)
        b->scored[g] = (struct score_group){prompt_ids(b, g), P, b->resp + g * N, N};
    return scorer_new(&b->scorer, b->m, &b->spec, 0, e);
}

static int run_score(struct bench *b, double *units, struct err *e)
{
    size_t done;

    *units = (double)(b->s.groups * b->s.cands * (b->s.P + b->s.T));
    return score_groups(b->scorer, b->scored, b->s.groups, &done, e);
}

/* ---- training -------------------------------------------------------------------------- */

static void layout(struct trainer *t, size_t n)
{
    t->grads = arena_take(&t->arena, n, sizeof *t->grads);
    t->m = arena_take(&t->arena, n, sizeof *t->m);
    t->v = arena_take(&t->arena, n, sizeof *t->v);
}

static int prepare_optimizer(struct bench *b, struct err *e)
{
    const struct plan *p = &b->m->plan;
    struct trainer *t = &b->t;

    layout(t, p->size);
    if (arena_alloc(&t->arena, "gradients and moments", e) < 0)
        return e->code;
    layout(t, p->size);
    for (size_t i = 0; i < p->size; i++)
        t->grads[i] = 1e-3f;
    t->run = take(adamw_runs(p->size), sizeof *t->run);
    t->nruns = adamw_cut(t->run, 0, p->size, 0);
    return 0;
}

static void step(struct bench *b, double scale)
{
    static const struct adamw o = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8};
    struct trainer *t = &b->t;

    adamw_step(&o, b->par, t->run, t->nruns, b->m->params, t->grads, t->m, t->v,
               ++t->steps, 1e-6, scale);
}

/* Whole sequences without padding; every token but the first is predicted.  They go through
 * in micro-batches of so many rows, as cagsr-update's --rows cuts them. */
enum { MICRO_ROWS = 512 };

static int prepare_train(struct bench *b, struct err *e)
{
    const size_t rows = b->s.P + b->s.T;
    struct trainer *t = &b->t;
    int rc = prepare_optimizer(b, e);

    t->seqs = rows < MICRO_ROWS ? MICRO_ROWS / rows : 1;
    t->seqs = t->seqs < b->s.groups ? t->seqs : b->s.groups;
    const size_t most = t->seqs * rows;
    t->item = take(most, sizeof *t->item);
    t->logp = take(most, sizeof *t->logp);
    t->dlogp = take(most, sizeof *t->dlogp);
    t->dh = take(most * b->m->arch.C, sizeof *t->dh);
    t->norm = take(clipnorm_scratch(b->m->plan.size), sizeof *t->norm);
    for (size_t i = 0; i < most; i++)
        t->dlogp[i] = -1.0f / (float)(b->s.groups * (rows - 1));
    if (rc >= 0)
        rc = pass_new(&t->pass, b->m, most, PASS_TRAIN, e);
    return rc < 0 ? rc : head_new(&t->head, b->m, HEAD_TRAIN, most, e);
}

/* The sequences from..to-1 into the batch. */
static int make_batch(struct bench *b, size_t from, size_t to, struct err *e)
{
    const size_t rows = b->s.P + b->s.T;
    struct trainer *t = &b->t;
    int rc = 0;

    batch_clear(&t->batch);
    t->items = 0;
    for (size_t g = from; g < to && rc >= 0; g++) {
        const int32_t *ids = prompt_ids(b, g);
        const size_t row0 = t->batch.B;

        rc = batch_add(&t->batch, BATCH_ALONE, ids, rows, e);
        for (size_t i = 0; i + 1 < rows; i++)
            t->item[t->items++] = (struct head_item){row0 + i, ids[i + 1], 1};
    }
    return rc;
}

static int gradient(struct bench *b, enum pass_sum sum, struct err *e)
{
    struct trainer *t = &b->t;
    const float *hidden;
    const int rc = pass_forward(t->pass, &t->batch, NULL, &hidden, e);

    if (rc < 0)
        return rc;
    memset(t->dh, 0, t->batch.B * b->m->arch.C * sizeof *t->dh);
    head_forward(t->head, hidden, t->item, t->items, t->logp, NULL);
    head_backward_held(t->head, hidden, t->item, t->items, t->dlogp, NULL, t->dh,
                       t->grads);
    pass_backward(t->pass, &t->batch, t->dh, t->grads, sum);
    return 0;
}

static int run_train(struct bench *b, double *units, struct err *e)
{
    const size_t size = b->m->plan.size, n = b->s.groups;
    struct trainer *t = &b->t;
    int rc;

    *units = 0;
    pass_clear(b->m, t->grads);
    for (size_t g = 0; g < n; g += t->seqs) {
        if ((rc = make_batch(b, g, g + t->seqs < n ? g + t->seqs : n, e)) < 0 ||
            (rc = gradient(b, g == 0 ? PASS_FIRST : PASS_NEXT, e)) < 0)
            return rc;
        *units += (double)t->batch.B;
    }
    step(b, clipnorm_scale(clipnorm(b->par, t->grads, size, t->norm), 1));
    return 0;
}

/* Reads parameters, gradients and both moments; writes all but the gradients. */
static int run_adamw(struct bench *b, double *units, struct err *e)
{
    (void)e;
    step(b, 1);
    *units = 7.0 * sizeof(float) * (double)b->m->plan.size;
    return 0;
}

static int prepare_triad(struct bench *b, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < 3; i++)
        b->triad[i] = some(b->m->plan.size);
    return 0;
}

static void triad(void *ctx, size_t i, size_t worker)
{
    const struct bench *b = ctx;
    const size_t from = i * ADAMW_RUN, left = b->m->plan.size - from;
    float *restrict x = b->triad[0] + from;
    const float *restrict y = b->triad[1] + from, *restrict z = b->triad[2] + from;

    (void)worker;
    for (size_t k = 0; k < (left < ADAMW_RUN ? left : ADAMW_RUN); k++)
        x[k] = y[k] + 3 * z[k];
}

static int run_triad(struct bench *b, double *units, struct err *e)
{
    (void)e;
    par_for(b->par, adamw_runs(b->m->plan.size), triad, b);
    *units = 3.0 * sizeof(float) * (double)b->m->plan.size;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------- */

struct work {
    const char *name, *who, *as; /* as: printed instead of the name */
    struct shape shape;
    enum model_mode mode;
    int attn;
    int (*prepare)(struct bench *b, struct err *e);
    int (*run)(struct bench *b, double *units, struct err *e);
};
static const struct work works[] = {
    {"decode1", "ours", 0, {1, 1, 64, 64}, MODEL_SAMPLE, 0, NULL, run_decode},
    {"decode8", "ours", 0, {1, 8, 64, 64}, MODEL_SAMPLE, 0, NULL, run_decode},
    {"decode32", "ours", 0, {4, 8, 64, 64}, MODEL_SAMPLE, 0, NULL, run_decode},
    {"decode8-attn", "ours", 0, {1, 8, 64, 64}, MODEL_SAMPLE, 1, NULL, run_decode},
    {"decode32-attn", "ours", 0, {4, 8, 64, 64}, MODEL_SAMPLE, 1, NULL, run_decode},
    {"score", "ours", 0, {8, 1, 64, 64}, MODEL_SAMPLE, 1, prepare_score, run_score},
    {"score-group",
     "ours",
     0,
     {1, 8, 64, 64},
     MODEL_SAMPLE,
     1,
     prepare_score,
     run_score},
    {"train", "ours", 0, {8, 1, 64, 64}, MODEL_COMPUTE, 0, prepare_train, run_train},
    {"adamw", "ours", 0, {1, 1, 1, 1}, MODEL_COMPUTE, 0, prepare_optimizer, run_adamw},
    {"triad",
     "triad",
     "adamw",
     {1, 1, 1, 1},
     MODEL_COMPUTE,
     0,
     prepare_triad,
     run_triad},
};

struct opts {
    const char *model;
    enum kern_dtype dtype;
    int threads;
    size_t times;
    struct shape shape; /* 0: the work's own */
};

static struct shape shaped(const struct shape *own, const struct shape *asked)
{
    return (struct shape){asked->groups ? asked->groups : own->groups,
                          asked->cands ? asked->cands : own->cands,
                          asked->P ? asked->P : own->P, asked->T ? asked->T : own->T};
}

static int open_bench(struct bench *b, const struct opts *o, const struct work *w,
                      struct err *e)
{
    const struct kern_opts kern = {
        .dtype = o->dtype,
        .round = w->mode == MODEL_COMPUTE ? KERN_ROUND_BOTH : KERN_ROUND_WEIGHTS};
    int rc = par_new(&b->par, (size_t)o->threads, e);

    b->s = shaped(&w->shape, &o->shape);
    b->attn = w->attn;
    if (rc >= 0)
        rc = kern_new(&b->kern, b->par, &kern, e);
    if (rc >= 0)
        rc = model_open(&b->m, o->model, b->kern, w->mode, e);
    if (rc >= 0 && w->attn)
        rc = capture_spec_parse(&b->spec, b->m, "upper", "mean", "mean", e);
    if (rc < 0)
        return rc;
    const size_t n = b->s.groups * (b->s.P + b->s.cands * b->s.T);
    b->ids = take(n, sizeof *b->ids);
    for (size_t i = 0; i < n; i++)
        b->ids[i] = (int32_t)((i * 31 + 5) % b->m->arch.V);
    return w->prepare ? w->prepare(b, e) : 0;
}

static void close_bench(struct bench *b)
{
    struct trainer *t = &b->t;
    void *const owned[] = {b->ids,      b->scored,   b->resp,    b->numbers, t->item,
                           t->logp,     t->dlogp,    t->dh,      t->norm,    t->run,
                           b->triad[0], b->triad[1], b->triad[2]};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    scorer_free(b->scorer);
    pass_free(t->pass);
    head_free(t->head);
    batch_release(&t->batch);
    arena_release(&t->arena);
    capture_spec_release(&b->spec);
    model_close(b->m);
    kern_free(b->kern);
    par_free(b->par);
}

static void measure(const struct opts *o, const struct work *w)
{
    struct bench b = {0};
    struct err e = {0};
    double units;
    int rc = open_bench(&b, o, w, &e);

    for (size_t i = 0; i <= o->times && rc >= 0; i++) {
        const double t = now(o->threads);

        rc = w->run(&b, &units, &e);
        if (i > 0 && rc >= 0) /* the first one warms up */
            report(o->dtype == KERN_BF16 ? "ours-bf16" : w->who,
                   w->as ? w->as : w->name, now(o->threads) - t, units,
                   peak_kb(RUSAGE_SELF));
    }
    if (rc < 0)
        die("model", &e);
    close_bench(&b);
}

/* ---- the command line -------------------------------------------------------------------- */

static void usage(void)
{
    fputs("usage: model -m MODEL [-j THREADS] [-n TIMES] [-G GROUPS] [-N CANDIDATES]\n"
          "             [-P PROMPT] [-T TOKENS] [-b] WORK ...\n"
          "  -b  with weights in bf16; training, products\nworks:",
          stderr);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        fprintf(stderr, " %s", works[i].name);
    fputs("\n", stderr);
    exit(2);
}

static size_t number(const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);

    if (*end || n < 1 || n > 1 << 20)
        usage();
    return n;
}

static const struct work *find(const char *name)
{
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    usage();
    return NULL;
}

int main(int argc, char **argv)
{
    struct opts o = {.threads = 1, .times = 3};
    int c;

    while ((c = getopt(argc, argv, "bm:j:n:G:N:P:T:")) != -1)
        switch (c) {
        case 'b': o.dtype = KERN_BF16; break;
        case 'm': o.model = optarg; break;
        case 'j': o.threads = (int)number(optarg); break;
        case 'n': o.times = number(optarg); break;
        case 'G': o.shape.groups = number(optarg); break;
        case 'N': o.shape.cands = number(optarg); break;
        case 'P': o.shape.P = number(optarg); break;
        case 'T': o.shape.T = number(optarg); break;
        default: usage();
        }
    if (!o.model || optind == argc)
        usage();
    for (int i = optind; i < argc; i++)
        measure(&o, find(argv[i]));
    return 0;
}
