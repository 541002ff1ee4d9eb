/*
 * Laws of the statistics: coverage of intervals, invariances, slow and obvious twins.
 */
#include "base/rng.h"
#include "metrics/boot.h"
#include "metrics/heads.h"
#include "metrics/rank.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <string.h>

enum { MAXN = 64 };

static void normals(double *x, size_t n, uint64_t stream)
{
    for (size_t i = 0; i < n; i += 2) {
        double z[2];

        rng_normal2(z, 11, stream, i);
        x[i] = z[0];
        if (i + 1 < n)
            x[i + 1] = z[1];
    }
}

static void means(struct ratio *r, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r[i] = isnan(x[i]) ? (struct ratio){0} : (struct ratio){x[i], 1};
}

static const enum boot_form plain[] = {BOOT_PLAIN, BOOT_PLAIN, BOOT_PLAIN};

static struct interval interval_of(const double *x, size_t n, size_t resamples,
                                   uint64_t seed)
{
    const struct boot_plan plan = {resamples, 0.95, seed};
    struct ratio r[MAXN];
    struct interval v;
    struct err e = {0};

    means(r, x, n);
    cr_assert_eq(boot_intervals(&v, r, plain, 1, n, &plan, &e), 0, "%s", e.text);
    return v;
}

static struct difference differ(const double *x, const double *y, size_t n)
{
    struct ratio a[MAXN], b[MAXN];
    struct difference d;
    const struct boot_plan plan = {2000, 0.95, 4};
    struct err e = {0};

    means(a, x, n);
    means(b, y, n);
    cr_assert_eq(boot_differences(&d, a, b, plain, 1, n, &plan, &e), 0, "%s", e.text);
    return d;
}

/* ---- intervals ------------------------------------------------------------------------- */

/* Of 400 samples of 40, the interval holds the true mean about 95 times in 100: the
 * percentile interval of 40 normal numbers covers .94, of 40 exponential ones .92; chance
 * adds .012 (one deviation). */
Test(boot, coverage)
{
    size_t normal = 0, skewed = 0;

    for (uint64_t k = 0; k < 400; k++) {
        double x[40];
        struct interval v;

        normals(x, 40, k);
        v = interval_of(x, 40, 400, k);
        normal += v.lo <= 0 && 0 <= v.hi;
        for (size_t i = 0; i < 40; i++)
            x[i] = -log1p(-rng_uniform(12, k, 0, (uint32_t)i));
        v = interval_of(x, 40, 400, k);
        skewed += v.lo <= 1 && 1 <= v.hi;
    }
    cr_expect(normal >= 360 && normal <= 392, "normal: %zu of 400", normal);
    cr_expect(skewed >= 350 && skewed <= 388, "exponential: %zu of 400", skewed);
}

/* The width is that of the central limit: 2 * 1.96 * s / sqrt(n). */
Test(boot, width)
{
    double x[MAXN], ss = 0, mean = 0;

    normals(x, MAXN, 1);
    for (size_t i = 0; i < MAXN; i++)
        mean += x[i] / MAXN;
    for (size_t i = 0; i < MAXN; i++)
        ss += (x[i] - mean) * (x[i] - mean);
    const struct interval v = interval_of(x, MAXN, 10000, 5);
    const double want = 2 * 1.96 * sqrt(ss / MAXN) / sqrt(MAXN);
    cr_expect_float_eq(v.value, mean, 1e-12);
    cr_expect(fabs(v.hi - v.lo - want) < 0.05 * want, "%g, not %g", v.hi - v.lo, want);
}

Test(boot, absent_is_not_zero)
{
    double x[8] = {1, 2, (double)NAN, 3, (double)NAN, 4, 5, 6};
    const double y[6] = {1, 2, 3, 4, 5, 6};
    const struct interval v = interval_of(x, 8, 200, 1);

    cr_expect_float_eq(v.value, interval_of(y, 6, 200, 1).value, 1e-15);
    cr_expect_eq(v.n, 6);
    for (size_t i = 0; i < 8; i++)
        x[i] = (double)NAN;
    const struct interval none = interval_of(x, 8, 200, 1);
    cr_expect(isnan(none.value) && isnan(none.lo) && none.n == 0);
}

