/*
 * Laws of whole models on random weights: a packed batch is its sequences one by one; a
 * shared prompt is the prompt in front of each response, forward and backward; gradients
 * are those of finite differences.
 */
#include "model/head.h"
#include "model/pass.h"
#include "model/score.h"

#include "../support/bf16_emulated.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"
#include "../support/group_fixture.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The loss -sum w logp over the group's tokens, and with grads its gradient.  `shared`:
 * one prompt for all; else one sequence for each response. */
struct group {
    struct fixture *f;
    enum { MADE_AGAIN, HELD } logits; /* on the way back */
    struct pass *p;
    struct head *h;
    struct batch b;
    struct head_item items[64];
    size_t n;
    float logp[64], entropy[64];
};

static void pack(struct group *g, int shared)
{
    struct fixture *f = g->f;
    struct err e = {0};
    int prompt = -1;

    batch_clear(&g->b);
    g->n = 0;
    for (size_t i = 0; i < N; i++) {
        int32_t all[P + 16];
        int s;

        /* behind an encoder a prompt is never part of the response's own sequence */
        if (prompt < 0 || (!shared && f->m->encoder))
            prompt = shared || f->m->encoder
                         ? batch_prompt(&g->b, &f->m->arch, f->prompt, P, &e)
                         : BATCH_ALONE;
        memcpy(all, f->prompt, sizeof f->prompt);
        memcpy(all + P, f->ids[i], lengths[i] * sizeof *all);
        s = prompt >= 0 ? batch_add(&g->b, prompt, f->ids[i], lengths[i] - 1, &e)
                        : batch_add(&g->b, BATCH_ALONE, all, P + lengths[i] - 1, &e);
        cr_assert_geq(s, 0);
        for (size_t t = 0; t < lengths[i]; t++)
            g->items[g->n++] =
                (struct head_item){prompt >= 0 ? batch_row(&g->b, prompt, s, t)
                                               : g->b.seqs[s].row0 + P - 1 + t,
                                   f->ids[i][t], 0.8f};
    }
}

static double forward(void *ctx)
{
    struct group *g = ctx;
    const float *hidden;
    struct err e = {0};
    double loss = 0;

    cr_assert_geq(pass_forward(g->p, &g->b, NULL, &hidden, &e), 0, "%s", e.text);
    head_forward(g->h, hidden, g->items, g->n, g->logp, g->entropy);
    for (size_t i = 0; i < g->n; i++)
        loss += (0.1 + 0.05 * (double)i) * g->logp[i] + 0.2 * g->entropy[i];
    return loss;
}

static void backward(struct group *g, float *grads, enum pass_sum sum)
{
    const size_t C = g->f->m->arch.C;
    float *dh = zeros(g->b.B * C), dlogp[64], dentropy[64];
    const float *hidden;
    struct err e = {0};

    for (size_t i = 0; i < g->n; i++) {
        dlogp[i] = 0.1f + 0.05f * (float)i;
        dentropy[i] = 0.2f;
    }
    cr_assert_geq(pass_forward(g->p, &g->b, NULL, &hidden, &e), 0);
    if (g->logits == HELD) {
        head_forward(g->h, hidden, g->items, g->n, g->logp, g->entropy);
        head_backward_held(g->h, hidden, g->items, g->n, dlogp, dentropy, dh, grads);
    } else
        head_backward(g->h, hidden, g->items, g->n, dlogp, dentropy, dh, grads);
    pass_backward(g->p, &g->b, dh, grads, sum);
    free(dh);
}

static struct group group_new(struct fixture *f, int shared, enum pass_mode mode)
{
    struct group g = {.f = f};
    struct err e = {0};

    cr_assert_geq(pass_new(&g.p, f->m, 0, mode, &e), 0);
    cr_assert_geq(head_new(&g.h, f->m, HEAD_TRAIN, 0, &e), 0);
    pack(&g, shared);
    return g;
}

static void group_free(struct group *g)
{
    pass_free(g->p);
    head_free(g->h);
    batch_release(&g->b);
}

static double largest(const float *x, size_t n)
{
    double top = 0;

    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs(x[i]));
    return top;
}

/* What float32 sums in another order may differ by, against the largest gradient of the
 * parameter, or a hundredth of the model's.  Where a parameter has none, as the biases of keys, its
 * terms cancel, and what is left is their rounding: a few units in the last place of the model's. */
static void expect_equal_gradients(const struct plan *plan, const float *a,
                                   const float *b, const char *name)
{
    const double all = largest(a, plan->size);

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];
        const size_t n = p->rows * p->cols;
        const double own = largest(a + p->offset, n), top = fmax(own, 1e-2 * all);
        const double d = worst_difference(a + p->offset, b + p->offset, n);

        cr_expect_leq(d, own < FLT_EPSILON * all ? 4 * FLT_EPSILON * all : 1e-5 * top,
                      "%s: %s: %g of %g", name, p->name, d, top);
    }
}

