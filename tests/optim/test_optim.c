/* The optimiser's parts: laws, threads, edges. The numbers of torch are in
 * tests/rl/test_golden.c. */
#include "base/rng.h"
#include "optim/adamw.h"
#include "optim/clipnorm.h"
#include "optim/schedule.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *noise(size_t n, uint64_t stream)
{
    float *x = malloc((n + 1) * sizeof *x);
    double z[2];

    for (size_t i = 0; i < n; i += 2) {
        rng_normal2(z, 7, stream, i);
        x[i] = (float)z[0];
        x[i + 1 < n ? i + 1 : n] = (float)z[1];
    }
    return x;
}

static struct par *pool(size_t threads)
{
    struct par *p = NULL;
    struct err e = {0};

    cr_assert_eq(par_new(&p, threads, &e), 0, "%s", e.text);
    return p;
}

TheoryDataPoints(clipnorm, threads_do_not_matter) = {
    DataPoints(size_t, 0, 1, 7, 16384, 16385, 300001),
};
Theory((size_t n), clipnorm, threads_do_not_matter)
{
    float *x = noise(n, 1);
    double *scratch = malloc((clipnorm_scratch(n) + 1) * sizeof *scratch), slow = 0;
    struct par *p = pool(3);
    const double one = clipnorm(NULL, x, n, scratch),
                 three = clipnorm(p, x, n, scratch);

    for (size_t i = 0; i < n; i++)
        slow += (double)x[i] * (double)x[i];
    cr_expect(one == three);
    cr_expect_float_eq(one, sqrt(slow), 1e-10 * (1 + one));
    par_free(p);
    free(x);
    free(scratch);
}

Test(clipnorm, not_a_number_is_seen)
{
    float x[100] = {0};
    double scratch[1];

    x[97] = NAN;
    cr_expect(isnan(clipnorm(NULL, x, 100, scratch)));
    x[97] = INFINITY;
    cr_expect(isinf(clipnorm(NULL, x, 100, scratch)));
}

Test(clipnorm, factor)
{
    cr_expect_float_eq(clipnorm_scale(2, 1), 0.5, 1e-6);
    cr_expect(clipnorm_scale(0.5, 1) == 1);
    cr_expect(clipnorm_scale(1e9, 0) == 1, "0 is no clipping");
}

TheoryDataPoints(adamw, threads_and_cuts_do_not_matter) = {
    DataPoints(size_t, 1, 65535, 65536, 200003),
    DataPoints(double, 0.0, 0.1),
};
Theory((size_t n, double decay), adamw, threads_and_cuts_do_not_matter)
{
    const struct adamw o = {0.9, 0.95, 1e-8};
    float *w[2], *m[2], *v[2], *g = noise(n, 3);
    struct adamw_run *runs = malloc(adamw_runs(n) * sizeof *runs);
    const size_t nruns = adamw_cut(runs, 0, n, decay);
    struct par *p = pool(3);

    cr_expect_eq(nruns, adamw_runs(n));
    for (int k = 0; k < 2; k++) {
        const struct adamw_run whole = {0, n, (float)decay};
        w[k] = noise(n, 2);
        m[k] = calloc(n, sizeof(float));
        v[k] = calloc(n, sizeof(float));
        for (uint64_t t = 1; t <= 3; t++)
            adamw_step(&o, k ? p : NULL, k ? runs : &whole, k ? nruns : 1, w[k], g,
                       m[k], v[k], t, 1e-2, 0.7);
    }
    cr_expect_eq(memcmp(w[0], w[1], n * sizeof(float)), 0);
    cr_expect_eq(memcmp(v[0], v[1], n * sizeof(float)), 0);
    for (int k = 0; k < 2; k++) {
        free(w[k]);
        free(m[k]);
        free(v[k]);
    }
    free(g);
    free(runs);
    par_free(p);
}

/* The first step moves every weight by lr against its gradient's sign. */
Test(adamw, first_step_is_lr)
{
    const struct adamw o = {0.9, 0.95, 1e-8};
    const struct adamw_run run = {1, 2, 0};
    float w[4] = {1, 1, 1, 1}, g[4] = {5, 1e-3f, -300, 5}, m[4] = {0}, v[4] = {0};

    adamw_step(&o, NULL, &run, 1, w, g, m, v, 1, 0.01, 1);
    cr_expect(w[0] == 1 && w[3] == 1, "outside the runs nothing moves");
    cr_expect_float_eq(w[1], 0.99f, 1e-6);
    cr_expect_float_eq(w[2], 1.01f, 1e-6);
}

Test(schedule, warmup_then_constant)
{
    const struct schedule s = {.kind = SCHEDULE_CONSTANT, .lr = 1, .warmup = 4};

    cr_expect_float_eq(schedule_lr(&s, 0), 0.25, 1e-15);
    cr_expect_float_eq(schedule_lr(&s, 3), 1, 1e-15);
    cr_expect_float_eq(schedule_lr(&s, 1000), 1, 1e-15);
}

Test(schedule, cosine_ends_at_the_floor)
{
    const struct schedule s = {SCHEDULE_COSINE, 2, 10, 110, 0.1};

    cr_expect_float_eq(schedule_lr(&s, 10), 2, 1e-12);
    cr_expect_float_eq(schedule_lr(&s, 60), 2 * (0.1 + 0.9 * 0.5), 1e-12);
    cr_expect_float_eq(schedule_lr(&s, 110), 0.2, 1e-12);
    cr_expect_float_eq(schedule_lr(&s, 5000), 0.2, 1e-12, "held, not rising again");
    for (size_t t = 1; t < 200; t++)
        cr_expect(t < 10 || schedule_lr(&s, t) <= schedule_lr(&s, t - 1));
}