/* One prompt has a value, and no interval. */
Test(boot, alone)
{
    const double x[] = {3}, y[] = {1};
    const struct interval v = interval_of(x, 1, 200, 1);
    const struct difference d = differ(x, y, 1);

    cr_expect(v.value == 3 && v.n == 1 && isnan(v.lo) && isnan(v.hi));
    cr_expect(d.d.value == 2 && isnan(d.d.lo) && isnan(d.p));
}

/* A ratio weighs each prompt by its denominator; exp comes last. */
Test(boot, ratio_of_sums)
{
    const struct ratio r[] = {{2, 1}, {3, 4}, {5, 5}};
    const enum boot_form form[] = {BOOT_EXP};
    const struct boot_plan plan = {2000, 0.95, 3};
    struct interval v;
    struct err e = {0};

    cr_assert_eq(boot_intervals(&v, r, form, 1, 3, &plan, &e), 0);
    cr_expect_float_eq(v.value, exp(1.0), 1e-12);
    cr_expect(v.lo > exp(0.7) && v.hi <= exp(2.0) + 1e-12 && v.lo < v.hi);
}

/* Metrics share their draws, so order and company do not matter; another seed does. */
Test(boot, same_draws_for_all)
{
    double x[MAXN];
    struct ratio r[2 * MAXN];
    struct interval v[2];
    const struct boot_plan plan = {500, 0.95, 9};
    struct err e = {0};

    normals(x, MAXN, 2);
    means(r, x, MAXN);
    for (size_t i = 0; i < MAXN; i++)
        r[MAXN + i] = (struct ratio){x[i] * x[i], 1};
    cr_assert_eq(boot_intervals(v, r, plain, 2, MAXN, &plan, &e), 0);
    const struct interval alone = interval_of(x, MAXN, 500, 9);
    cr_expect(v[0].lo == alone.lo && v[0].hi == alone.hi);
    cr_expect(interval_of(x, MAXN, 500, 10).lo != alone.lo);
}

/* What prompts have in common cancels: a constant shift is certain whatever their spread. */
Test(boot, pairs_cancel)
{
    double x[MAXN], y[MAXN];

    normals(x, MAXN, 6);
    for (size_t i = 0; i < MAXN; i++)
        y[i] = x[i] - 0.01;
    const struct difference d = differ(x, y, MAXN);
    cr_expect_float_eq(d.d.value, 0.01, 1e-9);
    cr_expect(d.d.lo > 0.009 && d.d.hi < 0.011 && d.p < 0.01);
    cr_expect_float_eq(d.p, 2.0 / 2001, 1e-12);
    cr_expect_eq(differ(x, x, MAXN).p, 1);
    y[3] = (double)NAN;
    x[5] = (double)NAN;
    cr_expect_eq(differ(x, y, MAXN).d.n, MAXN - 2);
}

/* Under no difference p is even: below .05 about one time in twenty. */
Test(boot, p_is_even)
{
    size_t small = 0;

    for (uint64_t k = 0; k < 200; k++) {
        double x[40], y[40];

        normals(x, 40, 100 + k);
        normals(y, 40, 1000 + k);
        small += differ(x, y, 40).p < 0.05;
    }
    cr_expect(small >= 3 && small <= 22, "%zu of 200", small);
}

Test(boot, holm)
{
    double p[] = {0.01, 0.04, (double)NAN, 0.03, 0.005};
    double out[5];
    size_t order[5];

    boot_holm(out, p, 5, order);
    cr_expect_float_eq(out[4], 0.02, 1e-15);
    cr_expect_float_eq(out[0], 0.03, 1e-15);
    cr_expect_float_eq(out[3], 0.06, 1e-15);
    cr_expect_float_eq(out[1], 0.06, 1e-15); /* monotone: not .04 */
    cr_expect(isnan(out[2]));
    boot_holm(p, p, 5, order);
    cr_expect_float_eq(p[1], 0.06, 1e-15);
}

/* ---- order ----------------------------------------------------------------------------- */

