#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* kat_vectors of Random123, philox4x32-10. */
static const struct {
    uint32_t ctr[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

Test(rng, published_vectors)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];

        philox4x32(out, known[i].ctr, known[i].key);
        cr_expect_eq(memcmp(out, known[i].out, sizeof out), 0, "vector %zu", i);
    }
}

/* What the stream's manual promises: which words of which counter make the number. */
Test(rng, uniform_is_the_documented_function)
{
    const uint32_t ctr[4] = {0x89abcdef, 0x01234567, 9, 3},
                   key[2] = {0x11223344, 0xaabbccdd};
    uint32_t out[4];

    philox4x32(out, ctr, key);
    const uint64_t bits = (uint64_t)out[0] << 32 | out[1];
    cr_expect_eq(rng_uniform(0xaabbccdd11223344, 0x0123456789abcdef, 3, 9),
                 (double)(bits >> 11) / 9007199254740992.0);
}

Test(rng, every_argument_counts)
{
    const double u = rng_uniform(1, 2, 3, 4);

    cr_expect(u != rng_uniform(0, 2, 3, 4) && u != rng_uniform(1, 0, 3, 4));
    cr_expect(u != rng_uniform(1, 2, 0, 4) && u != rng_uniform(1, 2, 3, 0));
    cr_expect(u != rng_uniform(1ull << 32, 2, 3, 4) &&
              u != rng_uniform(1, 2ull << 32, 3, 4));
}

/* Kolmogorov-Smirnov against the uniform distribution; 1.95 is exceeded once in 1000. */
Test(rng, uniform_is_uniform)
{
    enum { N = 20000, CELLS = 1000 };
    int cell[CELLS] = {0};
    double worst = 0, seen = 0;

    for (uint32_t t = 0; t < N; t++) {
        const double u = rng_uniform(7, 11, 0, t);

        cr_assert(u >= 0 && u < 1);
        cell[(int)(u * CELLS)]++;
    }
    for (int i = 0; i < CELLS; i++) {
        seen += cell[i];
        worst = fmax(worst, fabs(seen / N - (i + 1.0) / CELLS));
    }
    cr_expect_lt(worst * sqrt(N), 1.95);
}

Test(rng, normal_has_its_moments)
{
    enum { N = 100000 };
    double m[5] = {0}, cross = 0;

    for (uint64_t i = 0; i < N; i++) {
        double z[2];

        rng_normal2(z, 3, 5, i);
        cross += z[0] * z[1];
        for (int k = 0; k < 2; k++)
            for (int p = 1; p <= 4; p++)
                m[p] += pow(z[k], p) / (2 * N);
    }
    cr_expect_float_eq(m[1], 0, 0.01); /* four standard errors and more */
    cr_expect_float_eq(m[2], 1, 0.015);
    cr_expect_float_eq(m[3], 0, 0.04);
    cr_expect_float_eq(m[4], 3, 0.1);
    cr_expect_float_eq(cross / N, 0, 0.015);
}

Test(rng, shuffle_is_a_permutation)
{
    for (size_t n = 0; n < 70; n++) {
        size_t perm[70], again[70];
        int seen[70] = {0};

        rng_shuffle(perm, n, 5, n);
        rng_shuffle(again, n, 5, n);
        for (size_t i = 0; i < n; i++) {
            cr_assert_lt(perm[i], n);
            cr_expect_eq(seen[perm[i]]++, 0);
            cr_expect_eq(perm[i], again[i]);
        }
    }
}

/* All 24 orders of 4 come up, about equally often. */
Test(rng, shuffle_is_fair)
{
    enum { DRAWS = 24000 };
    int count[256] = {0}, orders = 0;

    for (uint64_t s = 0; s < DRAWS; s++) {
        size_t p[4];

        rng_shuffle(p, 4, 1, s);
        count[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int i = 0; i < 256; i++)
        if (count[i]) {
            orders++;
            cr_expect(count[i] > 850 && count[i] < 1150, "%d", count[i]);
        }
    cr_expect_eq(orders, 24);
}
