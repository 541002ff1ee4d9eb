#include "nn/attention.h"

#include "../support/bf16_emulated.h"
#include "../support/golden.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"
#include "../support/stepping.h"
#include "tensor/dims.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * One prompt of P rows and two responses behind it, as a pass has them: rows of q, k, v
 * side by side, (H + 2 G) D apart.  `joined` runs compute prompt + response as one
 * sequence.
 */
enum { RESPONSES = 2, RUNS = RESPONSES + 1 };

struct fixture {
    struct machine m;
    struct attn_shape s;
    size_t P, T, B, ld;
    float *qkv, *out, *lse, *a, *dqkv, *dpre[RUNS], *scratch;
    struct attn_store store[RUNS];
    struct attn_run run[RUNS];
    struct attn_grad grad[RUNS];
};

static struct attn_store store_new(const struct attn_shape *s, size_t n)
{
    return store_kept(s, n, ATTN_EXACT);
}

static int fixture_new(struct fixture *f, enum isa isa, size_t threads,
                       struct attn_shape s, size_t P, size_t T)
{
    *f = (struct fixture){.s = s, .P = P, .T = T, .B = P + RESPONSES * T};
    if (!machine_new(&f->m, threads, &(struct kern_opts){.isa = isa}))
        return 0;
    f->ld = (s.H + 2 * s.G) * s.D;
    f->qkv = normals(f->B * f->ld, 1);
    f->out = zeros(f->B * s.H * s.D);
    f->lse = zeros(f->B * s.H);
    f->a = normals(f->B * s.H * s.D, 2);
    f->dqkv = zeros(f->B * f->ld);
    f->scratch = floats(attn_scratch(f->m.k, &s, P + T));
    for (size_t r = 0; r < RUNS; r++) {
        const size_t row = r ? P + (r - 1) * T : 0, n = r ? T : P;

        f->store[r] = store_new(&s, n);
        f->dpre[r] = zeros(2 * P * s.G * s.D);
        f->run[r] = (struct attn_run){.q = f->qkv + row * f->ld,
                                      .out = f->out + row * s.H * s.D,
                                      .lse = f->lse + row * s.H,
                                      .n = n,
                                      .at = r ? P : 0,
                                      .pre = r ? P : 0,
                                      .own = f->store[r]};
        if (r)
            f->run[r].prefix = f->store[0];
        float *d = f->dqkv + row * f->ld;
        f->grad[r] = (struct attn_grad){.dout = f->a + row * s.H * s.D,
                                        .dq = d,
                                        .dk = d + s.H * s.D,
                                        .dv = d + (s.H + s.G) * s.D,
                                        .dpre = r ? f->dpre[r] : NULL};
    }
    return 1;
}

static void fixture_free(struct fixture *f)
{
    for (size_t r = 0; r < RUNS; r++) {
        free(f->store[r].k);
        free(f->store[r].v);
        free(f->dpre[r]);
    }
    free(f->qkv);
    free(f->out);
    free(f->lse);
    free(f->a);
    free(f->dqkv);
    free(f->scratch);
    machine_free(&f->m);
}

static void fill_stores(struct fixture *f)
{
    for (size_t r = 0; r < RUNS; r++) {
        const float *k = f->run[r].q + f->s.H * f->s.D;

        attn_store_put(&f->s, &f->store[r], 0, k, k + f->s.G * f->s.D, f->ld,
                       f->run[r].n);
    }
}

static void forward(struct fixture *f, const struct attn_tap *tap)
{
    fill_stores(f);
    attn_forward(f->m.k, &f->s, f->run, RUNS, f->ld, f->s.H * f->s.D, tap, f->scratch);
}

/* The row in the batch of position j of run r. */
static size_t row_of(const struct fixture *f, size_t r, size_t j)
{
    return j < f->P ? j : f->P + (r - 1) * f->T + j - f->P;
}

/* Probabilities of query position i of run r, head h, in double; returns the lse. */
static double naive(double *p, const struct fixture *f, size_t r, size_t i, size_t h)
{
    const struct attn_shape *s = &f->s;
    const float *q = f->qkv + row_of(f, r, i) * f->ld + h * s->D;
    double sum = 0, top = -INFINITY;

    for (size_t j = 0; j <= i; j++) {
        const float *k =
            f->qkv + row_of(f, r, j) * f->ld + (s->H + h / (s->H / s->G)) * s->D;

        p[j] = s->scale * dot_double(q, k, s->D);
        if (s->cap > 0)
            p[j] = s->cap * tanh(p[j] / s->cap);
        if (s->window && j + s->window <= i)
            p[j] = -INFINITY;
        top = p[j] > top ? p[j] : top;
    }
    for (size_t j = 0; j <= i; j++)
        sum += p[j] = exp(p[j] - top);
    for (size_t j = 0; j <= i; j++)
        p[j] /= sum;
    return top + log(sum);
}

