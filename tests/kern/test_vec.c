#include "../support/vec_simd.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Distance from the true value in units of the last place of the rounded one. */
static double ulps(float got, double want)
{
    const float near = (float)want;
    const double ulp = (double)nextafterf(near, INFINITY) - (double)near;

    return fabs((double)got - want) / ulp;
}

static double worst_ulps(enum isa isa, float from, float to)
{
    enum { N = 1024 };
    float x[N], y[N];
    double worst = 0;

    for (int block = 0; block < 200; block++) {
        for (int i = 0; i < N; i++)
            x[i] = from + (to - from) * ((float)(block * N + i) / (200.0f * N));
        ISA_CALL(isa, exps, (y, x, N));
        for (int i = 0; i < N; i++)
            worst = fmax(worst, ulps(y[i], exp((double)x[i])));
    }
    return worst;
}

Test(vec, exp_is_within_its_ulps)
{
    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        cr_expect_lt(worst_ulps((enum isa)isa, -87.0f, 88.0f), 1.2, "%d", isa);
        cr_expect_lt(worst_ulps((enum isa)isa, -1.0f, 1.0f), 1.2, "%d", isa);
        cr_expect_lt(worst_ulps((enum isa)isa, -103.0f, -87.0f), 1.2, "%d", isa);
    }
}

Test(vec, exp_at_the_ends)
{
    const float x[] = {0,
                       -0.0f,
                       INFINITY,
                       -INFINITY,
                       NAN,
                       88.72f,
                       88.73f,
                       -103.0f,
                       -104.5f,
                       1e30f,
                       -1e30f,
                       1e-30f,
                       f32_from_bits(0x7f800001u)};
    enum { N = sizeof x / sizeof *x };
    float y[N];

    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        ISA_CALL((enum isa)isa, exps, (y, x, N));
        cr_expect(y[0] == 1 && y[1] == 1 && y[2] == INFINITY && y[3] == 0);
        cr_expect(isnan(y[4]) && isfinite(y[5]) && y[6] == INFINITY);
        cr_expect(y[7] > 0 && y[8] == 0 && y[9] == INFINITY && y[10] == 0);
        cr_expect(y[11] == 1 && isnan(y[12]));
    }
}

/* Against the true value: absolutely near 1, where log is small, relatively beyond. */
static double worst_log(enum isa isa, float from, float to)
{
    enum { N = 1024 };
    float x[N], y[N];
    double worst = 0;

    for (int block = 0; block < 200; block++) {
        for (int i = 0; i < N; i++)
            x[i] = from * powf(to / from, (float)(block * N + i) / (200.0f * N));
        ISA_CALL(isa, logs, (y, x, N));
        for (int i = 0; i < N; i++) {
            const double want = log((double)x[i]);

            worst = fmax(worst, fabs((double)y[i] - want) / fmax(1, fabs(want)));
        }
    }
    return worst;
}

Test(vec, log_is_near)
{
    const float x[] = {1, 0, 0x1p-126f, 0x1p-149f, FLT_MAX};
    float y[5];

    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        cr_expect_lt(worst_log((enum isa)isa, 0.25f, 4.0f), 3e-7, "%d", isa);
        cr_expect_lt(worst_log((enum isa)isa, 0x1p-126f, 1.0f), 3e-7, "%d", isa);
        cr_expect_lt(worst_log((enum isa)isa, 1.0f, FLT_MAX), 3e-7, "%d", isa);
        ISA_CALL((enum isa)isa, logs, (y, x, 5));
        cr_expect(y[0] == 0 && fabsf(y[4] - 88.7228f) < 1e-4f);
        for (int i = 1; i < 4; i++)
            cr_expect(y[i] > -88.1f && y[i] < -87.3f, "%g", (double)y[i]);
    }
}

/* A partial vector gives the bits of a whole one, and writes nothing beyond. */
Test(vec, parts_are_like_wholes)
{
    float x[40], all[48], y[48];

    for (int i = 0; i < 40; i++)
        x[i] = (float)i / 7 - 3;
    ISA_CALL(isa_best(), exps, (all, x, 40));
    for (size_t n = 0; n <= 40; n++) {
        for (int i = 0; i < 48; i++)
            y[i] = -1;
        ISA_CALL(isa_best(), exps, (y, x, n));
        cr_expect_eq(memcmp(y, all, n * sizeof *y), 0);
        for (size_t i = n; i < 48; i++)
            cr_expect_eq(y[i], -1);
    }
}

/* The order that a sum's bits depend on. */
static float folded(const float *x, size_t n)
{
    float s[16];

    memcpy(s, x, n * sizeof *s);
    for (size_t h = n / 2; h > 0; h /= 2)
        for (size_t i = 0; i < h; i++)
            s[i] += s[i + h];
    return s[0];
}

Test(vec, lanes_come_together_by_halves)
{
    float x[16];

    for (int i = 0; i < 16; i++) /* orders differ in the last bits */
        x[i] = ldexpf((float)(i * 7 % 16 + 1) / 3, i * 5 % 16);
    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        struct across a;

        if (!isa_has((enum isa)isa))
            continue;
        ISA_CALL((enum isa)isa, across, (&a, x));
        cr_expect_eq(a.sum, folded(x, a.lanes), "%d", isa);
        for (size_t at = 0; at < a.lanes; at++) { /* the peak, wherever it lies */
            float turned[16];
            double sum = 0;

            for (size_t i = 0; i < a.lanes; i++)
                turned[i] = i == at ? 3 : -(float)(i + 1);
            for (size_t i = 0; i < a.lanes; i++)
                sum += (double)turned[i];
            ISA_CALL((enum isa)isa, across, (&a, turned));
            cr_expect(a.peak == 3 && a.sum_double == sum, "%d, %zu", isa, at);
        }
    }
}

Test(vec, of_a_number_and_none_the_second_is_taken)
{
    const float a[] = {1, 2, NAN, 3, INFINITY, -0.0f, -INFINITY, 4, NAN, 1};
    const float b[] = {2, 1, 5, NAN, 1, 0.0f, NAN, 4, NAN, INFINITY};
    enum { N = sizeof a / sizeof *a };
    float max[N], min[N];

    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        ISA_CALL((enum isa)isa, extremes, (max, min, a, b, N));
        for (int i = 0; i < N; i++) {
            const float more = a[i] > b[i] ? a[i] : b[i],
                        less = a[i] < b[i] ? a[i] : b[i];

            cr_expect_eq(memcmp(&max[i], &more, sizeof more), 0, "%d, %d", isa, i);
            cr_expect_eq(memcmp(&min[i], &less, sizeof less), 0, "%d, %d", isa, i);
        }
    }
}
