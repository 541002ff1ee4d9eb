/*
 * The golden cases that go down to the logits: policy loss and entropy bonus as
 * functions of them, our log-softmax (float32) below our loss.
 */
#include "../support/cases.h"
#include "../support/machine.h"
#include "nn/xent.h"
#include "rl/policy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 16 };

/* One row of logits for each of N tokens. */
struct logits {
    struct machine machine;
    float *z, *dz;
    float logp[ROWS], entropy[ROWS], lse[ROWS], temperature[ROWS];
    int32_t target[ROWS];
    size_t N, V;
};

static struct logits logits_of(struct gold *g)
{
    struct logits l = {.N = case_length(g->in, "ids")};
    const double *z = case_array(g, g->in, "logits"),
                 *ids = case_array(g, g->in, "ids");

    cr_assert_leq(l.N, ROWS);
    l.V = g->off[1];
    l.z = floats(l.N * l.V);
    l.dz = floats(l.N * l.V);
    cr_assert(machine_new(&l.machine, 1, NULL));
    for (size_t i = 0; i < l.N * l.V; i++)
        l.z[i] = (float)z[i];
    for (size_t n = 0; n < l.N; n++) {
        l.target[n] = (int32_t)ids[n];
        l.temperature[n] = (float)case_number(g->params, "temperature");
    }
    xent_forward(l.machine.k, l.logp, l.entropy, l.lse, l.z, l.target, l.temperature,
                 l.N, l.V);
    return l;
}

static void logits_free(struct logits *l)
{
    free(l->z);
    free(l->dz);
    machine_free(&l->machine);
}

static void near(const char *what, double got, double want)
{
    cr_expect(fabs(got - want) <= 1e-6 + 1e-5 * fabs(want), "%s: %.9g, want %.9g", what,
              got, want);
}

static void all_near(struct gold *g, const char *key, const float *got, size_t n)
{
    const double *want = case_array(g, g->out, key);

    for (size_t i = 0; i < n; i++)
        near(key, got[i], want[i]);
}

/* The gradient in the logits that dlogp and dentropy amount to. */
static void expect_gradient(struct gold *g, struct logits *l, const char *key,
                            const float *dlogp, const float *dentropy)
{
    xent_backward(l->machine.k, l->dz, l->z, l->target, l->temperature, l->lse,
                  l->entropy, dlogp, dentropy, l->N, l->V);
    all_near(g, key, l->dz, l->N * l->V);
}

/* The loss, the mean over the tokens; its gradient in them into dlogp. */
static double ppo(struct gold *g, const struct logits *l, float *dlogp)
{
    const double *old = case_array(g, g->in, "logp_old"),
                 *adv = case_array(g, g->in, "advantage");
    const struct policy_opts o = {.kind = POLICY_CLIP,
                                  .low = case_number(g->params, "clip_low"),
                                  .high = case_number(g->params, "clip_high"),
                                  .cap = (double)INFINITY,
                                  .dual = (double)INFINITY,
                                  .clamp = 20};
    const size_t off[] = {0, l->N};
    const struct seqs s = {1, off};
    const double w = 1 / (double)l->N;
    struct policy_stats st = {0};
    double logp[ROWS], d[ROWS];

    for (size_t n = 0; n < l->N; n++)
        logp[n] = l->logp[n];
    policy_loss(d, &st, &s, logp, old, NULL, adv, &w, &o);
    for (size_t n = 0; n < l->N; n++)
        dlogp[n] = (float)d[n];
    return st.loss;
}

static void check_logits(struct gold *g)
{
    struct logits l = logits_of(g);
    const double c = case_number(g->params, "c_entropy"), N = (double)l.N;
    float ones[ROWS], none[ROWS] = {0}, dlogp[ROWS], mean[ROWS], bonus[ROWS];
    double entropy = 0;

    for (size_t n = 0; n < l.N; n++) {
        entropy += l.entropy[n] / N;
        ones[n] = 1;
        mean[n] = (float)(1 / N);
        bonus[n] = (float)(-c / N);
    }
    const double loss = ppo(g, &l, dlogp);
    all_near(g, "logp", l.logp, l.N);
    all_near(g, "entropy", l.entropy, l.N);
    near("ppo_loss", loss, case_number(g->out, "ppo_loss"));
    near("total", loss - c * entropy, case_number(g->out, "total"));
    expect_gradient(g, &l, "grad_logp_sum", ones, NULL);
    expect_gradient(g, &l, "grad_ppo", dlogp, NULL);
    expect_gradient(g, &l, "grad_entropy_mean", none, mean);
    expect_gradient(g, &l, "grad_total", dlogp, bonus);
    logits_free(&l);
}

Test(golden, logits)
{
    const struct case_kind kind = {"logits", check_logits};

    cases_run_some(&kind, 1);
}
