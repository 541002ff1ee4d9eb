/*
 * Updates on tiny golden models: gradients of every algorithm's whole loss by finite
 * differences, and that a number depends neither on threads nor on how a batch is cut.
 * test_torch.c has the numbers of torch.
 */
#include "base/file.h"
#include "base/rng.h"
#include "bench.h"
#include "io/safetensors.h"
#include "train/state.h"

#include <criterion/parameterized.h>
#include <unistd.h>

/* Groups of random tokens: `n` prompts with `cands` answers, lengths 1..9, each with a
 * reference and a sampler that are near uniform guesses. */
static void fill(struct bench *b, size_t n, size_t cands, uint64_t seed)
{
    const double u = -log((double)b->m->arch.V);

    for (size_t g = 0; g < n; g++) {
        int32_t prompt[16], ids[16];
        float logp[16], ref[16];
        const size_t P = 1 + (size_t)(7 * rng_uniform(seed, g, 0, 0));
        for (size_t j = 0; j < P; j++)
            prompt[j] =
                (int32_t)((double)b->m->arch.V * rng_uniform(seed, g, 1, (uint32_t)j));
        ok(b, train_data_group(&b->d, prompt, P, &b->e));
        for (size_t c = 0; c < cands; c++) {
            const uint32_t k = (uint32_t)(10 + c);
            const size_t T = 1 + (size_t)(8 * rng_uniform(seed, g, k, 99));
            for (size_t t = 0; t < T; t++) {
                ids[t] = (int32_t)((double)b->m->arch.V *
                                   rng_uniform(seed, g, k, (uint32_t)t));
                logp[t] =
                    (float)(u + rng_uniform(seed, g, k, (uint32_t)(200 + t)) - .5);
                ref[t] = (float)(u + rng_uniform(seed, g, k, (uint32_t)(300 + t)) - .5);
            }
            const struct train_new nc = {.T = T,
                                         .ids = ids,
                                         .logp = logp,
                                         .ref = ref,
                                         .reward = rng_uniform(seed, g, k, 77) +
                                                   1 / (double)(1 + c),
                                         .temperature = 0.8,
                                         .ended = c % 2 == 0};
            ok(b, train_data_cand(&b->d, &nc, &b->e));
        }
    }
}

/* ---- finite differences --------------------------------------------------------------- */

static const enum algo_kind algos[] = {ALGO_PPO, ALGO_GRPO, ALGO_RLOO, ALGO_REINFORCE,
                                       ALGO_SFT, ALGO_DPO,  ALGO_RM};
enum { NALGOS = sizeof algos / sizeof *algos };

/* TOK_OLD a little off what the model says, so that ratios differ from 1 and stay
 * inside the clip range; near it, sums would cancel. */
static void wobble(struct train_data *d)
{
    for (size_t k = 0; k < train_data_tokens(d); k++) {
        d->tok[TOK_OLD][k] += 0.02 * (rng_uniform(1, 2, 3, (uint32_t)k) - .5);
        d->tok[TOK_REF][k] =
            d->tok[TOK_OLD][k] + 0.5 * (rng_uniform(1, 2, 4, (uint32_t)k) - .5);
    }
}

static void forget_sampler(struct bench *b)
{
    for (size_t c = 0; c < b->d.ncands; c++)
        b->d.cand[c].has_logp = 0;
}

static void fill_head(struct train *t)
{
    if (t->head.C)
        for (size_t i = 0; i <= t->head.C; i++)
            t->head.w[i] = (float)(0.2 * (rng_uniform(9, 9, 9, (uint32_t)i) - .5));
}

static double loss_at(struct bench *b, float *x, const float *g, size_t n,
                      const float *base, double h)
{
    struct train_result r = {0};

    for (size_t i = 0; i < n; i++)
        x[i] = base[i] + (float)h * g[i];
    ok(b, train_gradient(b->t, &b->d, &r, &b->e));
    return r.loss;
}

