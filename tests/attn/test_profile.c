#include "attn/stats.h"

#include <criterion/criterion.h>
#include <math.h>

/* Three steps over four positions; the support is 1 and 3. */
static const double A[12] = {
    0, .9, 0,  .1, /* the first step does not count */
    0, .2, .5, .1, /* */
    0, .1, .5, .3,
};
static const uint32_t pos[2] = {1, 3};

Test(profile, by_hand)
{
    const struct attn_rows r = {3, 4, A, 3, pos, 2};
    double p[2];

    cr_expect_float_eq(attn_profile(p, &r), .5, 1e-15);
    cr_expect_float_eq(p[0], .4, 1e-15);
    cr_expect_float_eq(p[1], .6, 1e-15);
    cr_expect_float_eq(attn_mean_mass(&r), (1 + .3 + .4) / 3, 1e-15);
}

Test(profile, one_step_is_all_there_is)
{
    const struct attn_rows r = {3, 4, A, 1, pos, 2};
    double p[2];

    cr_expect_float_eq(attn_profile(p, &r), 1, 1e-15);
    cr_expect_float_eq(p[0], .9, 1e-15);
    cr_expect_float_eq(attn_mean_mass(&r), 1, 1e-15);
}

Test(profile, nothing_was_read)
{
    const struct attn_rows none = {3, 4, A, 0, pos, 2}, empty = {3, 4, A, 3, pos, 0};
    double p[2] = {7, 7};

    cr_expect_eq(attn_profile(p, &none), 0);
    cr_expect(p[0] == 0 && p[1] == 0);
    cr_expect_eq(attn_mean_mass(&none), 0);
    cr_expect_eq(attn_profile(p, &empty), 0);
}

/* A distance: 0 only for the same, symmetric, at most 1, the triangle's inequality. */
Test(profile, distance)
{
    static const float p[4][3] = {
        {1, 0, 0}, {0, .5f, .5f}, {.25f, .5f, .25f}, {.5f, .25f, .25f}};

    cr_expect_float_eq(attn_apart(p[0], p[1], 3), 1, 1e-7);
    cr_expect_float_eq(attn_apart(p[2], p[3], 3), .25, 1e-7);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            const double d = attn_apart(p[i], p[j], 3);

            cr_expect_eq(d == 0, i == j);
            cr_expect_eq(d, attn_apart(p[j], p[i], 3));
            for (size_t k = 0; k < 4; k++)
                cr_expect_leq(d, attn_apart(p[i], p[k], 3) + attn_apart(p[k], p[j], 3) +
                                     1e-7);
        }
}
