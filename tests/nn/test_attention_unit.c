/*
 * Attention's way back by the products of a unit, in software and the processor's, beside that by
 * vectors of the same rounded operands; and its laws.
 *
 * What differs are roundings of float32, which move a number in some thousand across a tie of
 * bfloat16's: by as much as one of its places.  Both are much further from what nothing was rounded
 * for.
 */
#include "nn/attention.h"

#include "../support/bf16_emulated.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Rows of q, k, v side by side: a prompt of P, two responses of T behind it; then the prompt as
 * an encoder, whose rows all see each other, and the first response's rows as those of a decoder
 * that look at it.
 */
enum { PROMPT, FIRST, SECOND, ENCODER, CROSS, RUNS };

struct fixture {
    struct attn_shape s;
    size_t P, T, ld, out_ld;
    float *qkv, *dout;
    float *out[RUNS], *lse[RUNS];
    struct attn_store store[3];
    struct attn_run run[RUNS];
};

/* Gradients of a run. */
struct grads {
    struct attn_grad of[RUNS];
    float *dqkv[RUNS], *dpre[RUNS];
};

static size_t first_row(const struct fixture *f, size_t r)
{
    return r == FIRST || r == CROSS ? f->P : r == SECOND ? f->P + f->T : 0;
}

static size_t rows_of(const struct fixture *f, size_t r)
{
    return r == PROMPT || r == ENCODER ? f->P : f->T;
}

static size_t prefix_of(const struct fixture *f, size_t r)
{
    return r == PROMPT || r == ENCODER ? 0 : f->P;
}

static size_t dqkv_size(const struct fixture *f, size_t r)
{
    return rows_of(f, r) * f->ld;
}

static size_t dpre_size(const struct fixture *f, size_t r)
{
    return 2 * prefix_of(f, r) * f->s.G * f->s.D;
}

static struct attn_store store_of(struct fixture *f, size_t r, enum attn_keep keep)
{
    const size_t n = rows_of(f, r);
    const struct attn_store st = {zeros(attn_store_k(&f->s, n, keep)),
                                  zeros(attn_store_v(&f->s, n, keep)),
                                  attn_store_cap(n), keep};
    const float *k = f->qkv + first_row(f, r) * f->ld + f->s.H * f->s.D;

    attn_store_put(&f->s, &st, 0, k, k + f->s.G * f->s.D, f->ld, n);
    return st;
}

static void fixture_new(struct fixture *f, struct attn_shape s, size_t P, size_t T,
                        enum attn_keep keep)
{
    const size_t B = P + 2 * T;

    *f = (struct fixture){.s = s, .P = P, .T = T};
    f->ld = (s.H + 2 * s.G) * s.D;
    f->out_ld = s.H * s.D;
    f->qkv = normals(B * f->ld, 1);
    f->dout = normals(B * f->out_ld, 2);
    for (size_t r = 0; r < 3; r++)
        f->store[r] = store_of(f, r, keep);
    for (size_t r = 0; r < RUNS; r++) {
        const size_t n = rows_of(f, r), pre = prefix_of(f, r);

        f->out[r] = zeros(n * f->out_ld);
        f->lse[r] = zeros(n * s.H);
        f->run[r] = (struct attn_run){.q = f->qkv + first_row(f, r) * f->ld,
                                      .out = f->out[r],
                                      .lse = f->lse[r],
                                      .n = n,
                                      .at = pre,
                                      .pre = pre,
                                      .own = r == CROSS ? (struct attn_store){0}
                                                        : f->store[r % ENCODER],
                                      .prefix = f->store[PROMPT],
                                      .all = r >= ENCODER ? P : 0};
    }
}

/* Without a window: what sees all has none. */
static size_t runs_of(const struct fixture *f)
{
    return f->s.window ? ENCODER : RUNS;
}