/* Along the gradient g itself, (L(x + h g) - L(x - h g)) / 2h is |g|^2. */
static void check_direction(struct bench *b, float *x, const float *grad, size_t n,
                            double h, const char *what)
{
    float *g = malloc(n * sizeof *g), *base = malloc(n * sizeof *base);
    double norm = 0;

    memcpy(g, grad, n * sizeof *g);
    memcpy(base, x, n * sizeof *base);
    for (size_t i = 0; i < n; i++)
        norm += (double)g[i] * g[i];
    norm = sqrt(norm);
    cr_assert_gt(norm, 1e-6, "%s: no gradient", what);
    for (size_t i = 0; i < n; i++)
        g[i] /= (float)norm;
    h /= 1 + norm / 10; /* a steep loss bends within a shorter step */
    const double a = loss_at(b, x, g, n, base, h), c = loss_at(b, x, g, n, base, -h);
    const double a2 = loss_at(b, x, g, n, base, 2 * h);
    const double c2 = loss_at(b, x, g, n, base, -2 * h);
    const double slope = (8 * (a - c) - (a2 - c2)) / (12 * h);
    cr_expect_float_eq(slope, norm, 3e-3 * norm, "%s: gradient %.8g, differences %.8g",
                       what, norm, slope);
    memcpy(x, base, n * sizeof *x);
    free(g);
    free(base);
}

ParameterizedTestParameters(step, finite_differences)
{
    static size_t index[2 * NALGOS];

    for (size_t i = 0; i < 2 * NALGOS; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, 2 * NALGOS);
}
ParameterizedTest(size_t *which, step, finite_differences)
{
    const enum algo_kind k = algos[*which % NALGOS];
    struct bench b;
    struct train_result r;

    bench_open(&b, *which < NALGOS ? "llama-tiny" : "t5v11-tiny", 1);
    bench_algo(&b, k);
    b.o.algo.policy.low = b.o.algo.policy.high = 10; /* no corner near */
    if (k != ALGO_DPO && k != ALGO_RM)
        b.o.algo.entropy_coef = 0.03;
    if (k != ALGO_RM)
        b.o.epochs = 2; /* old log-probabilities have a pass of their own */
    b.o.algo.value_clip = 100;
    b.o.algo.value_trunk = k == ALGO_PPO; /* a score has its whole model anyway */
    bench_start(&b);
    fill_head(b.t);
    fill(&b, 3, 2, 11);
    forget_sampler(&b);
    ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
    if (k != ALGO_RM)
        wobble(&b.d);
    ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
    check_direction(&b, b.m->params, b.t->grads, b.m->plan.size, 4e-3,
                    algo_get(k)->name);
    if (b.t->head.C) {
        ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
        check_direction(&b, b.t->head.w, b.t->head.g, b.t->head.C + 1, 1e-2, "head");
    }
    bench_close(&b);
}

/* ---- the critic on the policy's trunk -------------------------------------------------- */

/* The model's gradient under PPO, for these weights of the value loss; malloc'd. */
static float *ppo_gradient(double coef, double trunk, size_t *n)
{
    struct bench b;
    struct train_result r;

    bench_open(&b, "llama-tiny", 1);
    bench_algo(&b, ALGO_PPO);
    b.o.algo.value_coef = coef;
    b.o.algo.value_trunk = trunk;
    bench_start(&b);
    fill_head(b.t);
    fill(&b, 3, 2, 11);
    forget_sampler(&b);
    ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
    ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
    *n = b.m->plan.size;
    float *g = malloc(*n * sizeof *g);
    memcpy(g, b.t->grads, *n * sizeof *g);
    bench_close(&b);
    return g;
}

/* With share 0 the weight of the value loss does not matter to the model, to the bit; a
 * share between is between: g(s) = g(0) + s (g(1) - g(0)). */