/* Neither a growing function of the numbers nor the order of the places matters. */
TheoryDataPoints(rank, spearman_invariant) = {
    DataPoints(size_t, 2, 3, 8, 33),
    DataPoints(size_t, 0, 1, 2),
};
Theory((size_t n, size_t seed), rank, spearman_invariant)
{
    double x[MAXN] = {0}, y[MAXN] = {0}, u[MAXN], v[MAXN], work[4 * MAXN];
    size_t order[MAXN], perm[MAXN];

    normals(x, n, seed);
    normals(y, n, seed + 50);
    y[0] = y[1];
    const double rho = rank_spearman(x, y, n, work, order);
    rng_shuffle(perm, n, 3, seed);
    for (size_t i = 0; i < n; i++) {
        u[i] = exp(3 * x[perm[i]]);
        v[i] = atan(y[perm[i]]);
    }
    const double same = rank_spearman(u, v, n, work, order);
    cr_expect((isnan(rho) && isnan(same)) || fabs(rho - same) < 1e-12, "%g %g", rho,
              same);
    cr_expect(n == 2 || fabs(rank_spearman(x, u, n, work, order)) <= 1 + 1e-12);
    for (size_t i = 0; i < n; i++)
        v[i] = -x[i];
    cr_expect_float_eq(rank_spearman(x, v, n, work, order), -1, 1e-12);
}

Test(rank, absent_places)
{
    const double x[] = {1, (double)NAN, 2, 3, 9}, y[] = {5, 1, 6, 7, (double)NAN};
    double work[20], rank[5];
    size_t order[5];

    cr_expect_float_eq(rank_spearman(x, y, 5, work, order), 1, 1e-12);
    rank_average(rank, x, 5, order);
    cr_expect(isnan(rank[1]) && rank[4] == 4);
    cr_expect(isnan(rank_spearman(x, y, 2, work, order)));
}

/* Pearson's r of a and b given c, by the textbook's recursion, from the three without. */
static double given_one(double ab, double ac, double bc)
{
    return (ab - ac * bc) / sqrt((1 - ac * ac) * (1 - bc * bc));
}

/* Four columns that go together in part: x, y, and two that are given. */
static void four(double *c, size_t n, uint64_t seed)
{
    for (size_t k = 0; k < 4; k++)
        normals(c + k * n, n, 100 * seed + k);
    for (size_t i = 0; i < n; i++) {
        c[i] += c[2 * n + i] - 0.5 * c[3 * n + i];
        c[n + i] += 0.7 * c[2 * n + i] + c[3 * n + i];
        c[2 * n + i] += 0.3 * c[3 * n + i];
    }
}

Test(rank, partial_is_the_recursion)
{
    enum { N = 30 };
    double c[4 * N], work[6 * N], rho[4][4];
    const double *const col[] = {c, c + N, c + 2 * N, c + 3 * N};
    const double *const turned[] = {c + N, c, c + 3 * N, c + 2 * N};
    size_t order[N];

    for (uint64_t seed = 1; seed <= 20; seed++) {
        four(c, N, seed);
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 4; b++)
                rho[a][b] = rank_spearman(col[a], col[b], N, work, order);
        const double xy = given_one(rho[0][1], rho[0][2], rho[1][2]);
        const double xz = given_one(rho[0][3], rho[0][2], rho[3][2]);
        const double yz = given_one(rho[1][3], rho[1][2], rho[3][2]);

        cr_expect_float_eq(rank_partial(col, 0, N, work, order), rho[0][1], 1e-12);
        cr_expect_float_eq(rank_partial(col, 1, N, work, order), xy, 1e-12);
        cr_expect_float_eq(rank_partial(col, 2, N, work, order), given_one(xy, xz, yz),
                           1e-12);
        cr_expect_float_eq(rank_partial(turned, 2, N, work, order),
                           given_one(xy, xz, yz), 1e-12);
    }
}

Test(rank, partial_of_little)
{
    enum { N = 12 };
    double c[4 * N], work[7 * N], even[N] = {0}, twice[N];
    const double *col[] = {c, c + N, c + 2 * N, even, twice};
    size_t order[N];

    four(c, N, 3);
    const double one = rank_partial(col, 1, N, work, order);
    for (size_t i = 0; i < N; i++)
        twice[i] = exp(c[2 * N + i]);
    /* A constant, and the same ranks once more, say nothing. */
    cr_expect_float_eq(rank_partial(col, 3, N, work, order), one, 1e-12);
    /* Ranks alone count; what is absent anywhere is left out. */
    c[3] = (double)NAN;
    col[2] = twice;
    const double without = rank_partial(col, 1, N, work, order);
    c[3] = 5;
    twice[3] = (double)NAN;
    cr_expect_float_eq(rank_partial(col, 1, N, work, order), without, 1e-12);
    cr_expect(fabs(without - one) > 1e-6);
    /* What is given explains itself; too few places; a constant side. */
    col[2] = c;
    cr_expect(isnan(rank_partial(col, 1, N, work, order)));
    col[2] = c + 2 * N;
    const double x[] = {1, 2, 3, 4}, y[] = {2, 1, 4, 3}, z[] = {1, 3, 2, 4};
    const double *const few[] = {x, y, z};
    cr_expect(!isnan(rank_partial(few, 1, 4, work, order)));
    cr_expect(isnan(rank_partial(few, 1, 3, work, order)));
    col[1] = even;
    cr_expect(isnan(rank_partial(col, 1, N, work, order)));
}

