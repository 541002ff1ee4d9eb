/* What must hold of the RL arithmetic whatever the numbers. */
#include "base/rng.h"
#include "rl/advantage.h"
#include "rl/gae.h"
#include "rl/policy.h"
#include "rl/value.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <string.h>

enum { N = 12 };
static const size_t group[N] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3};

static void noise(double *x, size_t n, uint64_t stream)
{
    double z[2];

    for (size_t i = 0; i < n; i++) {
        rng_normal2(z, 3, stream, i);
        x[i] = z[0];
    }
}

Test(advantage, a_constant_changes_nothing)
{
    double R[N], S[N], a[N], b[N], scratch[5 * N];
    const struct advantage_eps eps = {1e-4, 0.01};

    noise(R, N, 1);
    R[5] = NAN;
    for (size_t i = 0; i < N; i++)
        S[i] = R[i] + 7.5;
    for (int scale = SCALE_GROUP; scale <= SCALE_NONE; scale++) {
        advantage_group(a, R, group, N, (enum advantage_scale)scale, eps, scratch);
        advantage_group(b, S, group, N, (enum advantage_scale)scale, eps, scratch);
        for (size_t i = 0; i < N; i++)
            cr_expect_float_eq(a[i], b[i], 1e-12);
    }
    advantage_leave_one_out(a, R, group, N, scratch);
    advantage_leave_one_out(b, S, group, N, scratch);
    for (size_t i = 0; i < N; i++)
        cr_expect_float_eq(a[i], b[i], 1e-12);
}

Test(advantage, abstained_and_lonely_are_zero)
{
    double R[N], a[N], scratch[5 * N];
    const struct advantage_eps eps = {1e-4, 0};

    noise(R, N, 2);
    R[4] = R[5] = NAN; /* group 1 is left with one */
    advantage_group(a, R, group, N, SCALE_GROUP, eps, scratch);
    cr_expect(a[4] == 0 && a[5] == 0 && a[6] == 0 && a[11] == 0);
    advantage_leave_one_out(a, R, group, N, scratch);
    cr_expect(a[4] == 0 && a[5] == 0 && a[6] == 0 && a[11] == 0);
    double sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += a[i];
    cr_expect_float_eq(sum, 0, 1e-12);
    for (size_t i = 0; i < N; i++)
        R[i] = NAN;
    cr_expect_eq(advantage_group(a, R, group, N, SCALE_BATCH, eps, scratch), 0);
    for (size_t i = 0; i < N; i++)
        cr_expect(a[i] == 0);
    cr_expect_eq(advantage_best(R, group, N, 0), N);
}

/* METHOD 3.1.10: a group with hardly any spread must not become +-1. */
Test(advantage, tiny_noise_is_not_blown_up)
{
    double R[N], a[N], scratch[5 * N];
    const struct advantage_eps eps = {0, 0.01};

    noise(R, N, 3);
    for (size_t i = 7; i < 11; i++)
        R[i] = 0.5 + 1e-5 * (double)i;
    advantage_group(a, R, group, N, SCALE_GROUP, eps, scratch);
    for (size_t i = 7; i < 11; i++)
        cr_expect_lt(fabs(a[i]), 0.01);
    for (size_t i = 7; i < 11; i++)
        R[i] = 0.5;
    cr_expect_eq(advantage_group(a, R, group, N, SCALE_GROUP, eps, scratch), 1);
    cr_expect(a[7] == 0);
}

Test(advantage, running_mean_looks_back_only)
{
    struct advantage_running r = {0};
    double R[2] = {1, 3}, a[2];

    advantage_running_mean(&r, a, R, 2);
    cr_expect_float_eq(a[0], -1, 1e-15);
    R[0] = 7;
    R[1] = NAN;
    advantage_running_mean(&r, a, R, 2);
    cr_expect_float_eq(a[0], 5, 1e-15);
    cr_expect(a[1] == 0);
    cr_expect_float_eq(r.sum / r.count, 11.0 / 3, 1e-15);
}

/* Finite differences of every kind of policy loss, away from the corners of the clip. */
static const struct policy_opts kinds[] = {
    {POLICY_CLIP, 0.2, 0.28, INFINITY, INFINITY, 20, 0.05, KL_K3},
    {POLICY_CLIP, 0.2, 0.2, 1.7, 1.5, 20, 0.1, KL_K2},
    {POLICY_SEQ_MEAN, 0.02, 0.03, INFINITY, INFINITY, 20, 0.0, KL_K3},
    {POLICY_SEQ_SUM, 0.2, 0.2, INFINITY, INFINITY, 20, 0.05, KL_K1},
    {POLICY_LOGLIK, 0, 0, INFINITY, INFINITY, 20, 0.05, KL_K3},
};

