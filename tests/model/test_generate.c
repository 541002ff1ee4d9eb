/*
 * Generation: greedy tokens against PyTorch; and the laws: what a candidate is depends
 * neither on rows, threads nor company; its log-probabilities and its captured attention
 * are those of teacher-forced scoring.
 */
#include "model/generate.h"
#include "model/score.h"

#include "../support/bf16_emulated.h"
#include "../support/golden_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = {
#define DECODER(name) name,
#define STORED(name) name,
#define ADAPTER(name) name,
#define ENCDEC(name) name,
#define CACHED(name) name,
#include "../golden/models.h"
};
enum { FAMILIES = sizeof families / sizeof *families };

/* Prompts in some order; keeps what comes back by prompt and candidate. */
enum { PROMPTS = 3, CANDS = 5, MAX_T = 24, MAX_BLOCKS = 64, MAX_P = 64 };

struct kept {
    size_t T;
    int32_t ids[MAX_T];
    float logp[MAX_T];
    float *rows, *outside;
    enum generate_finish finish;
};
struct run {
    struct machine mc;
    struct model *m;
    int32_t *ids[PROMPTS];
    size_t P[PROMPTS];
    size_t prompts, cands;
    size_t order[PROMPTS], at;
    struct kept got[PROMPTS][CANDS];
};

static int source(void *ctx, struct generate_prompt *p, struct err *e)
{
    struct run *r = ctx;

    (void)e;
    if (r->at == r->prompts)
        return 0;
    const size_t i = r->order[r->at++];
    *p = (struct generate_prompt){r->ids[i], r->P[i], 1000 + i, r->cands,
                                  (void *)(uintptr_t)i};
    return 1;
}

/* 0 where there is no such machine. */
static int run_open_on(struct run *r, const char *name, size_t threads,
                       enum model_mode mode, const struct kern_opts *on)
{
    char path[GOLDEN_PATH], file[128];
    struct safetensors st;
    struct err e = {0};

    *r = (struct run){.prompts = PROMPTS, .cands = CANDS, .order = {0, 1, 2}};
    if (!machine_new(&r->mc, threads, on))
        return 0;
    cr_assert_geq(model_open(&r->m, golden_path(path, name), r->mc.k, mode, &e), 0,
                  "%s", e.text);
    snprintf(file, sizeof file, "%s/expected.safetensors", name);
    golden_open(&st, file);
    for (int i = 0; i < PROMPTS; i++) {
        r->ids[i] = golden_ids(&st, &r->P[i], "s%d.input_ids", i % 2);
        if (i == 2)
            r->P[i] = r->P[i] / 2;
    }
    safetensors_close(&st);
    return 1;
}

static void run_open(struct run *r, const char *name, size_t threads,
                     enum model_mode mode)
{
    cr_assert(run_open_on(r, name, threads, mode, NULL));
}

static void run_close(struct run *r)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        free(r->ids[i]);
        for (size_t c = 0; c < CANDS; c++) {
            free(r->got[i][c].rows);
            free(r->got[i][c].outside);
        }
    }
    model_close(r->m);
    machine_free(&r->mc);
}

static float *copy(const float *x, size_t n)
{
    float *y = x ? floats(n) : NULL;

    if (y)
        memcpy(y, x, n * sizeof *y);
    return y;
}

static void generate(struct run *r, struct generate_opts o)
{
    const struct generate_completion *c;
    struct generator *g;
    struct err e = {0};
    size_t n = 0;
    int rc;

    o.source = source;
    o.ctx = r;
    cr_assert_geq(generator_new(&g, r->m, &o, &e), 0, "%s", e.text);
    while ((rc = generator_next(g, &c, &e)) > 0) {
        const size_t i = (size_t)(uintptr_t)c->tag;
        const size_t b = o.capture ? capture_blocks(o.capture, r->m) : 0;
        struct kept *k = &r->got[i][c->cand];

        cr_assert_eq(i, r->order[n / r->cands]);
        cr_assert_eq(c->cand, n % r->cands);
        cr_assert_eq(c->P, r->P[i]);
        cr_assert(c->T >= 1 && c->T <= MAX_T);
        k->T = c->T;
        k->finish = c->finish;
        memcpy(k->ids, c->ids, c->T * sizeof *c->ids);
        memcpy(k->logp, c->logp, c->T * sizeof *c->logp);
        k->rows = copy(c->rows, b * c->T * c->P);
        k->outside = copy(c->outside, b * c->T);
        n++;
    }
    cr_assert_eq(rc, 0, "%s", e.text);
    cr_assert_eq(n, r->prompts * r->cands);
    generator_free(g);
}