struct probe {
    struct fixture *f;
    double worst;
    size_t seen;
};

static void compare(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    struct probe *pr = ctx;
    double q[512];

    cr_assert_eq(S, pr->f->run[r].at + i + 1);
    naive(q, pr->f, r, S - 1, h);
    for (size_t j = 0; j < S; j++)
        pr->worst = fmax(pr->worst, fabs(q[j] - p[j]));
    pr->seen++;
}

static void check_forward(struct fixture *f)
{
    const struct attn_shape *s = &f->s;
    struct probe pr = {.f = f};
    double p[512], worst = 0;

    forward(f, &(struct attn_tap){compare, &pr}); /* one thread: see fixture_new */
    cr_expect_eq(pr.seen, f->B * s->H);
    cr_expect_lt(pr.worst, 3e-6);
    for (size_t r = 0; r < RUNS; r++)
        for (size_t i = 0; i < f->run[r].n * s->H; i++) {
            const size_t row = i / s->H, h = i % s->H, at = f->run[r].at + row;

            worst = fmax(worst, fabs(naive(p, f, r, at, h) - f->run[r].lse[i]));
            for (size_t d = 0; d < s->D; d++) {
                double y = 0;

                for (size_t j = 0; j <= at; j++)
                    y += p[j] * f->qkv[row_of(f, r, j) * f->ld +
                                       (s->H + s->G + h / (s->H / s->G)) * s->D + d];
                worst = fmax(worst, fabs(y - f->run[r].out[i * s->D + d]));
            }
        }
    cr_expect_lt(worst, 1e-5);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;

    forward(f, NULL);
    return dot_double(f->a, f->out, f->B * f->s.H * f->s.D);
}

/* The prefix's share of every response's gradient, added to the prompt's rows. */
static void backward(struct fixture *f)
{
    const size_t row = f->s.G * f->s.D, at = f->s.H * f->s.D;

    attn_backward(f->m.k, &f->s, f->run, f->grad, RUNS, f->ld, at, f->ld, f->scratch);
    for (size_t r = 1; r < RUNS; r++)
        for (size_t j = 0; j < f->P; j++)
            for (size_t c = 0; c < 2 * row; c++)
                f->dqkv[j * f->ld + at + c] +=
                    f->dpre[r][c < row ? j * row + c : f->P * row + j * row + c - row];
}

TheoryDataPoints(attention, agrees) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3, 4),
    DataPoints(size_t, 6, 16, 40),
    DataPoints(size_t, 1, 15, 16, 37),
    DataPoints(size_t, 1, 20, 33),
    DataPoints(size_t, 0, 1, 5, 18),
};
Theory((int isa, size_t share, size_t D, size_t P, size_t T, size_t window), attention,
       agrees)
{
    struct fixture f;
    const struct attn_shape s = {2 * share, 2, D, 0.6f, window};

    if (!fixture_new(&f, (enum isa)isa, 1, s, P, T))
        return;
    check_forward(&f);
    fixture_free(&f);
}

TheoryDataPoints(attention,
                 gradient) = {DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
                              DataPoints(size_t, 1, 3),
                              DataPoints(size_t, 6, 20),
                              DataPoints(size_t, 1, 7),
                              DataPoints(size_t, 1, 18),
                              DataPoints(size_t, 0, 5)};
Theory((int isa, size_t share, size_t D, size_t P, size_t T, size_t window), attention,
       gradient)
{
    struct fixture f;
    const struct attn_shape s = {2 * share, 2, D, 0.4f, window};

    if (!fixture_new(&f, (enum isa)isa, 2, s, P, T))
        return;
    forward(&f, NULL);
    backward(&f);
    cr_expect_lt(gradcheck(f.qkv, f.dqkv, f.B * f.ld, 1e-2f, loss, &f), 2e-3);
    fixture_free(&f);
}

TheoryDataPoints(attention, soft_caps) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 5),
    DataPoints(float, 0.5f, 4.0f),
};
Theory((int isa, size_t window, float cap), attention, soft_caps)
{
    struct fixture f;
    const struct attn_shape s = {6, 2, 10, 0.6f, window, cap};

    if (!fixture_new(&f, (enum isa)isa, 1, s, 7, 12))
        return;
    check_forward(&f);
    backward(&f);
    cr_expect_lt(gradcheck(f.qkv, f.dqkv, f.B * f.ld, 1e-2f, loss, &f), 2e-3);
    fixture_free(&f);
}

