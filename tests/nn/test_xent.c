#include "nn/xent.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAXN = 200 };

struct fixture {
    struct machine m;
    float *z, *dlogp, *dentropy, *logp, *entropy, *lse, *temperature;
    int32_t target[MAXN];
    size_t N, V;
};

static struct fixture fixture(size_t threads, enum isa isa, size_t N, size_t V, float t)
{
    struct fixture f = {.N = N, .V = V};

    if (!machine_new(&f.m, threads, &(struct kern_opts){.isa = isa}))
        return f;
    f.z = normals(N * V, 1);
    f.dlogp = normals(N, 2);
    f.dentropy = normals(N, 3);
    f.logp = floats(N);
    f.entropy = floats(N);
    f.lse = floats(N);
    f.temperature = floats(N);
    for (size_t n = 0; n < N; n++) {
        f.target[n] = (int32_t)(n * 31 % V);
        f.temperature[n] = t + (float)(n % 3) * 0.1f;
    }
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->z);
    free(f->dlogp);
    free(f->dentropy);
    free(f->logp);
    free(f->entropy);
    free(f->lse);
    free(f->temperature);
    machine_free(&f->m);
}

static void forward(struct fixture *f)
{
    xent_forward(f->m.k, f->logp, f->entropy, f->lse, f->z, f->target, f->temperature,
                 f->N, f->V);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;

    forward(f);
    return dot_double(f->dlogp, f->logp, f->N) +
           dot_double(f->dentropy, f->entropy, f->N);
}

static double logp_loss(void *ctx)
{
    struct fixture *f = ctx;

    forward(f);
    return dot_double(f->dlogp, f->logp, f->N);
}

TheoryDataPoints(xent, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 9),
    DataPoints(size_t, 1, 2, 16, 49),
    DataPoints(float, 0.5f, 1.0f, 2.0f),
};
Theory((int isa, size_t N, size_t V, float t), xent, gradient)
{
    struct fixture f = fixture(2, (enum isa)isa, N, V, t);

    if (!f.m.k)
        return;
    float *dz = floats(N * V);
    forward(&f);
    xent_backward(f.m.k, dz, f.z, f.target, f.temperature, f.lse, f.entropy, f.dlogp,
                  f.dentropy, N, V);
    cr_expect_lt(gradcheck(f.z, dz, N * V, 3e-2f, loss, &f), 1e-3, "%zu %zu", N, V);
    forward(&f); /* gradcheck left another point's lse */
    xent_backward(f.m.k, dz, f.z, f.target, f.temperature, f.lse, NULL, f.dlogp, NULL,
                  N, V);
    cr_expect_lt(gradcheck(f.z, dz, N * V, 3e-2f, logp_loss, &f), 1e-3);
    free(dz);
    fixture_free(&f);
}

/* Against double; logits far from 0 and a wide spread lose nothing. */
TheoryDataPoints(xent, value) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 15, 16, 1001, 49152),
    DataPoints(float, 0.7f, 1.0f),
    DataPoints(float, 1.0f, 30.0f),
    DataPoints(float, 0.0f, 500.0f),
};
Theory((int isa, size_t V, float t, float spread, float shift), xent, value)
{
    struct fixture f = fixture(2, (enum isa)isa, 2, V, t);

    if (!f.m.k)
        return;
    for (size_t i = 0; i < 2 * V; i++)
        f.z[i] = f.z[i] * spread + shift;
    forward(&f);
    for (size_t n = 0; n < 2; n++) {
        const double inv = 1 / (double)f.temperature[n];
        const float *z = f.z + n * V;
        double max = -INFINITY, s = 0, h = 0;

        for (size_t v = 0; v < V; v++)
            max = fmax(max, z[v] * inv);
        for (size_t v = 0; v < V; v++)
            s += exp(z[v] * inv - max);
        const double lse = max + log(s);
        for (size_t v = 0; v < V; v++)
            h -= exp(z[v] * inv - lse) * (z[v] * inv - lse);
        const double want = z[f.target[n]] * inv - lse;
        cr_expect_float_eq(f.logp[n], want, 1e-6 * (1 + fabs(want)), "logp %g, not %g",
                           (double)f.logp[n], want);
        cr_expect_float_eq(f.entropy[n], h, 2e-6 * (1 + h), "entropy %g, not %g",
                           (double)f.entropy[n], h);
        cr_expect_float_eq(f.lse[n], lse, 1e-6 * (1 + fabs(lse)));
    }
    fixture_free(&f);
}