ParameterizedTestParameters(generate, greedy)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, generate, greedy)
{
    struct run r;
    struct safetensors st;
    char file[128];

    run_open(&r, families[*i], 2, MODEL_SAMPLE);
    snprintf(file, sizeof file, "%s/expected.safetensors", families[*i]);
    golden_open(&st, file);
    r.prompts = 2;
    r.cands = 1;
    generate(&r, (struct generate_opts){
                     .rows = 4, .max_tokens = 16, .sample = {.top_p = 1}});
    for (int s = 0; s < 2; s++) {
        size_t n, m;
        int32_t *want = golden_ids(&st, &n, "s%d.greedy", s);
        float *margin = golden_must(&st, &m, "s%d.greedy_margin", s);

        cr_assert_eq(r.got[s][0].T, n);
        for (size_t t = 0; t < n; t++)
            if (margin[t] > 2e-4f)
                cr_expect_eq(r.got[s][0].ids[t], want[t], "%s: s%d token %zu",
                             families[*i], s, t);
        free(want);
        free(margin);
    }
    safetensors_close(&st);
    run_close(&r);
}

static struct generate_opts sampling(size_t rows)
{
    static const int32_t eos[] = {2, 3, 5, 8};

    return (struct generate_opts){.rows = rows,
                                  .max_tokens = 17,
                                  .sample = {.temperature = 0.9, .top_p = 1},
                                  .seed = 7,
                                  .eos = eos,
                                  .neos = 4};
}

static void expect_same(const struct run *a, const struct run *b, const char *what)
{
    for (size_t i = 0; i < PROMPTS; i++)
        for (size_t c = 0; c < CANDS; c++) {
            const struct kept *x = &a->got[i][c], *y = &b->got[i][c];

            cr_assert_eq(x->T, y->T, "%s: prompt %zu cand %zu", what, i, c);
            cr_expect_eq(memcmp(x->ids, y->ids, x->T * sizeof *x->ids), 0, "%s", what);
            cr_expect_eq(memcmp(x->logp, y->logp, x->T * sizeof *x->logp), 0, "%s",
                         what);
            cr_expect_eq(x->finish, y->finish, "%s", what);
            if (x->rows && y->rows)
                cr_expect_eq(memcmp(x->rows, y->rows, x->T * a->P[i] * sizeof(float)),
                             0, "%s", what);
        }
}

/* Bytes do not depend on rows, threads, the order of prompts, or whether attention is
 * kept on the way. */
Test(generate, batch_invariant)
{
    static const char *const names[] = {
        "llama-tiny", "gpt2-tiny",          "mistral-tiny", "smollm2-tiny",
        "qwen3-tiny", "gptneox-tiny",       "gemma2-tiny",  "gemma3-tiny",
        "olmo2-tiny", "llama-dynamic-tiny", "t5-tiny",      "llama-tiny-lora"};

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct run a, b;
        struct capture_spec spec;
        struct err e = {0};
        size_t ends = 0;

        run_open(&a, names[k], 1, MODEL_SAMPLE);
        generate(&a, sampling(1));
        for (size_t i = 0; i < PROMPTS * CANDS; i++)
            ends += a.got[i / CANDS][i % CANDS].finish == GENERATE_EOS;
        cr_expect(k != 0 || (ends > 0 && ends < PROMPTS * CANDS));

        run_open(&b, names[k], 1, MODEL_SAMPLE);
        generate(&b, sampling(4));
        expect_same(&a, &b, "4 rows");
        run_close(&b);

        run_open(&b, names[k], 2, MODEL_SAMPLE);
        generate(&b, sampling(13));
        expect_same(&a, &b, "2 threads, 13 rows");
        run_close(&b);

        run_open(&b, names[k], 2, MODEL_SAMPLE);
        b.order[0] = 2, b.order[1] = 0, b.order[2] = 1;
        generate(&b, sampling(6));
        expect_same(&a, &b, "another order");
        run_close(&b);

        run_open(&b, names[k], 2, MODEL_SAMPLE);
        cr_assert_geq(capture_spec_parse(&spec, b.m, NULL, NULL, NULL, &e), 0);
        struct generate_opts o = sampling(3);
        o.capture = &spec;
        generate(&b, o);
        expect_same(&a, &b, "with capture");
        capture_spec_release(&spec);
        run_close(&b);
        run_close(&a);
    }
}

