#include "nn/rope.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAXN = 33, MAXR = 64 };
static const struct rope plain = {.base = 10000, .gain = 1};

struct fixture {
    struct machine m;
    float *x, *a, *y, *cs;
    size_t N, H, D, R, ld;
};

static struct fixture fixture(enum isa isa, size_t N, size_t H, size_t D, size_t R)
{
    struct fixture f = {.N = N, .H = H, .D = D, .R = R, .ld = H * D + 3};
    double freq[MAXR / 2];
    int32_t pos[MAXN];

    if (!machine_new(&f.m, 2, &(struct kern_opts){.isa = isa}))
        return f;
    f.x = normals(N * f.ld, 1);
    f.a = normals(N * f.ld, 2);
    f.y = floats(N * f.ld);
    f.cs = floats(N * R);
    for (size_t n = 0; n < N; n++)
        pos[n] = (int32_t)(n * 7 % 50);
    rope_freq(freq, R, &plain);
    rope_table(f.m.k, f.cs, pos, N, freq, R, &plain);
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->x);
    free(f->a);
    free(f->y);
    free(f->cs);
    machine_free(&f->m);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;

    memcpy(f->y, f->x, f->N * f->ld * sizeof *f->y);
    rope_forward(f->m.k, f->y, f->ld, f->cs, f->N, f->H, f->D, f->R);
    return dot_double(f->a, f->y, f->N * f->ld);
}

TheoryDataPoints(rope, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 5),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 6, 16, 64),
    DataPoints(size_t, 2, 6, 64),
};
Theory((int isa, size_t N, size_t H, size_t D, size_t R), rope, gradient)
{
    cr_assume(R <= D);
    struct fixture f = fixture((enum isa)isa, N, H, D, R);

    if (!f.m.k)
        return;
    float *dx = floats(N * f.ld);
    memcpy(dx, f.a, N * f.ld * sizeof *dx);
    rope_backward(f.m.k, dx, f.ld, f.cs, N, H, D, R);
    cr_expect_lt(gradcheck(f.x, dx, N * f.ld, 1e-1f, loss, &f), 1e-4);
    free(dx);
    fixture_free(&f);
}

/* Turned vectors keep their length, and a product depends on the distance only. */
TheoryDataPoints(rope, relative) = {
    DataPoints(int32_t, 0, 1, 50, 4000),
    DataPoints(int32_t, 0, 3, 100),
    DataPoints(size_t, 2, 10, 64),
};
Theory((int32_t start, int32_t distance, size_t R), rope, relative)
{
    struct machine m;
    double freq[MAXR / 2];
    float cs[4 * MAXR];
    const int32_t pos[4] = {0, distance, start, start + distance};
    float *q = normals(R, 1), *k = normals(R, 2), *x = floats(4 * R);

    machine_new(&m, 1, NULL);
    rope_freq(freq, R, &plain);
    rope_table(m.k, cs, pos, 4, freq, R, &plain);
    for (size_t n = 0; n < 4; n++)
        memcpy(x + n * R, n % 2 ? k : q, R * sizeof *x);
    rope_forward(m.k, x, R, cs, 4, 1, R, R);
    const double here = dot_double(x, x + R, R),
                 there = dot_double(x + 2 * R, x + 3 * R, R);
    cr_expect_float_eq(here, there, 1e-5 * (1 + fabs(here)) * sqrt((double)R));
    cr_expect_float_eq(dot_double(x + 3 * R, x + 3 * R, R), dot_double(k, k, R), 1e-4);
    free(q);
    free(k);
    free(x);
    machine_free(&m);
}

/* The pairing is (i, i + R/2): written out for R = 4 of D = 6. */
Test(rope, half_split)
{
    struct machine m;
    float x[6] = {1, 2, 3, 4, 5, 6}, cs[4];
    double freq[2];
    const int32_t pos = 3;
    struct rope r = {.base = 100, .gain = 1};

    machine_new(&m, 1, NULL);
    rope_freq(freq, 4, &r); /* 1, 0.1 */
    cr_expect_float_eq(freq[0], 1, 1e-15);
    cr_expect_float_eq(freq[1], 0.1, 1e-15);
    rope_table(m.k, cs, &pos, 1, freq, 4, &r);
    rope_forward(m.k, x, 6, cs, 1, 1, 6, 4);
    cr_expect_float_eq(x[0], 1 * cos(3) - 3 * sin(3), 1e-6);
    cr_expect_float_eq(x[1], 2 * cos(.3) - 4 * sin(.3), 1e-6);
    cr_expect_float_eq(x[2], 3 * cos(3) + 1 * sin(3), 1e-6);
    cr_expect_float_eq(x[3], 4 * cos(.3) + 2 * sin(.3), 1e-6);
    cr_expect_eq(x[4], 5);
    cr_expect_eq(x[5], 6);
    r.gain = 2;
    rope_table(m.k, cs, &pos, 1, freq, 4, &r);
    cr_expect_float_eq(cs[0], 2 * cos(3), 1e-6);
    cr_expect_float_eq(cs[3], 2 * sin(.3), 1e-6);
    machine_free(&m);
}

/* Llama 3.1: fast frequencies stay, slow ones are divided, those between are blended,
 * and the blend meets both ends. */
Test(rope, llama3_scaling)
{
    struct rope r = {.base = 500000, .gain = 1};
    double f[64], g[64];
    int kept = 0, divided = 0, between = 0;

    rope_freq(f, 128, &r);
    r.scaling = ROPE_LLAMA3;
    r.factor = 8;
    r.low = 1;
    r.high = 4;
    r.original = 8192;
    rope_freq(g, 128, &r);
    for (int i = 0; i < 64; i++) {
        const double wavelength = 2 * 3.14159265358979323846 / f[i];

        if (wavelength < 8192.0 / 4) {
            cr_expect_eq(g[i], f[i]);
            kept++;
        } else if (wavelength > 8192.0) {
            cr_expect_float_eq(g[i], f[i] / 8, 1e-18);
            divided++;
        } else {
            const double smooth = (8192 / wavelength - 1) / (4 - 1);

            cr_expect_float_eq(g[i], (1 - smooth) * f[i] / 8 + smooth * f[i], 1e-15);
            between++;
        }
    }
    cr_expect(kept > 0 && divided > 0 && between > 0, "%d %d %d", kept, divided,
              between);
    r.scaling = ROPE_LINEAR;
    r.factor = 4;
    rope_freq(g, 128, &r);
    cr_expect_float_eq(g[0], 0.25, 1e-15);
}