Test(laws, a_shared_prompt_is_the_prompt_before_each)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;

        open_fixture(&f, names[k], 2);
        struct group a = group_new(&f, 1, PASS_TRAIN), b = group_new(&f, 0, PASS_TRAIN);
        float *ga = zeros(f.m->plan.size), *gb = zeros(f.m->plan.size);
        const double la = forward(&a), lb = forward(&b);

        cr_expect_float_eq(la, lb, 1e-4, "%s: %g, %g", names[k], la, lb);
        cr_expect_leq(worst_difference(a.logp, b.logp, a.n), 1e-5);
        backward(&a, ga, PASS_NEXT);
        backward(&b, gb, PASS_NEXT);
        expect_equal_gradients(&f.m->plan, ga, gb, names[k]);
        free(ga);
        free(gb);
        group_free(&a);
        group_free(&b);
        close_fixture(&f);
    }
}

/* What was in the block before a sum begins is in none of its gradients; the second pass is
 * added to the first. */
Test(laws, a_sum_of_gradients_needs_no_zeros)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;

        open_fixture(&f, names[k], 2);
        struct group g = group_new(&f, 1, PASS_TRAIN);
        const size_t n = f.m->plan.size;
        float *from_zeros = zeros(n), *sum = floats(n);

        for (size_t i = 0; i < n; i++)
            sum[i] = NAN;
        pass_clear(f.m, sum);
        backward(&g, sum, PASS_FIRST);
        backward(&g, from_zeros, PASS_NEXT);
        for (size_t pass = 0; pass < 2; pass++) {
            size_t off = 0;

            for (size_t i = 0; i < n; i++)
                off += !(sum[i] == from_zeros[i]);
            cr_expect_eq(off, 0, "%s: %zu of %zu", names[k], off, n);
            backward(&g, sum, PASS_NEXT);
            backward(&g, from_zeros, PASS_NEXT);
        }
        free(from_zeros);
        free(sum);
        group_free(&g);
        close_fixture(&f);
    }
}

Test(laws, finite_differences_through_the_model)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;

        open_fixture(&f, names[k], 2);
        if (f.m->arch.act == ACT_RELU) { /* differences across its kinks say nothing */
            close_fixture(&f);
            continue;
        }
        struct group g = group_new(&f, 1, PASS_TRAIN);
        float *grads = zeros(f.m->plan.size);
        size_t j = 0;

        backward(&g, grads, PASS_NEXT);
        for (size_t i = 0; i < f.m->plan.n; i += 1 + i / 4) {
            const struct plan_param *p = &f.m->plan.param[i];
            const size_t n = p->rows * p->cols < 24 ? p->rows * p->cols : 24;

            if (largest(grads + p->offset, n) <
                0.02) /* too flat for float32 differences */
                continue;
            cr_expect_lt(gradcheck(f.m->params + p->offset, grads + p->offset, n, 8e-3f,
                                   forward, &g),
                         1e-2, "%s: %s", names[k], p->name);
            j++;
        }
        cr_expect_gt(j, 3u);
        free(grads);
        group_free(&g);
        close_fixture(&f);
    }
}

/* As float32 and where products round what they multiply, which keeps halves. */
static const struct kern_opts ways[] = {{0}, BF16_WAYS};
enum { WAYS = sizeof ways / sizeof *ways };

ParameterizedTestParameters(laws, threads_do_not_matter)
{
    return each_index(WAYS);
}
ParameterizedTest(size_t *way, laws, threads_do_not_matter)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f[2];
        float *grads[2];

        for (size_t i = 0; i < 2; i++) {
            if (!open_fixture_on(&f[i], names[k], 1 + i, &ways[*way]))
                return;
            struct group g = group_new(&f[i], 1, PASS_TRAIN);
            grads[i] = zeros(f[i].m->plan.size);
            backward(&g, grads[i], PASS_NEXT);
            group_free(&g);
        }
        cr_expect_eq(memcmp(grads[0], grads[1], f[0].m->plan.size * sizeof(float)), 0,
                     "%s", names[k]);
        for (size_t i = 0; i < 2; i++) {
            free(grads[i]);
            close_fixture(&f[i]);
        }
    }
}