static void fixture_free(struct fixture *f)
{
    for (size_t r = 0; r < 3; r++) {
        free(f->store[r].k);
        free(f->store[r].v);
    }
    for (size_t r = 0; r < RUNS; r++) {
        free(f->out[r]);
        free(f->lse[r]);
    }
    free(f->qkv);
    free(f->dout);
}

/* Written over: whatever is there before. */
static float *nonsense(size_t n)
{
    float *x = floats(n + 1);

    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
    return x;
}

static void grads_new(struct grads *g, const struct fixture *f)
{
    const size_t at = f->s.H * f->s.D, kv = f->s.G * f->s.D;

    for (size_t r = 0; r < RUNS; r++) {
        const float *own = f->run[r].q + at, *prefix = f->qkv + at;
        float *d = g->dqkv[r] = nonsense(dqkv_size(f, r));

        for (size_t i = 0; i < rows_of(f, r) && r == CROSS; i++)
            memset(d + i * f->ld + at, 0, 2 * kv * sizeof *d);
        g->dpre[r] = nonsense(dpre_size(f, r));
        g->of[r] = (struct attn_grad){.own = {own, own + kv},
                                      .prefix = {prefix, prefix + kv},
                                      .dout = f->dout + first_row(f, r) * f->out_ld,
                                      .dq = d,
                                      .dk = r == CROSS ? NULL : d + at,
                                      .dv = r == CROSS ? NULL : d + at + kv,
                                      .dpre = g->dpre[r]};
    }
}

static void grads_free(struct grads *g)
{
    for (size_t r = 0; r < RUNS; r++) {
        free(g->dqkv[r]);
        free(g->dpre[r]);
    }
}

static void backward(struct kern *k, const struct fixture *f, struct grads *g)
{
    float *scratch = floats(attn_scratch(k, &f->s, f->P + f->T));

    grads_new(g, f);
    attn_backward(k, &f->s, f->run, g->of, runs_of(f), f->ld, f->out_ld, f->ld,
                  scratch);
    free(scratch);
}

/* How far a is from b, beside the length of b. */
static double off(const float *a, const float *b, size_t n)
{
    double d = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        all += (double)b[i] * b[i];
    }
    return n ? sqrt(d / all) : 0;
}

static double apart(const struct fixture *f, const struct grads *a,
                    const struct grads *b)
{
    double worst = 0;

    for (size_t r = 0; r < runs_of(f); r++) {
        const double d[] = {off(a->dqkv[r], b->dqkv[r], dqkv_size(f, r)),
                            off(a->dpre[r], b->dpre[r], dpre_size(f, r))};

        for (size_t i = 0; i < 2; i++)
            if (!(d[i] <= worst))
                worst = isnan(d[i]) ? INFINITY : d[i];
    }
    return worst;
}

static const struct kern_opts units[] = {
    {KERN_PACK, KERN_BF16, .unit = &emulated_avx512},
    {KERN_PACK, KERN_BF16, .unit = &emulated_amx},
    {KERN_PACK, KERN_BF16, ISA_PLAIN, .unit = &emulated_amx},
    {KERN_PACK, KERN_BF16, ISA_AVX512_BF16},
    {KERN_PACK, KERN_BF16, ISA_AMX},
};
enum { UNITS = sizeof units / sizeof *units };

static double compare(struct attn_shape s, size_t P, size_t T,
                      const struct kern_opts *unit, enum attn_keep keep)
{
    struct machine vectors, m;
    struct fixture f;
    struct grads a, b;

    if (!machine_new(&m, 2, unit))
        return 0;
    cr_assert(machine_new(&vectors, 1, NULL));
    cr_assert(attn_by_unit(m.k, &s));
    cr_assert_not(attn_by_unit(vectors.k, &s));
    fixture_new(&f, s, P, T, keep);
    float *scratch = floats(attn_scratch(vectors.k, &s, P + T));
    attn_forward(vectors.k, &s, f.run, runs_of(&f), f.ld, f.out_ld, NULL, scratch);
    backward(vectors.k, &f, &a);
    backward(m.k, &f, &b);
    const double d = apart(&f, &b, &a);
    grads_free(&a);
    grads_free(&b);
    free(scratch);
    fixture_free(&f);
    machine_free(&vectors);
    machine_free(&m);
    return d;
}

