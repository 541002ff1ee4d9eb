/*
 * Attention that is not causal: an encoder's rows among themselves, a decoder's rows
 * over an encoder's, and the bias by distance, against sums in double and finite
 * differences.
 */
#include "nn/attention.h"
#include "nn/relative.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Runs over rows of q, k, v side by side, (H + 2 G) D apart: E rows of an encoder; a
 * shared row and two responses of T rows behind it, causal; and the same responses over
 * the encoder's keys.
 */
enum { ENCODER, LEAD, SELF1, SELF2, CROSS1, CROSS2, RUNS, BUCKETS = 8 };

struct fixture {
    struct machine m;
    struct attn_shape s;
    struct attn_bias bias;
    size_t E, T, B, ld, S;
    float *qkv, *out, *lse, *a, *dqkv, *dpre[RUNS], *dbias, *scratch;
    float *table, *dtable;
    struct attn_store store[RUNS];
    struct attn_run run[RUNS];
    struct attn_grad grad[RUNS];
};

static size_t first_row(const struct fixture *f, size_t r)
{
    const size_t at[RUNS] = {0,        f->E,           f->E + 1, f->E + 1 + f->T,
                             f->E + 1, f->E + 1 + f->T};

    return at[r];
}

static size_t rows(const struct fixture *f, size_t r)
{
    return r == ENCODER ? f->E : r == LEAD ? 1 : f->T;
}

static void make_run(struct fixture *f, size_t r)
{
    const struct attn_shape *s = &f->s;
    const size_t n = rows(f, r), cross = r >= CROSS1, at = s->H * s->D;
    const size_t pre = cross ? f->E : r >= SELF1 ? 1 : 0;
    float *q = f->qkv + first_row(f, r) * f->ld;
    float *d = f->dqkv + r * f->B * f->ld + first_row(f, r) * f->ld;

    f->store[r] =
        (struct attn_store){zeros(attn_store_k(s, n, ATTN_EXACT)),
                            zeros(attn_store_v(s, n, ATTN_EXACT)), attn_store_cap(n)};
    f->dpre[r] = zeros(2 * (pre + 1) * s->G * s->D);
    f->run[r] = (struct attn_run){.q = q,
                                  .out = f->out + r * f->B * at,
                                  .lse = f->lse + r * f->B * s->H,
                                  .n = n,
                                  .at = cross || r >= SELF1 ? 1 : 0,
                                  .pre = pre,
                                  .prefix = cross ? f->store[ENCODER]
                                            : pre ? f->store[LEAD]
                                                  : f->store[r],
                                  .own = f->store[r],
                                  .all = cross || r == ENCODER ? f->E : 0};
    f->grad[r] = (struct attn_grad){.dout = f->a + r * f->B * at,
                                    .dq = d,
                                    .dk = cross ? NULL : d + at,
                                    .dv = cross ? NULL : d + at + s->G * s->D,
                                    .dpre = pre ? f->dpre[r] : NULL,
                                    .dbias = f->dbias + r * s->H * BUCKETS};
}

static int fixture_new(struct fixture *f, enum isa isa, size_t threads,
                       struct attn_shape s, size_t E, size_t T)
{
    *f = (struct fixture){.s = s, .E = E, .T = T, .B = E + 1 + 2 * T};
    if (!machine_new(&f->m, threads, &(struct kern_opts){.isa = isa}))
        return 0;
    f->ld = (s.H + 2 * s.G) * s.D;
    f->S = E > T + 1 ? E : T + 1;
    f->qkv = normals(f->B * f->ld, 1);
    f->a = normals(RUNS * f->B * s.H * s.D, 2);
    f->out = zeros(RUNS * f->B * s.H * s.D);
    f->lse = zeros(RUNS * f->B * s.H);
    f->dqkv = zeros(RUNS * f->B * f->ld);
    f->dbias = zeros(RUNS * s.H * BUCKETS);
    f->table = normals(BUCKETS * s.H, 3);
    f->dtable = zeros(BUCKETS * s.H);
    uint16_t *bucket = calloc(2 * f->S, sizeof *bucket);
    relative_buckets(bucket, f->S, BUCKETS, 20, RELATIVE_BOTH);
    f->bias = (struct attn_bias){floats(2 * f->S * s.H), bucket, f->S, BUCKETS};
    f->s.bias = &f->bias;
    f->scratch = floats(attn_scratch(f->m.k, &f->s, f->S + 1));
    for (size_t r = 0; r < RUNS; r++)
        make_run(f, r);
    return 1;
}

