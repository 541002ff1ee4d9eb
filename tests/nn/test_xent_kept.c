/* Gradients from what is kept of logits as bfloat16, against double: within the rounding of that,
 * and the target's within float32's. */
#include "nn/xent_kept.h"

#include "../support/machine.h"
#include "tensor/dims.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows are no multiple of ORDERED_ROWS, and more than one. */
enum { N = 37, V_MOST = 2 * XENT_BLOCK + 857, PARTS = 3 };

struct fixture {
    struct machine m;
    size_t V;
    float *z, *dlogp, *dentropy;
    float temperature[N], logp[N], entropy[N], lse[N];
    int32_t target[N];
    struct xent_sums sums[N];
    uint16_t *e; /* (part, N, columns) */
    float peak[PARTS][N];
    struct xent_loss loss;
};

/* ---- rows of every kind --------------------------------------------------------------- */

enum kind {
    COMMON,
    WIDE,       /* logits over a range of 200 */
    RISING,     /* the last part has a logit that is 100 larger */
    FALLING,    /* the first has, and nothing is left of the others */
    LATE,       /* nothing is allowed in the first part */
    RULED_OUT,  /* every third token is not allowed */
    NO_TARGET,  /* the target is not */
    CERTAIN,    /* p of the target is 0.9999 */
    UNWEIGHTED, /* dlogp is 0 */
    KINDS
};

static float *row(const struct fixture *f, size_t n)
{
    return f->z + n * f->V;
}

static double lse_of(const struct fixture *f, size_t n)
{
    const double inv = 1 / (double)f->temperature[n];
    double max = -INFINITY, sum = 0;

    for (size_t v = 0; v < f->V; v++)
        max = fmax(max, (double)row(f, n)[v] * inv);
    for (size_t v = 0; v < f->V; v++)
        sum += exp((double)row(f, n)[v] * inv - max);
    return max + log(sum);
}

static void make_certain(struct fixture *f, size_t n)
{
    float *target = row(f, n) + f->target[n];

    *target = -INFINITY;
    *target = (float)((lse_of(f, n) + log(.9999 / .0001)) * (double)f->temperature[n]);
}

static void make_row(struct fixture *f, size_t n)
{
    float *z = row(f, n);

    for (size_t v = 0; v < f->V; v++)
        switch ((enum kind)(n % KINDS)) {
        case WIDE: z[v] *= 25; break;
        case LATE: z[v] = v < XENT_BLOCK ? -INFINITY : z[v] - 300; break;
        case RULED_OUT: z[v] = v % 3 == 1 ? -INFINITY : z[v] + 400; break;
        default: break;
        }
    switch ((enum kind)(n % KINDS)) {
    case RISING: z[f->V - 1 - n] = 100; break;
    case FALLING: z[n] = 100; break;
    case NO_TARGET: z[f->target[n]] = -INFINITY; break;
    case CERTAIN: make_certain(f, n); break;
    case UNWEIGHTED: f->dlogp[n] = 0; break;
    default: break;
    }
}

static int fixture_make(struct fixture *f, size_t threads, enum isa isa, size_t V)
{
    *f = (struct fixture){.V = V};
    if (!machine_new(&f->m, threads, &(struct kern_opts){.isa = isa}))
        return 0;
    f->z = normals(N * V, 1);
    f->dlogp = normals(N, 2);
    f->dentropy = normals(N, 3);
    f->e = (void *)floats(N * V / 2 + 1);
    for (size_t n = 0; n < N; n++) {
        f->target[n] = (int32_t)((n * 977 + 3 * XENT_BLOCK / 2) % V);
        f->temperature[n] = 0.6f + (float)(n % 4) * 0.3f;
        make_row(f, n);
    }
    f->loss = (struct xent_loss){f->sums,    f->target, f->temperature, f->lse,
                                 f->entropy, f->dlogp,  f->dentropy,    0.7f};
    return 1;
}

static void fixture_free(struct fixture *f)
{
    free(f->z);
    free(f->dlogp);
    free(f->dentropy);
    free(f->e);
    machine_free(&f->m);
}

/* ---- forward and back ------------------------------------------------------------------- */

static struct xent_kept part_at(struct fixture *f, size_t at)
{
    return (struct xent_kept){f->e + N * at, f->peak[at / XENT_BLOCK]};
}