/* The largest differences between what was captured while drawing and what scoring gives,
 * and the largest value of a row. */
struct gap {
    double rows, outside, logp, biggest;
};

/* Rows of attention are distributions: with what is outside the prompt they add up to 1. */
static void expect_mass(const float *rows, const float *outside, size_t nrows, size_t P,
                        const char *name)
{
    for (size_t t = 0; t < nrows; t++) {
        double mass = outside[t];

        for (size_t j = 0; j < P; j++)
            mass += rows[t * P + j];
        cr_expect_float_eq(mass, 1, 1e-5, "%s: a row adds up to %g", name, mass);
    }
}

static void widen_gap(struct gap *g, const struct kept *k,
                      const struct score_response *r, size_t nrows, size_t P)
{
    g->logp = fmax(g->logp, worst_difference(k->logp, r->logp, k->T));
    g->rows = fmax(g->rows, worst_difference(k->rows, r->rows, nrows * P));
    g->outside = fmax(g->outside, worst_difference(k->outside, r->outside, nrows));
    for (size_t j = 0; j < nrows * P; j++)
        g->biggest = fmax(g->biggest, k->rows[j]);
}

/* Scores what run a drew for prompt i with s, a scorer of the same model that captures
 * blocks rows for each token. */
static void recompute(const struct run *a, size_t i, struct scorer *s, size_t blocks,
                      struct score_response resp[CANDS])
{
    struct err e = {0};

    for (size_t c = 0; c < CANDS; c++) {
        const size_t T = a->got[i][c].T;

        resp[c] = (struct score_response){.ids = a->got[i][c].ids,
                                          .T = T,
                                          .temperature = 0.9f,
                                          .logp = floats(T),
                                          .rows = floats(blocks * T * a->P[i]),
                                          .outside = floats(blocks * T)};
    }
    cr_assert_geq(score_group(s, a->ids[i], a->P[i], resp, CANDS, &e), 0, "%s", e.text);
}

/* How far all that run a drew is from what s says of it. */
static struct gap gap_of(const struct run *a, struct scorer *s, size_t blocks)
{
    struct gap g = {0};

    for (size_t i = 0; i < PROMPTS; i++) {
        struct score_response resp[CANDS] = {0};

        recompute(a, i, s, blocks, resp);
        for (size_t c = 0; c < CANDS; c++) {
            const struct kept *k = &a->got[i][c];

            widen_gap(&g, k, &resp[c], blocks * k->T, a->P[i]);
            free(resp[c].logp);
            free(resp[c].rows);
            free(resp[c].outside);
        }
    }
    return g;
}

/* What was captured while drawing, and the log-probabilities, again by scoring. */
static void check_recompute(const char *name, const char *layers, const char *heads,
                            const char *reduce)
{
    struct run a, b;
    struct capture_spec spec, spec2;
    struct scorer *s;
    struct err e = {0};

    run_open(&a, name, 2, MODEL_SAMPLE);
    cr_assert_geq(capture_spec_parse(&spec, a.m, layers, heads, reduce, &e), 0);
    struct generate_opts o = sampling(4);
    o.capture = &spec;
    generate(&a, o);

    run_open(&b, name, 2, MODEL_COMPUTE);
    cr_expect_eq(a.m->hash, b.m->hash);
    cr_assert_geq(capture_spec_parse(&spec2, b.m, layers, heads, reduce, &e), 0);
    cr_assert_geq(scorer_new(&s, b.m, &spec2, 0, &e), 0);
    const size_t blocks = capture_blocks(&spec, a.m);
    const struct gap g = gap_of(&a, s, blocks);
    for (size_t i = 0; !reduce && i < PROMPTS * CANDS; i++) {
        const struct kept *k = &a.got[i / CANDS][i % CANDS];

        expect_mass(k->rows, k->outside, blocks * k->T, a.P[i / CANDS], name);
    }
    const double near = 1e-5 * fmax(1, g.biggest);
    cr_expect_leq(g.rows, near, "%s: rows differ by %g", name, g.rows);
    cr_expect_leq(g.outside, near, "%s: masses differ by %g", name, g.outside);
    cr_expect_leq(g.logp, 1e-4, "%s: logp differs by %g", name, g.logp);
    cr_expect_gt(g.biggest, 0.01);
    scorer_free(s);
    capture_spec_release(&spec);
    capture_spec_release(&spec2);
    run_close(&a);
    run_close(&b);
}

