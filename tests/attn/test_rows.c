/* The loops over rows, in every instruction set, against plain ones. */
#include "attn/rows_simd.h"
#include "attn/stats.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define EACH_SET(name)                                                                 \
    ParameterizedTestParameters(rows, name)                                            \
    {                                                                                  \
        static int sets[] = {ISA_PLAIN, ISA_AVX2, ISA_AVX512};                         \
                                                                                       \
        return cr_make_param_array(int, sets, sizeof sets / sizeof *sets);             \
    }                                                                                  \
    ParameterizedTest(int *isa, rows, name)

/* The sum by libm, and the sum of the terms' sizes: errors are relative to it, a few
 * roundings for a term and one for each addition of either sum. */
static double by_libm(double *size, const double *row, const uint32_t *pos, size_t n)
{
    double sum = 0;

    *size = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = row[pos[i]], term = a > 0 ? a * log(a) : 0;

        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void expect_equal(enum isa isa, const double *row, size_t n)
{
    uint32_t pos[64];
    double got, mass, size;

    for (size_t i = 0; i < n; i++)
        pos[i] = (uint32_t)(n - 1 - i);
    ISA_CALL(isa, attn_sums, (&mass, &got, row, 64, 1, pos, n));
    const double want = by_libm(&size, row, pos, n);
    cr_expect_leq(fabs(got - want), (double)(4 + n) * DBL_EPSILON * size,
                  "isa %d, n %zu, a[0] %g: %.17g, not %.17g", isa, n, row[0], got,
                  want);
}

/* Every decade, one value and 64 of them, and the neighbours of 1, where log is small. */
EACH_SET(a_log_a_equals_libm)
{
    double row[64];

    if (!isa_has((enum isa) * isa))
        return;
    for (double scale = 1e-300; scale < 1e300; scale *= 7.3) {
        for (size_t i = 0; i < 64; i++)
            row[i] = scale * (1 + (double)i / 61);
        for (size_t n = 0; n <= 9; n++)
            expect_equal((enum isa) * isa, row, n);
        expect_equal((enum isa) * isa, row, 64);
    }
    for (double away = 1e-16; away < 0.5; away *= 1.7) {
        row[0] = 1 - away;
        expect_equal((enum isa) * isa, row, 1);
        row[0] = 1 + away;
        expect_equal((enum isa) * isa, row, 1);
    }
}

EACH_SET(nothing_for_nothing)
{
    const double row[] = {0, DBL_TRUE_MIN, 0, 1, DBL_MIN / 4, 0};
    const uint32_t pos[] = {0, 1, 2, 3, 4, 5};
    double got, mass;

    if (!isa_has((enum isa) * isa))
        return;
    ISA_CALL((enum isa) * isa, attn_sums, (&mass, &got, row, 6, 1, pos, 6));
    cr_expect_lt(fabs(got), 1e-300);
}

/* ---- many rows -------------------------------------------------------------------------- */
enum { STEPS = 21, P = 13 };
static const uint32_t some[] = {1, 2, 3, 6, 9, 10, 12};
enum { SOME = sizeof some / sizeof *some };

/* Few different values, so that several rows have the largest mass. */
static void fill(double *A, uint32_t which, size_t values)
{
    for (size_t i = 0; i < STEPS * P; i++)
        A[i] = floor(rng_uniform(7, which, 0, (uint32_t)i) * (double)values) / 3;
}

static double mass_of(const double *row, size_t n)
{
    double m = 0;

    for (size_t i = 0; i < n; i++)
        m += row[some[i]];
    return m;
}

/* Whatever stands beside it, a row has the bits that it has alone, and the mass those of the
 * plain sum. */
EACH_SET(a_row_alone)
{
    double A[STEPS * P], mass[STEPS + 1], sum[STEPS + 1], m, s;

    if (!isa_has((enum isa) * isa))
        return;
    fill(A, 1, 1000);
    for (size_t steps = 0; steps <= STEPS; steps++)
        for (size_t n = 0; n <= SOME; n++) {
            mass[steps] = sum[steps] = 7;
            ISA_CALL((enum isa) * isa, attn_sums, (mass, sum, A, P, steps, some, n));
            for (size_t t = 0; t < steps; t++) {
                ISA_CALL((enum isa) * isa, attn_sums,
                         (&m, &s, A + t * P, P, 1, some, n));
                cr_expect_eq(m, mass_of(A + t * P, n));
                cr_expect(mass[t] == m && sum[t] == s, "%zu rows, row %zu, %zu places",
                          steps, t, n);
            }
            cr_expect(mass[steps] == 7 && sum[steps] == 7, "written behind %zu rows",
                      steps);
        }
}

EACH_SET(peak_is_the_first_largest)
{
    double A[STEPS * P], top;
    size_t step;

    if (!isa_has((enum isa) * isa))
        return;
    for (uint32_t which = 0; which < 50; which++) {
        fill(A, which, 2 + which % 3);
        for (size_t steps = 0; steps <= STEPS; steps++)
            for (size_t n = 0; n <= SOME; n++) {
                double most = 0;
                size_t at = 0;

                for (size_t t = 0; t < steps; t++)
                    if (mass_of(A + t * P, n) > most) {
                        most = mass_of(A + t * P, n);
                        at = t;
                    }
                ISA_CALL((enum isa) * isa, attn_peak,
                         (&top, &step, A, P, steps, some, n));
                cr_expect(top == most && step == at,
                          "%zu rows, %zu places: %g at %zu, not %g at %zu", steps, n,
                          top, step, most, at);
            }
    }
}

/* ---- all columns ------------------------------------------------------------------------ */
EACH_SET(one_bad_number_is_found)
{
    static const double bad[] = {(double)NAN, (double)INFINITY, (double)-INFINITY, -1,
                                 -DBL_TRUE_MIN};
    static const double fine[] = {0, -0.0, DBL_TRUE_MIN, DBL_MAX};
    double x[40];
    int good;

    if (!isa_has((enum isa) * isa))
        return;
    for (size_t i = 0; i < 40; i++)
        x[i] = fine[i % 4];
    for (size_t n = 0; n <= 40; n++) {
        ISA_CALL((enum isa) * isa, attn_all_good, (&good, x, n));
        cr_expect_eq(good, 1, "%zu good numbers", n);
        for (size_t i = 0; i < n; i++) {
            const double was = x[i];

            x[i] = bad[(n + i) % 5];
            ISA_CALL((enum isa) * isa, attn_all_good, (&good, x, n));
            cr_expect_eq(good, 0, "%g is number %zu of %zu", x[i], i, n);
            x[i] = was;
        }
    }
}

EACH_SET(doubles)
{
    float x[40];
    double A[41];

    if (!isa_has((enum isa) * isa))
        return;
    for (size_t i = 0; i < 40; i++)
        x[i] = (float)rng_uniform(7, 9, 0, (uint32_t)i) - .5f;
    for (size_t n = 0; n <= 40; n++) {
        memset(A, 0, sizeof A);
        ISA_CALL((enum isa) * isa, attn_doubles, (A, x, n));
        for (size_t i = 0; i <= 40; i++)
            cr_expect_eq(A[i], i < n ? (double)x[i] : 0);
    }
}

Test(rows, check_names_step_and_position)
{
    double A[STEPS * P];
    struct err e = {0};

    fill(A, 3, 5);
    cr_expect_eq(attn_check(A, STEPS, P, &e), 0);
    A[17 * P + 4] = -.5;
    cr_expect_eq(attn_check(A, STEPS, P, &e), ERR_NUMERIC);
    cr_expect_str_eq(e.text, "attention of step 17 to position 4 is -0.5");
}