static void fixture_free(struct fixture *f)
{
    for (size_t r = 0; r < RUNS; r++) {
        free(f->store[r].k);
        free(f->store[r].v);
        free(f->dpre[r]);
    }
    free(f->bias.by_distance);
    free(f->bias.bucket);
    free(f->qkv);
    free(f->a);
    free(f->out);
    free(f->lse);
    free(f->dqkv);
    free(f->dbias);
    free(f->table);
    free(f->dtable);
    free(f->scratch);
    machine_free(&f->m);
}

static void forward(struct fixture *f, const struct attn_tap *tap)
{
    const size_t at = f->s.H * f->s.D;

    relative_expand(f->bias.by_distance, f->table, f->bias.bucket, f->S, f->s.H);
    for (size_t r = 0; r < CROSS1; r++)
        attn_store_put(&f->s, &f->store[r], 0, f->run[r].q + at,
                       f->run[r].q + at + f->s.G * f->s.D, f->ld, f->run[r].n);
    attn_forward(f->m.k, &f->s, f->run, RUNS, f->ld, at, tap, f->scratch);
}

/* The row that position j of run r is. */
static size_t key_row(const struct fixture *f, size_t r, size_t j)
{
    if (r == ENCODER || r >= CROSS1)
        return j;
    return j == 0 ? f->E : first_row(f, r) + j - 1;
}

static size_t keys(const struct fixture *f, size_t r, size_t i)
{
    return f->run[r].all ? f->E : f->run[r].at + i + 1;
}

/* Probabilities of query i of run r, head h, in double. */
static void naive(double *p, const struct fixture *f, size_t r, size_t i, size_t h)
{
    const struct attn_shape *s = &f->s;
    const size_t position = f->run[r].at + i, kv = s->H + h / (s->H / s->G);
    double sum = 0;

    for (size_t j = 0; j < keys(f, r, i); j++) {
        const size_t b = f->bias.bucket[f->S + j - position];
        const float *k = f->qkv + key_row(f, r, j) * f->ld + kv * s->D;

        p[j] = exp(s->scale * dot_double(f->run[r].q + i * f->ld + h * s->D, k, s->D) +
                   (double)f->table[b * s->H + h]);
        sum += p[j];
    }
    for (size_t j = 0; j < keys(f, r, i); j++)
        p[j] /= sum;
}

struct probe {
    struct fixture *f;
    double worst, mass;
    size_t seen;
};

static void compare(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    struct probe *pr = ctx;
    double q[128], sum = 0;

    cr_assert_eq(S, keys(pr->f, r, i));
    naive(q, pr->f, r, i, h);
    for (size_t j = 0; j < S; j++) {
        pr->worst = fmax(pr->worst, fabs(q[j] - (double)p[j]));
        sum += (double)p[j];
    }
    pr->mass = fmax(pr->mass, fabs(sum - 1));
    pr->seen++;
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;

    forward(f, NULL);
    return dot_double(f->a, f->out, RUNS * f->B * f->s.H * f->s.D);
}