Test(generate, capture_equals_recomputation)
{
    check_recompute("llama-tiny", NULL, NULL, NULL);
    check_recompute("t5-tiny", NULL, NULL, NULL);
    check_recompute("t5v11-tiny", "1:", "each", "norm");
    check_recompute("bart-tiny", "all", "mean", "norm");
    check_recompute("gpt2-tiny", "all", "each", NULL);
    check_recompute("mistral-tiny", "last", "mean", NULL);
    check_recompute("qwen2-yarn-tiny", "all", "each", NULL);
    check_recompute("qwen3-tiny", "all", "each", NULL);
    check_recompute("gptneox-tiny", "all", "each", "norm");
    check_recompute("gemma2-tiny", "all", "each", "norm");
    check_recompute("gemma3-tiny", "all", "each", NULL);
    check_recompute("olmo2-tiny", "all", "mean", "norm");
    check_recompute("phi3-tiny", "all", "each", NULL);
    check_recompute("llama-dynamic-tiny", "all", "each", NULL);
    check_recompute("smollm2-tiny", "1:", "mean", "norm");
    check_recompute("llama3-tiny", ":1", "each", "norm");
}

static int stop_at_three(void *ctx, size_t slot, const struct generate_completion *c)
{
    (void)ctx;
    cr_expect_lt(slot, 4u);
    return c->T == 3;
}

Test(generate, stops_and_limits)
{
    struct run r;

    run_open(&r, "llama-tiny", 1, MODEL_SAMPLE);
    struct generate_opts o = sampling(4);
    o.neos = 0;
    o.stop = stop_at_three;
    generate(&r, o);
    for (size_t i = 0; i < PROMPTS; i++)
        for (size_t c = 0; c < CANDS; c++) {
            cr_expect_eq(r.got[i][c].finish, GENERATE_STOP);
            cr_expect_eq(r.got[i][c].T, 3u);
        }
    run_close(&r);

    run_open(&r, "llama-tiny", 1, MODEL_SAMPLE);
    o.stop = NULL;
    r.m->arch.context = r.P[0] + 2; /* the context cuts the longest one earlier */
    generate(&r, o);
    cr_expect_eq(r.got[0][0].finish, GENERATE_LENGTH);
    cr_expect_eq(r.got[0][0].T, 2u, "prompt and response are the whole context");
    run_close(&r);
}

/* In bf16 arithmetic keys and values are kept in half the memory while drawing, and as rounded
 * floats while scoring: the same numbers. */
static const struct kern_opts bf16_ways[] = {
    BF16_WAYS,
};
static const char *const bf16_models[] = {"llama-tiny", "gemma2-tiny", "t5-tiny"};
enum {
    BF16_KINDS = sizeof bf16_ways / sizeof *bf16_ways,
    BF16_MODELS = sizeof bf16_models / sizeof *bf16_models
};

ParameterizedTestParameters(generate, bf16_attends_with_the_same_bits)
{
    return each_index(BF16_KINDS * BF16_MODELS);
}
ParameterizedTest(size_t *n, generate, bf16_attends_with_the_same_bits)
{
    const char *name = bf16_models[*n % BF16_MODELS];
    struct run a;
    struct capture_spec spec;
    struct scorer *s;
    struct err e = {0};

    if (!run_open_on(&a, name, 2, MODEL_SAMPLE, &bf16_ways[*n / BF16_MODELS]))
        return;
    cr_assert_geq(capture_spec_parse(&spec, a.m, "all", "each", NULL, &e), 0);
    struct generate_opts o = sampling(4);
    o.capture = &spec;
    generate(&a, o);
    cr_assert_geq(scorer_new(&s, a.m, &spec, 0, &e), 0);
    const struct gap g = gap_of(&a, s, capture_blocks(&spec, a.m));
    cr_expect_eq(g.rows, 0, "%s: rows differ by %g", name, g.rows);
    cr_expect_eq(g.outside, 0, "%s: masses differ by %g", name, g.outside);
    cr_expect_leq(g.logp, 1e-5, "%s: logp differs by %g", name, g.logp);
    cr_expect_gt(g.biggest, 0.01);
    scorer_free(s);
    capture_spec_release(&spec);
    run_close(&a);
}