/* Logits from..from+n-1 of all rows side by side; to be freed. */
static float *columns(const struct fixture *f, size_t from, size_t n)
{
    float *z = floats(N * n);

    for (size_t i = 0; i < N; i++)
        memcpy(z + i * n, row(f, i) + from, n * sizeof *z);
    return z;
}

static void forward(struct fixture *f)
{
    xent_begin(f->sums, N);
    for (size_t at = 0; at < f->V; at += XENT_BLOCK) {
        const size_t n = least(XENT_BLOCK, f->V - at);
        const struct xent_kept part = part_at(f, at);
        float *z = columns(f, at, n);

        xent_keep(f->m.k, f->sums, &part, z, f->target, f->temperature, N, at, n);
        free(z);
    }
    xent_end(f->sums, f->logp, f->entropy, f->lse, f->temperature, N);
}

/* dz (N, V), part by part; to be freed. */
static float *backward(struct fixture *f)
{
    float *dz = floats(N * f->V);

    for (size_t at = 0; at < f->V; at += XENT_BLOCK) {
        const size_t n = least(XENT_BLOCK, f->V - at);
        const struct xent_kept part = part_at(f, at);
        float *some = floats(N * n);

        xent_kept_backward(f->m.k, (struct xent_to){.floats = some}, &f->loss, &part, N,
                           at, n);
        for (size_t i = 0; i < N; i++)
            memcpy(dz + i * f->V + at, some + i * n, n * sizeof *dz);
        free(some);
    }
    return dz;
}

/* Sums get the bits that they have where nothing is kept. */
Test(xent_kept, sums_are_those_of_all_logits)
{
    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        float logp[N], entropy[N], lse[N];
        struct fixture f;

        if (!fixture_make(&f, 2, (enum isa)isa, V_MOST))
            continue;
        forward(&f);
        xent_forward(f.m.k, logp, entropy, lse, f.z, f.target, f.temperature, N, f.V);
        cr_expect_eq(memcmp(logp, f.logp, sizeof logp), 0, "%d", isa);
        cr_expect_eq(memcmp(entropy, f.entropy, sizeof entropy), 0, "%d", isa);
        cr_expect_eq(memcmp(lse, f.lse, sizeof lse), 0, "%d", isa);
        fixture_free(&f);
    }
}

/* ---- against double ---------------------------------------------------------------------- */

/* A gradient and what its terms are made of: how far off it may be is so much of them. */
struct want {
    double dz, terms;
};

static struct want want_of(const struct fixture *f, size_t n, size_t v, double lse,
                           double h)
{
    const double inv = 1 / (double)f->temperature[n];
    const double logp = (double)row(f, n)[v] * inv - lse, p = exp(logp);
    const double k = inv * (double)f->loss.scale;
    const double a = (double)f->dlogp[n] * k;
    const double b = f->loss.dentropy ? (double)f->dentropy[n] * k : 0;
    const double spread = p > 0 ? p * (logp + h) : 0;

    if (v == (size_t)f->target[n]) /* logp and h are float32 */
        return (struct want){a * -expm1(logp) - b * spread,
                             fabs(a * expm1(logp)) +
                                 (p > 0 ? fabs(b) * p * (h - logp) : 0)};
    return (struct want){-a * p - b * spread,
                         fabs(a) * p + fabs(b) * (p + fabs(spread))};
}

static double entropy_of(const struct fixture *f, size_t n, double lse)
{
    double h = 0;

    for (size_t v = 0; v < f->V; v++) {
        const double logp = (double)row(f, n)[v] / (double)f->temperature[n] - lse;

        if (logp > -700)
            h -= exp(logp) * logp;
    }
    return h;
}

/* Half of the last of bfloat16's eight bits, and a little, however small; of the target's, what is
 * float32's. */
static const struct tolerance {
    double relative, absolute;
} rounded = {0x1.02p-8, 1e-30}, exact = {1e-5, 1e-13};

static void check_row(const struct fixture *f, const float *dz, size_t n)
{
    const double lse = lse_of(f, n), h = entropy_of(f, n, lse);
    double sum = 0, terms = 0;

    for (size_t v = 0; v < f->V; v++) {
        const struct want w = want_of(f, n, v, lse, h);
        const struct tolerance *t = v == (size_t)f->target[n] ? &exact : &rounded;
        const double d = fabs((double)dz[v] - w.dz);

        cr_assert(d <= t->relative * w.terms + t->absolute,
                  "kind %zu, %zu of %d: %g, not %g", n % KINDS, v, f->target[n],
                  (double)dz[v], w.dz);
        sum += (double)dz[v];
        terms += w.terms;
    }
    /* adding a number to all logits changes nothing; roundings go both ways */
    cr_expect_leq(fabs(sum), 0x1p-10 * terms + 1e-12, "kind %zu: %g of %g", n % KINDS,
                  sum, terms);
}

