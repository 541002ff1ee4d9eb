#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* binary16 by its definition, in double. */
static double f16_by_definition(unsigned h)
{
    const int sign = h >> 15, exponent = h >> 10 & 31, fraction = h & 1023;
    double v;

    if (exponent == 31)
        v = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(1024 + fraction, exponent - 25);
    return sign ? -v : v;
}

Test(dtype, every_f16_widens_exactly_and_comes_back)
{
    for (unsigned h = 0; h < 65536; h++) {
        const double want = f16_by_definition(h);
        const float got = f32_from_f16((uint16_t)h);

        if (isnan(want)) {
            cr_assert(isnan(got) && isnan(f32_from_f16(f16_from_f32(got))));
            continue;
        }
        cr_assert((double)got == want && !signbit(got) == !signbit(want), "%04x", h);
        cr_assert_eq(f16_from_f32(got), h);
    }
}

/* Between two neighbours: below the middle down, above it up, at it to the even one. */
static void check_between(unsigned h, float lo, float hi, uint16_t (*narrow)(float))
{
    const double mid = ((double)lo + (double)hi) / 2;
    const float at = (float)mid;

    cr_assert((double)at == mid);
    cr_assert_eq(narrow(nextafterf(at, 0)), h, "below the middle above %04x", h);
    cr_assert_eq(narrow(nextafterf(at, INFINITY)), h + 1, "above the middle, %04x", h);
    cr_assert_eq(narrow(at), h + (h & 1), "tie at %04x", h);
    cr_assert_eq(narrow(-at), 0x8000 | (h + (h & 1)), "tie at -%04x", h);
}

Test(dtype, f16_rounds_to_nearest_even)
{
    for (unsigned h = 0; h < 0x7bff; h++)
        check_between(h, f32_from_f16((uint16_t)h), f32_from_f16((uint16_t)(h + 1)),
                      f16_from_f32);
    cr_expect_eq(f16_from_f32(65519.996f), 0x7bff);
    cr_expect_eq(f16_from_f32(65520.0f), 0x7c00);
    cr_expect_eq(f16_from_f32(3e38f), 0x7c00);
    cr_expect_eq(f16_from_f32(-INFINITY), 0xfc00);
}

Test(dtype, bf16_rounds_to_nearest_even)
{
    for (unsigned h = 1; h < 0x7f7f; h++)
        check_between(h, f32_from_bf16((uint16_t)h), f32_from_bf16((uint16_t)(h + 1)),
                      bf16_from_f32);
    cr_expect_eq(bf16_from_f32(3.4e38f), 0x7f80);
    cr_expect_eq(bf16_from_f32(-INFINITY), 0xff80);
    cr_expect(isnan(f32_from_bf16(bf16_from_f32(NAN))));
}

/* A NaN whose bits are all below the kept ones must not become infinity. */
Test(dtype, nan_with_low_bits_stays_nan)
{
    const uint32_t u = 0x7f800001;
    float x;

    memcpy(&x, &u, 4);
    cr_expect(isnan(f32_from_bf16(bf16_from_f32(x))));
    cr_expect(isnan(f32_from_f16(f16_from_f32(x))));
}

Test(dtype, arrays_count_what_was_lost)
{
    const float x[] = {1, 7e4f, INFINITY, -3.4e38f, NAN, 0};
    char buf[sizeof x + 1];
    float back[6];

    cr_expect_eq(dtype_narrow(buf + 1, x, DTYPE_F16, 6), 2);
    cr_expect_eq(dtype_narrow(buf + 1, x, DTYPE_BF16, 6), 1);
    cr_expect_eq(dtype_narrow(buf + 1, x, DTYPE_F32, 6), 0);
    cr_expect_eq(dtype_widen(back, buf + 1, DTYPE_F32, 6), 0);
    cr_expect_eq(memcmp(back, x, sizeof x), 0);
    cr_expect_eq(dtype_narrow(buf, x, DTYPE_I32, 6), -1);
    cr_expect_eq(dtype_widen(back, buf, DTYPE_BOOL, 6), -1);
}

/* Arrays of every upper half with some lower ones: numbers, infinities and NaNs as one by one. */
Test(dtype, arrays_are_their_numbers)
{
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { LOWS = sizeof low / sizeof *low, ALL = LOWS << 16 };
    float *x = malloc(ALL * sizeof *x);
    uint16_t *h = malloc(ALL * sizeof *h);
    long lost = 0;

    cr_assert(x && h);
    for (size_t i = 0; i < ALL; i++) {
        const uint32_t u = (uint32_t)(i / LOWS) << 16 | low[i % LOWS];

        memcpy(&x[i], &u, 4);
        lost += isfinite(x[i]) && isinf(f32_from_bf16(bf16_from_f32(x[i])));
    }
    cr_expect_eq(dtype_narrow(h, x, DTYPE_BF16, ALL), lost);
    cr_expect_eq(lost, 2 * 3, "the largest of each sign, from its middle on");
    for (size_t i = 0; i < ALL; i++)
        cr_assert_eq(h[i], bf16_from_f32(x[i]), "%zu", i);
    free(x);
    free(h);
}

Test(dtype, names)
{
    for (int t = 0; t < DTYPE_COUNT; t++) {
        const char *name = dtype_name((enum dtype)t);
        enum dtype back;

        cr_expect_eq(dtype_parse(&back, name, strlen(name)), 0);
        cr_expect_eq((int)back, t);
        cr_expect_eq(dtype_parse(&back, name, strlen(name) - 1), -1);
        cr_expect_gt(dtype_size((enum dtype)t), 0);
    }
}