/* A response behind a shared prompt, at once, equals the same rows one query at a time:
 * the same bits, as generation needs them. */
Test(attention, decoding_gives_the_same_bits)
{
    struct fixture f;
    float out[256], scratch_lse[8];

    cr_assert(
        fixture_new(&f, ISA_AUTO, 2, (struct attn_shape){4, 2, 24, 0.3f, 0}, 37, 20));
    forward(&f, NULL);
    for (size_t r = 0; r < RUNS; r++)
        for (size_t i = 0; i < f.run[r].n; i++) {
            struct attn_run one = f.run[r];

            one.q += i * f.ld;
            one.at += i;
            one.n = 1;
            one.out = out;
            one.lse = scratch_lse;
            attn_forward(f.m.k, &f.s, &one, 1, f.ld, 96, NULL, f.scratch);
            cr_expect_eq(memcmp(out, f.run[r].out + i * 96, 96 * sizeof *out), 0,
                         "run %zu row %zu", r, i);
        }
    fixture_free(&f);
}

/* Each has the bits that it has alone, whoever else is there and however many threads share them
 * out. */
struct rows_told {
    const struct stepping *f;
    size_t next[STEPPING]; /* head */
    double sum[STEPPING]; /* of the probabilities of all heads, which are not rounded */
};

static void told(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    struct rows_told *t = ctx;

    cr_assert_eq(i, 0);
    cr_assert_eq(h, t->next[r]++);
    cr_assert_eq(S, t->f->run[r].at + 1);
    for (size_t j = 0; j < S; j++)
        t->sum[r] += p[j];
}

static const struct kern_opts ways[] = {
    {.isa = ISA_PLAIN}, {.isa = ISA_AVX2}, {.isa = ISA_AVX512}, BF16_WAYS};

TheoryDataPoints(attention, candidates_together) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    DataPoints(size_t, 1, 3, 60), /* more heads to a key than go together */
    DataPoints(size_t, 24, 64, 300),
    DataPoints(size_t, 1, 70),
    DataPoints(size_t, 0, 50),
    DataPoints(size_t, 1, 3),
};
Theory((int way, size_t share, size_t D, size_t P, size_t window, size_t threads),
       attention, candidates_together)
{
    const struct attn_shape s = {2 * share, 2, D, 0.2f, window};
    struct machine m;
    struct stepping f;

    if ((ways[way].unit && D > 64) || !machine_new(&m, threads, &ways[way]))
        return; /* in software it would take half a minute */
    stepping_new(&f, m.k, s, P,
                 ways[way].dtype == KERN_BF16 ? ATTN_HALVES : ATTN_EXACT);
    struct rows_told t = {.f = &f};
    attn_forward(m.k, &s, f.run, STEPPING, f.ld, f.ld, &(struct attn_tap){told, &t},
                 f.scratch);
    float *tapped = floats(STEPPING * f.ld), *lse = floats(STEPPING * s.H);
    memcpy(tapped, f.out, STEPPING * f.ld * sizeof *tapped);
    memcpy(lse, f.lse, STEPPING * s.H * sizeof *lse);
    attn_forward(m.k, &s, f.run, STEPPING, f.ld, f.ld, NULL, f.scratch);
    cr_expect_eq(memcmp(tapped, f.out, STEPPING * f.ld * sizeof *tapped), 0);
    for (size_t i = 0; i < STEPPING; i++) {
        cr_expect_eq(t.next[i], s.H);
        cr_expect_float_eq(t.sum[i], (double)s.H, 1e-5 * (double)s.H);
        attn_forward(m.k, &s, &f.run[i], 1, f.ld, f.ld, NULL, f.scratch);
    }
    cr_expect_eq(memcmp(tapped, f.out, STEPPING * f.ld * sizeof *tapped), 0);
    cr_expect_eq(memcmp(lse, f.lse, STEPPING * s.H * sizeof *lse), 0);
    free(tapped);
    free(lse);
    stepping_free(&f);
    machine_free(&m);
}

/* Kept in half the memory they are the numbers that they are rounded to, and these are not those
 * that were put. */