Test(step, critic_leaves_the_trunk_alone)
{
    size_t n;
    float *none = ppo_gradient(0, 1, &n), *apart = ppo_gradient(50, 0, &n);
    float *whole = ppo_gradient(2, 1, &n), *half = ppo_gradient(2, .5, &n);
    double moved = 0, worst = 0;

    cr_expect_eq(memcmp(none, apart, n * sizeof *none), 0);
    for (size_t i = 0; i < n; i++) {
        const double full = (double)whole[i] - none[i],
                     part = (double)half[i] - none[i];
        moved = fmax(moved, fabs(full));
        worst = fmax(worst, fabs(part - .5 * full));
    }
    cr_expect_gt(moved, 1e-3, "the critic moves the trunk by %g", moved);
    cr_expect_leq(worst, 1e-5 * moved, "off by %g of %g", worst, moved);
    free(none);
    free(apart);
    free(whole);
    free(half);
}

/* ---- the first step -------------------------------------------------------------------- */

Test(step, first_ratio_is_one)
{
    static const enum algo_kind kinds[] = {ALGO_PPO, ALGO_GRPO, ALGO_RLOO};

    for (size_t i = 0; i < 3; i++) {
        struct bench b;
        struct train_result r;
        bench_open(&b, "llama-tiny", 1);
        bench_algo(&b, kinds[i]);
        bench_start(&b);
        fill(&b, 4, 3, 12);
        forget_sampler(&b);
        ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
        ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
        cr_expect_lt(r.first_ratio_dev, 1e-5);
        cr_expect(r.stats.policy.clipped == 0);
        bench_close(&b);
    }
}

Test(step, samples_of_another_model_are_refused)
{
    struct bench b;
    struct train_result r;

    bench_open(&b, "llama-tiny", 1);
    bench_algo(&b, ALGO_GRPO);
    bench_start(&b);
    fill(&b, 2, 2, 13);
    const float was = b.m->params[0];
    cr_expect_eq(train_update(b.t, &b.d, &r, &b.e), ERR_RECORD);
    cr_expect(strstr(b.e.text, "--off-policy") != NULL, "%s", b.e.text);
    cr_expect(b.m->params[0] == was, "nothing was changed");
    b.o.off_policy = 1;
    bench_start(&b);
    ok(&b, train_update(b.t, &b.d, &r, &b.e));
    bench_close(&b);
}

Test(step, not_a_number_takes_no_step)
{
    struct bench b;
    struct train_result r;

    bench_open(&b, "llama-tiny", 1);
    bench_algo(&b, ALGO_SFT);
    bench_start(&b);
    fill(&b, 2, 1, 14);
    const size_t n = b.m->plan.size;
    float *was = malloc(n * sizeof *was);
    b.m->params[b.m->norm] = INFINITY;
    memcpy(was, b.m->params, n * sizeof *was);
    cr_expect_eq(train_update(b.t, &b.d, &r, &b.e), ERR_NUMERIC);
    cr_expect_eq(memcmp(was, b.m->params, n * sizeof *was), 0);
    cr_expect_eq(b.t->steps, 0);
    free(was);
    bench_close(&b);
}

/* ---- what must not matter --------------------------------------------------------------- */

/* The gradient with these rows and threads; malloc'd, n floats. */
static float *gradient(const char *family, enum algo_kind k, size_t rows,
                       size_t threads, size_t epochs, size_t *n)
{
    struct bench b;
    struct train_result r;

    bench_open(&b, family, threads);
    bench_algo(&b, k);
    b.o.rows = rows;
    b.o.epochs = epochs;
    bench_start(&b);
    fill(&b, 5, 4, 15);
    forget_sampler(&b);
    ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
    ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
    float *g = malloc(b.m->plan.size * sizeof *g);
    memcpy(g, b.t->grads, b.m->plan.size * sizeof *g);
    *n = b.m->plan.size;
    bench_close(&b);
    return g;
}