/* Few tokens: logits of one kind. */
static void make_few(struct fixture *f, size_t V)
{
    f->V = V;
    for (size_t n = 0; n < N; n++) {
        f->target[n] %= (int32_t)V;
        for (size_t v = 0; v < V; v++)
            row(f, n)[v] = (float)((v * 31 + n * 7) % 19) / 3;
    }
}

TheoryDataPoints(xent_kept, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 64, 99, 2 * XENT_BLOCK + 192, V_MOST),
    DataPoints(int, 0, 1),
};
Theory((int isa, size_t V, int with_entropy), xent_kept, gradient)
{
    struct fixture f;

    if (!fixture_make(&f, 2, (enum isa)isa, V > 99 ? V : V_MOST))
        return;
    if (V <= 99)
        make_few(&f, V);
    if (!with_entropy)
        f.loss.dentropy = NULL;
    forward(&f);
    float *dz = backward(&f);
    for (size_t n = 0; n < N; n++)
        check_row(&f, dz + n * V, n);
    free(dz);
    fixture_free(&f);
}

/* ---- laws -------------------------------------------------------------------------------- */

/* In order they are the same numbers, put in order. */
Test(xent_kept, in_order)
{
    enum { COLS = XENT_BLOCK };
    const size_t bytes = ordered_bytes(N, COLS);

    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        struct fixture f;

        if (!fixture_make(&f, 3, (enum isa)isa, V_MOST))
            continue;
        const struct ordered got = {N, COLS, (void *)zeros(bytes / 4),
                                    (void *)zeros(bytes / 4)};
        const struct ordered want = {N, COLS, (void *)zeros(bytes / 4),
                                     (void *)zeros(bytes / 4)};
        const struct xent_kept part = part_at(&f, COLS);
        float *dz = floats(N * COLS);

        forward(&f);
        xent_kept_backward(f.m.k, (struct xent_to){.floats = dz}, &f.loss, &part, N,
                           COLS, COLS);
        ordered_put(&want, f.m.k, dz, COLS, 0, N, 0, COLS);
        xent_kept_backward(f.m.k, (struct xent_to){.ordered = &got}, &f.loss, &part, N,
                           COLS, COLS);
        cr_expect_eq(memcmp(got.rows, want.rows, bytes), 0, "%d", isa);
        cr_expect_eq(memcmp(got.columns, want.columns, bytes), 0, "%d", isa);
        free(got.rows);
        free(got.columns);
        free(want.rows);
        free(want.columns);
        free(dz);
        fixture_free(&f);
    }
}

Test(xent_kept, the_same_at_any_number_of_threads)
{
    float *want = NULL;

    for (size_t threads = 1; threads <= 3; threads++) {
        struct fixture f;

        cr_assert(fixture_make(&f, threads, ISA_AUTO, V_MOST));
        forward(&f);
        float *dz = backward(&f);
        want = want ? want : memcpy(floats(N * f.V), dz, N * f.V * sizeof *dz);
        cr_expect_eq(memcmp(dz, want, N * f.V * sizeof *dz), 0, "%zu", threads);
        free(dz);
        fixture_free(&f);
    }
    free(want);
}

/* All gradients of row 1, in which logit `at` is bad, are none; of other rows all are numbers. */
static void check_bad(size_t at, float bad, int with_entropy)
{
    struct fixture f;

    cr_assert(fixture_make(&f, 2, ISA_AUTO, V_MOST));
    if (!with_entropy)
        f.loss.dentropy = NULL;
    row(&f, 1)[at] = bad;
    forward(&f);
    float *dz = backward(&f);
    for (size_t v = 0; v < N * f.V; v++)
        cr_assert_eq(isnan(dz[v]), v / f.V == 1, "%zu: %zu", at, v);
    free(dz);
    fixture_free(&f);
}

Test(xent_kept, nan_is_seen)
{
    for (size_t at = 5; at < V_MOST; at += XENT_BLOCK)
        for (int with_entropy = 0; with_entropy < 2; with_entropy++) {
            check_bad(at, NAN, with_entropy);
            check_bad(at, INFINITY, with_entropy);
        }
}