TheoryDataPoints(attention, halves) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 24, 300),
    DataPoints(size_t, 1, 70),
    DataPoints(size_t, 0, 50),
    DataPoints(size_t, 2),
};
Theory((int isa, size_t share, size_t D, size_t P, size_t window, size_t threads),
       attention, halves)
{
    const struct attn_shape s = {2 * share, 2, D, 0.2f, window};
    const size_t n = STEPPING * s.H * D;
    struct machine m;
    float *out[3];

    if (!machine_new(&m, threads, &(struct kern_opts){.isa = (enum isa)isa}))
        return;
    for (int keep = ATTN_EXACT; keep <= ATTN_HALVES; keep++) {
        struct stepping f;

        stepping_new(&f, m.k, s, P, (enum attn_keep)keep);
        attn_forward(m.k, &s, f.run, STEPPING, f.ld, f.ld, NULL, f.scratch);
        out[keep] = floats(n);
        memcpy(out[keep], f.out, n * sizeof *f.out);
        stepping_free(&f);
    }
    cr_expect_eq(memcmp(out[ATTN_ROUNDED], out[ATTN_HALVES], n * sizeof **out), 0);
    const double d = worst_difference(out[ATTN_EXACT], out[ATTN_ROUNDED], n);
    cr_expect(d > 1e-4 && d < .05, "%g", d);
    for (int keep = 0; keep < 3; keep++)
        free(out[keep]);
    machine_free(&m);
}

/* A query that brings its own key and value finds them in its store, whatever stood there, with and
 * without a tap. */
TheoryDataPoints(attention, a_query_brings_its_own) = {
    DataPoints(int, ATTN_EXACT, ATTN_ROUNDED, ATTN_HALVES),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 24, 300),
    DataPoints(size_t, 1, 70),
    DataPoints(size_t, 1, 3),
};
Theory((int keep, size_t share, size_t D, size_t P, size_t threads), attention,
       a_query_brings_its_own)
{
    const struct attn_shape s = {2 * share, 2, D, 0.2f};
    const size_t row = 2 * s.G * D;
    struct machine m;
    struct stepping f, g;

    cr_assert(machine_new(&m, threads, NULL));
    stepping_new(&f, m.k, s, P, (enum attn_keep)keep);
    stepping_new(&g, m.k, s, P, (enum attn_keep)keep);
    attn_forward(m.k, &s, f.run, STEPPING, f.ld, f.ld, NULL, f.scratch);
    for (int tapped = 0; tapped < 2; tapped++) {
        struct rows_told t = {.f = &g};

        for (size_t i = 0; i < STEPPING; i++) {
            const size_t stand = g.run[i].at - P;
            const float *kv = g.kv + (PROMPTS * P + i * g.own + stand) * row;

            attn_store_put(&s, &g.store[i], stand, g.kv, g.kv + s.G * D, row, 1);
            g.run[i].k = kv;
            g.run[i].v = kv + s.G * D;
        }
        attn_forward(m.k, &s, g.run, STEPPING, g.ld, g.ld,
                     tapped ? &(struct attn_tap){told, &t} : NULL, g.scratch);
        cr_expect_eq(memcmp(f.out, g.out, STEPPING * f.ld * sizeof *f.out), 0);
        for (size_t i = 0; i < STEPPING; i++) {
            const size_t k = attn_store_k(&s, f.own, (enum attn_keep)keep);

            cr_expect_eq(memcmp(f.store[i].k, g.store[i].k, k * sizeof *f.q), 0);
        }
    }
    stepping_free(&f);
    stepping_free(&g);
    machine_free(&m);
}

/* What lies behind a row in its store, finite as it is, does not matter. */
Test(attention, later_positions_do_not_matter)
{
    struct fixture f;

    cr_assert(fixture_new(&f, ISA_AUTO, 1, (struct attn_shape){3, 1, 16, 1, 0}, 5, 18));
    forward(&f, NULL);
    float *before = floats(f.B * 48);
    memcpy(before, f.out, f.B * 48 * sizeof *before);
    for (size_t r = 0; r < RUNS; r++) /* the last row of each run */
        for (size_t c = 0; c < f.ld; c++)
            f.qkv[(r ? f.P + r * f.T : f.P) * f.ld - f.ld + c] = 9;
    forward(&f, NULL);
    cr_expect_eq(memcmp(before, f.out, 4 * 48 * sizeof *before), 0);
    cr_expect_neq(memcmp(before + 4 * 48, f.out + 4 * 48, 48 * sizeof *before), 0);
    free(before);
    fixture_free(&f);
}

Test(attention, threads_do_not_matter)
{
    struct fixture f[2];

    for (size_t i = 0; i < 2; i++) {
        cr_assert(fixture_new(&f[i], ISA_AUTO, 1 + 2 * i,
                              (struct attn_shape){6, 3, 10, 0.5f, 0}, 40, 31));
        forward(&f[i], NULL);
        backward(&f[i]);
    }
    cr_expect_eq(memcmp(f[0].out, f[1].out, f[0].B * 60 * sizeof(float)), 0);
    cr_expect_eq(memcmp(f[0].dqkv, f[1].dqkv, f[0].B * f[0].ld * sizeof(float)), 0);
    for (size_t i = 0; i < 2; i++)
        fixture_free(&f[i]);
}