/* dqkv's first B rows become the sum over all runs; dtable of all biases. */
static void backward(struct fixture *f)
{
    const size_t at = f->s.H * f->s.D, kv = f->s.G * f->s.D;

    attn_backward(f->m.k, &f->s, f->run, f->grad, RUNS, f->ld, at, f->ld, f->scratch);
    for (size_t r = 1; r < RUNS; r++) {
        for (size_t x = 0; x < f->B * f->ld; x++)
            f->dqkv[x] += f->dqkv[r * f->B * f->ld + x];
        for (size_t j = 0; j < f->run[r].pre; j++)
            for (size_t c = 0; c < kv; c++) {
                float *row = f->dqkv + key_row(f, r, j) * f->ld + at + c;

                row[0] += f->dpre[r][j * kv + c];
                row[kv] += f->dpre[r][(f->run[r].pre + j) * kv + c];
            }
    }
    relative_backward(f->dtable, f->dbias, RUNS, BUCKETS, f->s.H);
}

TheoryDataPoints(cross, agrees) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 6, 16, 40),
    DataPoints(size_t, 1, 15, 16, 37),
    DataPoints(size_t, 1, 20, 33),
};
Theory((int isa, size_t share, size_t D, size_t E, size_t T), cross, agrees)
{
    struct fixture f;
    struct probe pr = {.f = &f};

    if (!fixture_new(&f, (enum isa)isa, 1, (struct attn_shape){2 * share, 2, D, 0.6f},
                     E, T))
        return;
    forward(&f, &(struct attn_tap){compare, &pr});
    cr_expect_eq(pr.seen, (E + 1 + 4 * T) * f.s.H);
    cr_expect_lt(pr.worst, 3e-6);
    cr_expect_lt(pr.mass, 1e-5);
    fixture_free(&f);
}

TheoryDataPoints(cross, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 6, 20),
    DataPoints(size_t, 1, 7, 18),
    DataPoints(size_t, 1, 18),
};
Theory((int isa, size_t share, size_t D, size_t E, size_t T), cross, gradient)
{
    struct fixture f;

    if (!fixture_new(&f, (enum isa)isa, 2, (struct attn_shape){2 * share, 2, D, 0.4f},
                     E, T))
        return;
    forward(&f, NULL);
    backward(&f);
    cr_expect_lt(gradcheck(f.qkv, f.dqkv, f.B * f.ld, 1e-2f, loss, &f), 2e-3);
    cr_expect_lt(gradcheck(f.table, f.dtable, BUCKETS * f.s.H, 1e-2f, loss, &f), 2e-3);
    fixture_free(&f);
}

/* Rows decoded one at a time, and any number of threads, give the same bits. */
Test(cross, rows_alone_give_the_same_bits)
{
    struct fixture f, g;
    float out[256], lse[8];

    cr_assert(
        fixture_new(&f, ISA_AUTO, 1, (struct attn_shape){4, 2, 24, 0.3f}, 37, 20));
    cr_assert(
        fixture_new(&g, ISA_AUTO, 3, (struct attn_shape){4, 2, 24, 0.3f}, 37, 20));
    forward(&f, NULL);
    forward(&g, NULL);
    for (size_t r = 0; r < RUNS; r++)
        for (size_t i = 0; i < f.run[r].n; i++) {
            struct attn_run one = f.run[r];

            one.q += i * f.ld;
            one.at += i;
            one.n = 1;
            one.out = out;
            one.lse = lse;
            attn_forward(f.m.k, &f.s, &one, 1, f.ld, 96, NULL, f.scratch);
            cr_expect_eq(memcmp(out, f.run[r].out + i * 96, 96 * sizeof *out), 0,
                         "run %zu row %zu", r, i);
        }
    backward(&f);
    backward(&g);
    cr_expect_eq(memcmp(f.out, g.out, RUNS * f.B * 96 * sizeof(float)), 0);
    cr_expect_eq(memcmp(f.dqkv, g.dqkv, f.B * f.ld * sizeof(float)), 0);
    cr_expect_eq(memcmp(f.dtable, g.dtable, BUCKETS * 4 * sizeof(float)), 0);
    fixture_free(&f);
    fixture_free(&g);
}
