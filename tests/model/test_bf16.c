/*
 * Whole models in bf16 arithmetic: the numbers of torch with the same operands rounded
 * (golden/make_bf16.py), and how near that is to float32.
 *
 * What may differ from torch's: roundings of float32, which move a number in ten thousand
 * across a tie of bfloat16's.
 */
#include "../support/bf16_emulated.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct kern_opts ways[] = {
    BF16_WAYS,
};
static const char *const names[] = {"llama-tiny", "gpt2-tiny"};
enum { WAYS = sizeof ways / sizeof *ways, NAMES = sizeof names / sizeof *names };

/* A number near a tie of bfloat16's falls to its other side when anything before it is summed
 * otherwise: compilers that do not fuse a * b + c (-O1), norms that are off by 1e-6.  Then one
 * row's hidden state moves: the loss by up to 9.3e-4, a gradient by up to 5.3e-3, as seen;
 * where none falls they are off by 5e-7 and 6e-4.  Rounding nothing is off by .0021 and .019
 * at least. */
#define LOSS_MOVED 1e-3
#define MOVED 6e-3

/* The loss over both sequences, and its gradient. */
static double loss_gradient(struct golden_model *g, float *grads)
{
    struct head_item items[256];
    struct err e = {0};
    size_t n = 0;

    for (int s = 0; s < 2; s++) {
        size_t T;
        int32_t *ids = golden_ids(&g->want, &T, "s%d.input_ids", s);

        cr_assert_eq(batch_add(&g->b, BATCH_ALONE, ids, T, &e), s);
        for (size_t t = 0; t + 1 < T; t++)
            items[n++] = (struct head_item){g->b.seqs[s].row0 + t, ids[t + 1], 1.0f};
        free(ids);
    }
    return golden_loss_gradient(g, items, n, PASS_NEXT, grads);
}

static void golden_of(struct safetensors *st, const char *name)
{
    char file[64];

    snprintf(file, sizeof file, "bf16/%s.safetensors", name);
    golden_open(st, file);
}

/* All gradients in the plan's order, as the file has them. */
static float *wanted(const struct golden_model *g, const struct safetensors *st)
{
    const struct plan *plan = &g->m->plan;
    float *all = zeros(plan->size);

    for (size_t i = 0; i < plan->n; i++) {
        size_t n;
        float *x = golden_must(st, &n, "grad.%s", plan->param[i].name);

        plan_import(plan, &plan->param[i], all + plan->param[i].offset, x);
        free(x);
    }
    return all;
}

static double cosine(const float *a, const float *b, size_t n)
{
    return dot_double(a, b, n) / sqrt(dot_double(a, a, n) * dot_double(b, b, n));
}

ParameterizedTestParameters(bf16, gradients)
{
    return each_index(WAYS * NAMES);
}
ParameterizedTest(size_t *i, bf16, gradients)
{
    const char *name = names[*i % NAMES];
    struct golden_model g;
    struct safetensors half;
    size_t one;

    if (!golden_model_open_on(&g, name, &ways[*i / NAMES]))
        return;
    golden_of(&half, name);
    float *grads = zeros(g.m->plan.size);
    const double loss = loss_gradient(&g, grads);
    float *want = golden_must(&half, &one, "loss"),
          *f32 = golden_must(&g.want, &one, "loss");
    float *near = wanted(&g, &half), *whole = wanted(&g, &g.want);
    const double d = worst_difference(grads, near, g.m->plan.size);
    const double c = cosine(grads, whole, g.m->plan.size);

    cr_expect_leq(fabs(loss - *want), LOSS_MOVED, "%s: loss %g, not %g", name, loss,
                  *want);
    cr_expect_leq(d, MOVED, "%s: gradients differ by %g", name, d);
    /* eight bits: every operand is off by 2^-9 at most, of either sign */
    cr_expect_leq(fabs(loss - *f32), 0x1p-9 * *f32, "%s: loss %g, float32's %g", name,
                  loss, *f32);
    cr_expect_gt(c, .999, "%s: the cosine with float32's is %g", name, c);
    free(whole);
    free(near);
    free(f32);
    free(want);
    free(grads);
    safetensors_close(&half);
    golden_model_close(&g);
}

/* ---- sampling beside training ------------------------------------------------------- */

static const float *states(struct pass **p, struct model *m, struct batch *b,
                           enum pass_mode mode)
{
    const float *hidden;
    struct err e = {0};

    cr_assert_geq(pass_new(p, m, 0, mode, &e), 0);
    cr_assert_geq(pass_forward(*p, b, NULL, &hidden, &e), 0, "%s", e.text);
    return hidden;
}

/* Weights that are packed give the bits of those that are not: what is sampled is what is
 * trained.  (Of a model whose embedding is not the head, which is packed too.) */
ParameterizedTestParameters(bf16, sampler_is_trainer)
{
    return each_index(WAYS);
}
ParameterizedTest(size_t *i, bf16, sampler_is_trainer)
{
    char path[GOLDEN_PATH];
    struct golden_model g;
    struct model *packed;
    struct pass *p, *q;
    struct err e = {0};
    size_t T;

    if (!golden_model_open_on(&g, "llama-tiny", &ways[*i]))
        return;
    cr_assert_geq(
        model_open(&packed, golden_path(path, "llama-tiny"), g.mc.k, MODEL_SAMPLE, &e),
        0);
    int32_t *ids = golden_ids(&g.want, &T, "s0.input_ids");
    cr_assert_eq(batch_add(&g.b, BATCH_ALONE, ids, T, &e), 0);
    const float *trained = states(&p, g.m, &g.b, PASS_TRAIN);
    const float *sampled = states(&q, packed, &g.b, PASS_SCORE);

    cr_expect_eq(memcmp(trained, sampled, T * g.m->arch.C * sizeof *trained), 0,
                 "way %zu", *i);
    pass_free(q);
    pass_free(p);
    free(ids);
    model_close(packed);
    golden_model_close(&g);
}