Test(rank, auroc)
{
    const double own[] = {3, 2, (double)NAN}, other[] = {1, 2, 2};

    cr_expect_float_eq(rank_auroc(own, 3, other, 3), 5.0 / 6, 1e-15);
    cr_expect_float_eq(rank_auroc(other, 3, own, 3), 1.0 / 6, 1e-15);
    cr_expect(isnan(rank_auroc(own, 0, other, 3)));
    cr_expect(isnan(rank_auroc(own + 2, 1, other, 3)));
}

/* Over all subsets, one by one: the y of the best x, or the mean of those that tie. */
static double best_of_all_subsets(const double *x, const double *y, size_t n, size_t N)
{
    double sum = 0, subsets = 0;

    for (unsigned set = 1; set < 1u << n; set++) {
        double best = -INFINITY, of_best = 0, ties = 0;

        if ((size_t)__builtin_popcount(set) != N)
            continue;
        for (size_t i = 0; i < n; i++)
            if (set >> i & 1 && x[i] > best)
                best = x[i];
        for (size_t i = 0; i < n; i++)
            if (set >> i & 1 && x[i] == best) {
                of_best += y[i];
                ties++;
            }
        sum += of_best / ties;
        subsets++;
    }
    return sum / subsets;
}

TheoryDataPoints(rank, best_of) = {
    DataPoints(size_t, 1, 2, 4, 9),
    DataPoints(size_t, 1, 2, 3, 8),
    DataPoints(size_t, 1, 3, 100),
};
Theory((size_t n, size_t N, size_t levels), rank, best_of)
{
    double x[MAXN] = {0}, y[MAXN] = {0}, work[2 * MAXN];
    size_t order[MAXN];

    for (size_t i = 0; i < n; i++)
        x[i] = floor(rng_uniform(1, n, 0, (uint32_t)i) * (double)levels);
    normals(y, n, 77);
    const double got = rank_best_of(x, y, n, N, work, order);
    if (N > n)
        cr_expect(isnan(got));
    else
        cr_expect_float_eq(got, best_of_all_subsets(x, y, n, N), 1e-12);
}

/* ---- weights of heads ------------------------------------------------------------------ */
enum { K = 200, F = 6 };

static void differences(float *d, uint64_t stream)
{
    for (size_t k = 0; k < K; k++)
        for (size_t f = 0; f < F; f++) {
            double z[2];

            rng_normal2(z, 21, stream, k * F + f);
            /* Two that help, one that misleads, three of noise. */
            d[k * F + f] = (float)(0.01 * (z[0] + (f == 1   ? 1.0
                                                   : f == 4 ? 2.0
                                                   : f == 2 ? -1.0
                                                            : 0)));
        }
}

Test(heads, finds_those_that_tell)
{
    static float d[K * F], fresh[K * F];
    double w[F], even[F] = {1, 1, 1, 1, 1, 1}, sum = 0;
    struct err e = {0};

    differences(d, 1);
    differences(fresh, 2);
    cr_assert_eq(heads_fit(w, d, K, F, 0.01, &e), 0, "%s", e.text);
    for (size_t f = 0; f < F; f++) {
        cr_expect_geq(w[f], 0);
        sum += w[f];
    }
    cr_expect_float_eq(sum, 1, 1e-12);
    cr_expect(w[4] > w[1] && w[1] > 0.1 && w[2] == 0, "%g %g %g", w[1], w[2], w[4]);
    cr_expect_gt(heads_share(w, fresh, K, F), heads_share(even, fresh, K, F) + 0.1);
    cr_expect_gt(heads_share(w, fresh, K, F), 0.95);
}