/* Heads to a key: 32, 96 or 160 queries of a block.  Rows: a part of one, one, three. */
static const struct shape {
    size_t share, D, P, T, window;
    float cap;
} shapes[] = {
    {1, 64, 37, 70, 0, 0},   {3, 64, 64, 32, 0, 0}, {5, 16, 37, 33, 0, 0},
    {3, 6, 37, 1, 0, 0},     {1, 80, 64, 65, 0, 0}, {3, 40, 37, 70, 5, 0},
    {1, 32, 37, 100, 66, 0}, {3, 64, 20, 40, 0, 2}, {1, 24, 37, 70, 5, 2},
    {3, 64, 1, 1, 0, 0},     {1, 64, 1, 31, 0, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

ParameterizedTestParameters(attention_unit, agrees)
{
    return each_index(UNITS * SHAPES);
}
ParameterizedTest(size_t *i, attention_unit, agrees)
{
    const struct shape *x = &shapes[*i % SHAPES];
    const struct attn_shape s = {2 * x->share, 2, x->D, .3f, x->window, x->cap};
    const double d = compare(s, x->P, x->T, &units[*i / SHAPES], ATTN_ROUNDED);

    /* of a row that sees two keys a tie may be all there is */
    cr_expect_leq(d, x->P == 1 ? 4e-3 : 1e-3, "unit %zu, shape %zu: %g", *i / SHAPES,
                  *i % SHAPES, d);
}

/* What is compared above would see roundings that are missing. */
Test(attention_unit, rounds)
{
    const struct attn_shape s = {6, 2, 64, .3f};
    const double d = compare(s, 37, 70, &units[1], ATTN_EXACT);

    cr_expect(d > 2e-3 && d < 2e-2, "%g", d);
}

/* A run's bits are those that it has alone, and whoever computes what. */
Test(attention_unit, runs_and_threads_do_not_matter)
{
    const struct attn_shape s = {6, 2, 40, .3f};
    struct fixture f;
    struct grads g[2];
    struct machine m[2];

    fixture_new(&f, s, 50, 77, ATTN_ROUNDED);
    for (size_t i = 0; i < 2; i++)
        cr_assert(machine_new(&m[i], 1 + 2 * i, &units[1]));
    float *scratch = floats(attn_scratch(m[0].k, &s, 127));
    attn_forward(m[0].k, &s, f.run, RUNS, f.ld, f.out_ld, NULL, scratch);
    backward(m[1].k, &f, &g[1]);
    grads_new(&g[0], &f);
    for (size_t r = 0; r < RUNS; r++) {
        attn_backward(m[0].k, &s, &f.run[r], &g[0].of[r], 1, f.ld, f.out_ld, f.ld,
                      scratch);
        cr_expect_eq(
            memcmp(g[0].dqkv[r], g[1].dqkv[r], dqkv_size(&f, r) * sizeof(float)), 0,
            "run %zu", r);
        cr_expect_eq(
            memcmp(g[0].dpre[r], g[1].dpre[r], dpre_size(&f, r) * sizeof(float)), 0,
            "run %zu", r);
    }
    for (size_t i = 0; i < 2; i++) {
        grads_free(&g[i]);
        machine_free(&m[i]);
    }
    free(scratch);
    fixture_free(&f);
}

/* Biases are for vectors to add: a unit is not asked. */
Test(attention_unit, not_with_a_bias)
{
    const struct attn_bias bias = {0};
    const struct attn_shape s = {.H = 2, .G = 1, .D = 32, .scale = 1, .bias = &bias};
    struct machine m;

    cr_assert(machine_new(&m, 1, &units[1]));
    cr_expect_not(attn_by_unit(m.k, &s));
    machine_free(&m);
}
