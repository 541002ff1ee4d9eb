#include "attn/entropy_simd.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <float.h>
#include <math.h>

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
    double got, size;

    for (size_t i = 0; i < n; i++)
        pos[i] = (uint32_t)(n - 1 - i);
    ISA_CALL(isa, attn_a_log_a, (&got, row, pos, n));
    const double want = by_libm(&size, row, pos, n);
    cr_expect_leq(fabs(got - want), (double)(4 + n) * DBL_EPSILON * size,
                  "isa %d, n %zu, a[0] %g: %.17g, not %.17g", isa, n, row[0], got,
                  want);
}

ParameterizedTestParameters(entropy, equals_libm)
{
    static int sets[] = {ISA_PLAIN, ISA_AVX2, ISA_AVX512};

    return cr_make_param_array(int, sets, sizeof sets / sizeof *sets);
}

/* Every decade, one value and 64 of them, and the neighbours of 1, where log is small. */
ParameterizedTest(int *isa, entropy, equals_libm)
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

ParameterizedTestParameters(entropy, nothing_for_nothing)
{
    static int sets[] = {ISA_PLAIN, ISA_AVX2, ISA_AVX512};

    return cr_make_param_array(int, sets, sizeof sets / sizeof *sets);
}

ParameterizedTest(int *isa, entropy, nothing_for_nothing)
{
    const double row[] = {0, DBL_TRUE_MIN, 0, 1, DBL_MIN / 4, 0};
    const uint32_t pos[] = {0, 1, 2, 3, 4, 5};
    double got;

    if (!isa_has((enum isa) * isa))
        return;
    ISA_CALL((enum isa) * isa, attn_a_log_a, (&got, row, pos, 6));
    cr_expect_lt(fabs(got), 1e-300);
}