/* Of an encoder-decoder, what is cut is the batches of both. */
Test(step, cuts_and_threads)
{
    static const struct {
        const char *family;
        enum algo_kind kind;
    } of[] = {{"llama-tiny", ALGO_GRPO}, {"llama-tiny", ALGO_SFT},
              {"llama-tiny", ALGO_RM},   {"t5-tiny", ALGO_GRPO},
              {"t5-tiny", ALGO_RM},      {"bart-tiny", ALGO_GRPO}};

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        size_t n;
        float *whole = gradient(of[i].family, of[i].kind, 4096, 1, 1, &n);
        float *cut = gradient(of[i].family, of[i].kind, 20, 1, 1, &n);
        float *threads = gradient(of[i].family, of[i].kind, 4096, 3, 1, &n);
        double worst = 0, largest = 0;
        for (size_t j = 0; j < n; j++) {
            worst = fmax(worst, fabs((double)whole[j] - cut[j]));
            largest = fmax(largest, fabs((double)whole[j]));
        }
        cr_expect_leq(worst, 1e-5 * (1 + largest), "%s, %s: cut differs by %g of %g",
                      of[i].family, algo_get(of[i].kind)->name, worst, largest);
        cr_expect_eq(memcmp(whole, threads, n * sizeof *whole), 0, "threads matter");
        free(whole);
        free(cut);
        free(threads);
    }
}

/* Whatever the step before left in the block, in one micro-batch or in several. */
Test(step, a_gradient_begins_anew)
{
    static const struct {
        const char *family;
        enum algo_kind kind;
        size_t rows;
    } of[] = {{"llama-tiny", ALGO_PPO, 20},
              {"llama-tiny", ALGO_RM, 4096},
              {"gpt2-tiny", ALGO_SFT, 20},
              {"bart-tiny", ALGO_GRPO, 20}};

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        size_t n, off = 0;
        float *want = gradient(of[i].family, of[i].kind, of[i].rows, 2, 1, &n);
        struct bench b;
        struct train_result r;

        bench_open(&b, of[i].family, 2);
        bench_algo(&b, of[i].kind);
        b.o.rows = of[i].rows;
        bench_start(&b);
        fill(&b, 5, 4, 15);
        forget_sampler(&b);
        ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
        for (size_t j = 0; j < n; j++)
            b.t->grads[j] = NAN;
        for (size_t j = 0; j < (b.t->head.C ? b.t->head.C + 1 : 0); j++)
            b.t->head.g[j] = NAN;
        ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
        for (size_t j = 0; j < n; j++)
            off += !(b.t->grads[j] == want[j]);
        for (size_t j = 0; j < (b.t->head.C ? b.t->head.C + 1 : 0); j++)
            off += !isfinite(b.t->head.g[j]);
        cr_expect_eq(off, 0, "%s: %zu of %zu", of[i].family, off, n);
        free(want);
        bench_close(&b);
    }
}

/* A minibatch of prompts without answers has a gradient, too: 0. */
Test(step, no_answers_no_gradient)
{
    const int32_t prompt[] = {1, 2, 3};
    struct bench b;
    struct train_result r;

    bench_open(&b, "llama-tiny", 1);
    bench_algo(&b, ALGO_SFT);
    bench_start(&b);
    ok(&b, train_data_group(&b.d, prompt, 3, &b.e));
    ok(&b, train_prepare(b.t, &b.d, &r, &b.e));
    for (size_t j = 0; j < b.m->plan.size; j++)
        b.t->grads[j] = NAN;
    ok(&b, train_gradient(b.t, &b.d, &r, &b.e));
    for (size_t j = 0; j < b.m->plan.size; j++)
        cr_assert(b.t->grads[j] == 0, "%zu", j);
    bench_close(&b);
}