ParameterizedTestParameters(policy, gradient)
{
    static size_t index[] = {0, 1, 2, 3, 4};
    return cr_make_param_array(size_t, index, 5);
}
ParameterizedTest(size_t *which, policy, gradient)
{
    const size_t off[] = {0, 3, 4, 4, 9};
    const struct seqs s = {4, off};
    const struct policy_opts *o = &kinds[*which];
    double logp[9], old[9], ref[9], adv[9], w[4], d[9], trash[9];
    const double h = 1e-6;

    noise(logp, 9, 4);
    noise(old, 9, 5);
    noise(ref, 9, 6);
    noise(adv, 9, 7);
    seqs_weights(w, &s, MEAN_GRPO, 1, 1);
    for (size_t t = 0; t < 9; t++) {
        old[t] = logp[t] + 0.3 * old[t];
        ref[t] = logp[t] + 0.3 * ref[t];
        adv[t] = adv[t < 3 ? 0 : t < 4 ? 3 : 4];
    }
    struct policy_stats st = {0};
    policy_loss(d, &st, &s, logp, old, ref, adv, w, o);
    for (size_t t = 0; t < 9; t++) {
        struct policy_stats up = {0}, down = {0};
        const double x = logp[t];
        logp[t] = x + h;
        policy_loss(trash, &up, &s, logp, old, ref, adv, w, o);
        logp[t] = x - h;
        policy_loss(trash, &down, &s, logp, old, ref, adv, w, o);
        logp[t] = x;
        cr_expect_float_eq(d[t], (up.loss - down.loss) / (2 * h), 1e-7,
                           "kind %zu token %zu: %g, differences say %g", *which, t,
                           d[t], (up.loss - down.loss) / (2 * h));
    }
}

/* CISPO holds its ratio constant: its gradient is that of the weighted likelihood. */
Test(policy, cispo_weighs_and_does_not_clip)
{
    const size_t off[] = {0, 2};
    const struct seqs s = {1, off};
    const struct policy_opts o = {
        .kind = POLICY_CISPO, .cap = 1.5, .dual = INFINITY, .clamp = 20};
    const double logp[] = {-1, -2}, old[] = {-1.1, -3}, adv[] = {2, 2}, w[] = {1};
    struct policy_stats st = {0};
    double d[2];

    policy_loss(d, &st, &s, logp, old, NULL, adv, w, &o);
    cr_expect_float_eq(d[0], -2 * exp(0.1), 1e-12);
    cr_expect_float_eq(d[1], -2 * 1.5, 1e-12);
    cr_expect(st.clipped == 1);
}

/* The first step of an update: ratio 1, nothing clipped, no KL, the plain gradient. */
Test(policy, first_step_is_the_plain_gradient)
{
    const size_t off[] = {0, 5};
    const struct seqs s = {1, off};
    struct policy_stats st = {0};
    double logp[5], adv[5], d[5];
    const double w[] = {0.2};

    noise(logp, 5, 8);
    noise(adv, 5, 9);
    policy_loss(
        d, &st, &s, logp, logp, NULL, adv, w,
        &(struct policy_opts){POLICY_CLIP, .2, .2, INFINITY, INFINITY, 20, 0, 0});
    cr_expect(st.clipped == 0 && st.ratio_max_dev == 0 && st.approx_kl == 0);
    for (size_t t = 0; t < 5; t++)
        cr_expect_float_eq(d[t], -0.2 * adv[t], 1e-15);
}

Test(gae, lambda_one_is_return_minus_value)
{
    const size_t off[] = {0, 4, 5};
    const struct seqs s = {2, off};
    double r[5], v[5], adv[5], ret[5], g[5];

    noise(r, 5, 10);
    noise(v, 5, 11);
    gae(adv, ret, &s, r, v, 0.9, 1);
    gae_reward_to_go(g, &s, r, 0.9);
    for (size_t t = 0; t < 5; t++) {
        cr_expect_float_eq(adv[t], g[t] - v[t], 1e-12);
        cr_expect_float_eq(ret[t], g[t], 1e-12);
    }
}

/* The value of METHOD's golden vectors, as a reader would check it by hand. */
Test(gae, worked_example)
{
    const size_t off[] = {0, 4};
    const struct seqs s = {1, off};
    const double r[] = {-.01, .02, -.03, 1}, v[] = {.1, .2, .3, .4};
    const double want[] = {.7816, .728, .64, .6};
    double adv[4], ret[4];

    gae(adv, ret, &s, r, v, 1, .95);
    for (size_t t = 0; t < 4; t++)
        cr_expect_float_eq(adv[t], want[t], 5e-5);
}