/* The unit of the features does not matter, nor their order. */
Test(heads, unit_and_order)
{
    static float d[K * F], other[K * F];
    double w[F], v[F];
    struct err e = {0};

    differences(d, 1);
    for (size_t k = 0; k < K; k++)
        for (size_t f = 0; f < F; f++)
            other[(K - 1 - k) * F + F - 1 - f] = 1000 * d[k * F + f];
    cr_assert_eq(heads_fit(w, d, K, F, 0.01, &e), 0);
    cr_assert_eq(heads_fit(v, other, K, F, 0.01, &e), 0);
    for (size_t f = 0; f < F; f++)
        cr_expect_float_eq(w[f], v[F - 1 - f], 1e-4);
}

/* A ridge that outweighs all else leaves the direction of the mean difference. */
Test(heads, heavy_ridge)
{
    static float d[K * F];
    double w[F], mean[F] = {0}, sum = 0;
    struct err e = {0};

    differences(d, 1);
    for (size_t f = 0; f < F; f++) {
        for (size_t k = 0; k < K; k++)
            mean[f] += (double)d[k * F + f];
        mean[f] = fmax(0, mean[f]);
        sum += mean[f];
    }
    cr_assert_eq(heads_fit(w, d, K, F, 1e4, &e), 0);
    for (size_t f = 0; f < F; f++)
        cr_expect_float_eq(w[f], mean[f] / sum, 1e-3);
}

/* The objective as the header states it, of features that have unit root mean square. */
static double loss(const double w[2], const float *d, double ridge)
{
    double sum = ridge / 2 * (w[0] * w[0] + w[1] * w[1]);

    for (size_t k = 0; k < K; k++)
        sum += log1p(exp(-(w[0] * (double)d[2 * k] + w[1] * (double)d[2 * k + 1]))) / K;
    return sum;
}

/* One coordinate at a time, by ternary search: slow and certain, for it is convex. */
static void search(double w[2], const float *d, double ridge)
{
    for (size_t round = 0; round < 60; round++) {
        double *x = &w[round % 2], lo = 0, hi = 100;

        for (size_t i = 0; i < 90; i++) {
            const double a = lo + (hi - lo) / 3, b = hi - (hi - lo) / 3;

            *x = a;
            const double at_a = loss(w, d, ridge);
            *x = b;
            if (loss(w, d, ridge) > at_a)
                hi = b;
            else
                lo = a;
        }
    }
}

TheoryDataPoints(heads, minimum_by_search) = {
    DataPoints(double, 0.01, 0.1, 1),
};
Theory((double ridge), heads, minimum_by_search)
{
    static float d[2 * K];
    double w[2] = {1, 1}, got[2], ss = 0;
    struct err e = {0};

    for (size_t k = 0; k < K; k++) {
        double z[2];

        rng_normal2(z, 31, 0, k);
        d[2 * k] = (float)(0.3 + 0.2 * z[0]);
        d[2 * k + 1] = (float)(0.8 + 1.2 * z[1]);
        ss += (double)d[2 * k] * (double)d[2 * k] +
              (double)d[2 * k + 1] * (double)d[2 * k + 1];
    }
    for (size_t i = 0; i < 2 * K; i++)
        d[i] /= (float)sqrt(ss / (2 * K));
    search(w, d, ridge);
    cr_assert_eq(heads_fit(got, d, K, 2, ridge, &e), 0);
    cr_expect_float_eq(got[0], w[0] / (w[0] + w[1]), 1e-3, "%g: %g, not %g", ridge,
                       got[0], w[0] / (w[0] + w[1]));
}

/* At the minimum no feature's slope is down (w = 0) or other than flat (w > 0): moving a
 * weight a little either way does not lower the objective. */
Test(heads, is_a_minimum)
{
    static float d[K];
    double w[1];
    struct err e = {0};

    for (size_t k = 0; k < K; k++)
        d[k] = -1.0f;
    cr_assert_eq(heads_fit(w, d, K, 1, 0.1, &e), 0);
    cr_expect_eq(w[0], 0);
    memset(d, 0, sizeof d);
    cr_assert_eq(heads_fit(w, d, K, 1, 0.1, &e), 0);
    cr_expect_eq(w[0], 0);
}