Test(xent, in_place_and_independent_of_rows_and_threads)
{
    enum { N = 50, V = 2003 };
    struct fixture one = fixture(1, ISA_AUTO, N, V, 1),
                   two = fixture(2, ISA_AUTO, N, V, 1);
    float *dz = floats(N * V), logp, entropy, lse;

    forward(&one);
    forward(&two);
    cr_expect_eq(memcmp(one.logp, two.logp, N * sizeof logp), 0);
    cr_expect_eq(memcmp(one.entropy, two.entropy, N * sizeof logp), 0);
    for (size_t n = 0; n < N; n++) {
        xent_forward(one.m.k, &logp, &entropy, &lse, one.z + n * V, one.target + n,
                     one.temperature + n, 1, V);
        cr_expect(logp == one.logp[n] && entropy == one.entropy[n] &&
                  lse == one.lse[n]);
        xent_forward(one.m.k, &logp, NULL, &lse, one.z + n * V, one.target + n,
                     one.temperature + n, 1, V);
        cr_expect(logp == one.logp[n] && lse == one.lse[n]);
    }
    xent_backward(one.m.k, dz, one.z, one.target, one.temperature, one.lse, one.entropy,
                  one.dlogp, one.dentropy, N, V);
    xent_backward(two.m.k, two.z, two.z, two.target, two.temperature, two.lse,
                  two.entropy, two.dlogp, two.dentropy, N, V);
    cr_expect_eq(memcmp(dz, two.z, N * V * sizeof *dz), 0);
    free(dz);
    fixture_free(&one);
    fixture_free(&two);
}

/* What is not a number stays none: it must not become a loss. */
Test(xent, nan_is_seen)
{
    for (size_t at = 0; at < 40; at += 13) {
        struct fixture f = fixture(1, ISA_AUTO, 1, 40, 1);

        f.target[0] = 5;
        f.z[at] = NAN;
        forward(&f);
        cr_expect(isnan(f.logp[0]) && isnan(f.entropy[0]) && isnan(f.lse[0]), "%zu",
                  at);
        f.z[at] = INFINITY;
        forward(&f);
        cr_expect(isnan(f.logp[0]));
        f.z[at] = -INFINITY; /* a token ruled out is no error */
        forward(&f);
        cr_expect(isfinite(f.logp[0]) && isfinite(f.entropy[0]));
        fixture_free(&f);
    }
}

/* Logits in parts, each of some blocks: the bits of the whole.  The largest lies in the first
 * part, in the last, or grows from one to the next. */
Test(xent, parts_are_the_whole)
{
    enum { N = 3, V = 3 * XENT_BLOCK + 41, PARTS = 2 * XENT_BLOCK };

    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        struct fixture f = fixture(2, (enum isa)isa, N, V, 0.8f);
        struct xent_sums sums[N];
        float *z, logp[N], entropy[N], lse[N];

        if (!f.m.k)
            continue;
        for (size_t v = 0; v < V; v++) {
            f.z[v] += v < 100 ? 20 : 0;
            f.z[V + v] += (float)v / 500;
        }
        f.z[2 * V + V - 1] = 40;
        forward(&f);
        xent_begin(sums, N);
        for (size_t at = 0, n; at < V; at += n) {
            n = V - at < PARTS ? V - at : PARTS;
            z = floats(N * n);
            for (size_t i = 0; i < N; i++)
                memcpy(z + i * n, f.z + i * V + at, n * sizeof *z);
            xent_add(f.m.k, sums, z, f.target, f.temperature, N, at, n);
            free(z);
        }
        xent_end(sums, logp, entropy, lse, f.temperature, N);
        cr_expect_eq(memcmp(logp, f.logp, sizeof logp), 0, "%d", isa);
        cr_expect_eq(memcmp(entropy, f.entropy, sizeof entropy), 0, "%d", isa);
        cr_expect_eq(memcmp(lse, f.lse, sizeof lse), 0, "%d", isa);
        fixture_free(&f);
    }
}

/* Blocks in which all tokens are ruled out say nothing, before and behind the others; what is no
 * number among them is seen. */
Test(xent, blocks_of_nothing)
{
    enum { V = 3 * XENT_BLOCK };

    for (size_t block = 0; block < 3; block++) {
        struct fixture f = fixture(1, ISA_AUTO, 1, V, 1);
        const float *seen = f.z + block * XENT_BLOCK;
        float logp, entropy, lse;

        for (size_t v = 0; v < V; v++)
            if (v / XENT_BLOCK != block)
                f.z[v] = -INFINITY;
        f.target[0] = (int32_t)(block * XENT_BLOCK + 11);
        forward(&f);
        xent_forward(f.m.k, &logp, &entropy, &lse, seen, &(int32_t){11}, f.temperature,
                     1, XENT_BLOCK);
        cr_expect(logp == f.logp[0] && entropy == f.entropy[0] && lse == f.lse[0]);
        cr_expect(isfinite(logp) && isfinite(entropy));
        f.z[(block + 1) % 3 * XENT_BLOCK + 5] = NAN;
        forward(&f);
        cr_expect(isnan(f.logp[0]) && isnan(f.entropy[0]) && isnan(f.lse[0]));
        fixture_free(&f);
    }
}