ParameterizedTestParameters(laws, recomputing_gives_the_same_bits)
{
    return each_index(WAYS);
}
ParameterizedTest(size_t *way, laws, recomputing_gives_the_same_bits)
{
    for (size_t k = 0; k < NAMES; k++) {
        struct fixture f;
        float *grads[3];

        if (!open_fixture_on(&f, names[k], 2, &ways[*way]))
            return;
        for (size_t i = 0; i < 3; i++) {
            struct group g = group_new(&f, 1, i == 1 ? PASS_RECOMPUTE : PASS_TRAIN);

            g.logits = i == 2 ? HELD : MADE_AGAIN;
            grads[i] = zeros(f.m->plan.size);
            backward(&g, grads[i], PASS_NEXT);
            group_free(&g);
        }
        for (size_t i = 1; i < 3; i++)
            cr_expect_eq(memcmp(grads[0], grads[i], f.m->plan.size * sizeof(float)), 0,
                         "%s: %zu", names[k], i);
        cr_expect_lt(pass_bytes(f.m, 512, PASS_RECOMPUTE),
                     pass_bytes(f.m, 512, PASS_TRAIN), "%s", names[k]);
        for (size_t i = 0; i < 3; i++)
            free(grads[i]);
        close_fixture(&f);
    }
}

/* The same where items are more than a chunk of logits holds: the group's, over and over. */
Test(laws, logits_at_hand_give_the_same_bits)
{
    static const char *const of[] = {"llama3-tiny", "gemma2-tiny"};
    enum { MANY = 1100 };

    for (size_t k = 0; k < 2; k++) {
        struct fixture f;
        struct head_item item[MANY];
        float logp[MANY], entropy[MANY], dlogp[MANY], dentropy[MANY];
        float *grads[2], *dh[2];
        const float *hidden;
        struct err e = {0};

        open_fixture(&f, of[k], 2);
        struct group g = group_new(&f, 1, PASS_TRAIN);
        const size_t n = g.b.B * f.m->arch.C, size = f.m->plan.size;

        cr_assert_gt((size_t)MANY, 2 * head_rows(f.m, 0));
        for (size_t i = 0; i < MANY; i++) {
            item[i] = g.items[i % g.n];
            item[i].temperature = 0.5f + (float)i / MANY;
            dlogp[i] = 0.1f + (float)i / MANY;
            dentropy[i] = 0.2f - (float)i / MANY;
        }
        cr_assert_geq(pass_forward(g.p, &g.b, NULL, &hidden, &e), 0);
        for (size_t i = 0; i < 2; i++) {
            grads[i] = zeros(size);
            dh[i] = zeros(n);
        }
        head_backward(g.h, hidden, item, MANY, dlogp, dentropy, dh[0], grads[0]);
        head_forward(g.h, hidden, item, MANY, logp, entropy);
        head_backward_held(g.h, hidden, item, MANY, dlogp, dentropy, dh[1], grads[1]);
        cr_expect_eq(memcmp(dh[0], dh[1], n * sizeof **dh), 0, "%s", of[k]);
        cr_expect_eq(memcmp(grads[0], grads[1], size * sizeof **grads), 0, "%s", of[k]);
        for (size_t i = 0; i < 2; i++) {
            free(grads[i]);
            free(dh[i]);
        }
        group_free(&g);
        close_fixture(&f);
    }
}

/* Rows of layer 0 weighed by what values add, of the first response. */
static void norm_rows(struct fixture *f, float *rows, float *outside)
{
    struct capture_spec spec;
    struct scorer *s;
    float logp[16];
    struct err e = {0};
    struct score_response r = {.ids = f->ids[0],
                               .T = lengths[0],
                               .logp = logp,
                               .rows = rows,
                               .outside = outside};

    cr_assert_geq(capture_spec_parse(&spec, f->m, "0", "each", "norm", &e), 0);
    cr_assert_geq(scorer_new(&s, f->m, &spec, 0, &e), 0);
    cr_assert_geq(score_group(s, f->prompt, P, &r, 1, &e), 0, "%s", e.text);
    scorer_free(s);
    capture_spec_release(&spec);
}

/* The gain of a norm behind W_O counts as if it were multiplied into W_O. */
Test(laws, the_gain_after_attention_is_part_of_its_output)
{
    static const char *const after[] = {"gemma2-tiny", "olmo2-tiny"};

    for (size_t k = 0; k < 2; k++) {
        struct fixture f;

        open_fixture(&f, after[k], 2);
        const struct arch *a = &f.m->arch;
        const struct model_layer *y = &f.m->layer[0];
        const size_t n = a->H * lengths[0] * P, width = a->H * a->D;
        float *rows[2] = {zeros(n), zeros(n)}, *outside = zeros(n);

        norm_rows(&f, rows[0], outside);
        for (size_t c = 0; c < a->C; c++) {
            float *g = f.m->params + y->post1 + c;

            for (size_t j = 0; j < width; j++)
                f.m->params[y->o + c * width + j] *= a->norm_offset + *g;
            *g = 1 - a->norm_offset;
        }
        norm_rows(&f, rows[1], outside);
        const double d = worst_difference(rows[0], rows[1], n);
        cr_expect_leq(d, 1e-5, "%s: %g", after[k], d);
        free(rows[0]);
        free(rows[1]);
        free(outside);
        close_fixture(&f);
    }
}