/* One step on a batch saves the pass for the old log-probabilities: same gradient. */
Test(step, fused_is_the_same)
{
    size_t n;
    float *fused = gradient("llama-tiny", ALGO_GRPO, 4096, 1, 1, &n);
    float *apart = gradient("llama-tiny", ALGO_GRPO, 4096, 1, 2, &n);

    for (size_t j = 0; j < n; j++)
        cr_expect_float_eq(fused[j], apart[j], 1e-6f);
    free(fused);
    free(apart);
}

/* ---- resuming ---------------------------------------------------------------------------- */

static void update_on(struct bench *b, uint64_t seed)
{
    struct train_result r;

    train_data_clear(&b->d);
    fill(b, 4, 3, seed);
    ok(b, train_update(b->t, &b->d, &r, &b->e));
}

/* Six policies more than are kept. */
static void fill_ring(struct train_cursor *c)
{
    for (c->npolicies = 0; c->npolicies < TRAIN_POLICIES + 6; c->npolicies++)
        c->policy[c->npolicies % TRAIN_POLICIES] = c->npolicies;
}

static void check_ring(const struct train_cursor *c)
{
    cr_expect_eq(c->npolicies, TRAIN_POLICIES);
    for (size_t i = 0; i < TRAIN_POLICIES; i++)
        cr_expect_eq(c->policy[i], i + 6, "the ring goes on at its oldest");
}

Test(state, goes_on_with_the_same_bits)
{
    char dir[] = "/tmp/cagsr-state-XXXXXX", path[4096];
    struct bench a, b;
    struct train_cursor in = {.groups = 7,
                              .hash = 0xfedcba9876543210u,
                              .episodes = 48,
                              .loss = 0.1},
                        out;
    struct checkpoint c = {0};

    fill_ring(&in);
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/at2", dir);
    bench_open(&a, "llama-tiny", 1);
    bench_algo(&a, ALGO_PPO);
    a.o.off_policy = 1;
    a.o.epochs = 2;
    a.o.minibatch = 2;
    a.o.kl.target = 3;
    a.o.kl.horizon = 100;
    bench_start(&a);
    update_on(&a, 21);
    update_on(&a, 22);
    ok(&a, model_rehash(a.m, &a.e));
    ok(&a, checkpoint_begin(&c, path, CHECKPOINT_NEW, &a.e));
    ok(&a, model_write(a.m, &c, NULL, &a.e));
    ok(&a, train_state_write(a.t, &in, &c, &a.e));
    ok(&a, checkpoint_commit(&c, &a.e));
    checkpoint_abort(&c);
    update_on(&a, 23);

    bench_open(&b, "llama-tiny", 2);
    model_close(b.m);
    ok(&b, model_open(&b.m, path, b.kern, MODEL_COMPUTE, &b.e));
    b.o = a.o;
    bench_start(&b);
    ok(&b, train_state_read(b.t, &out, path, &b.e));
    cr_expect_eq(out.groups, in.groups);
    cr_expect_eq(out.hash, in.hash);
    cr_expect(out.episodes == in.episodes && out.loss == in.loss);
    check_ring(&out);
    cr_expect_eq(b.t->iterations, 2);
    update_on(&b, 23);
    const size_t n = a.m->plan.size * sizeof(float);
    cr_expect_eq(memcmp(a.m->params, b.m->params, n), 0);
    cr_expect_eq(memcmp(a.t->exp_avg_sq, b.t->exp_avg_sq, n), 0);
    cr_expect_eq(memcmp(a.t->head.w, b.t->head.w, (a.t->head.C + 1) * sizeof(float)),
                 0);
    cr_expect(a.t->kl.beta == b.t->kl.beta && a.t->kl.beta != .05);

    b.o.algo.kind = ALGO_GRPO;
    bench_start(&b);
    cr_expect_eq(train_state_read(b.t, &out, path, &b.e), ERR_FILE,
                 "another algorithm's state");
    bench_close(&a);
    bench_close(&b);
    snprintf(path, sizeof path, "rm -r %s", dir);
    cr_expect_eq(system(path), 0);
}
