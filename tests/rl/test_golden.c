/*
 * Every case of golden/rl/expected.json (PyTorch, float64) through rl/ and optim/.
 */
#include "../support/cases.h"
#include "optim/adamw.h"
#include "optim/clipnorm.h"
#include "rl/advantage.h"
#include "rl/bt.h"
#include "rl/dpo.h"
#include "rl/gae.h"
#include "rl/kl.h"
#include "rl/policy.h"
#include "rl/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX = CASE_MAX };
static const char *components[] = {"cov", "foc", "rep", "cp"};

static void check_kl(struct gold *g)
{
    static const char *names[] = {"k1", "k2", "k3"};
    const double *logp = case_array(g, g->in, "logp"),
                 *ref = case_array(g, g->in, "logp_ref");
    const size_t n = g->s.off[g->s.n];
    double v[MAX], d[MAX], mean;
    char key[32];

    for (int k = KL_K1; k <= KL_K3; k++) {
        mean = 0;
        for (size_t t = 0; t < n; t++) {
            v[t] = kl_value((enum kl_kind)k, logp[t], ref[t]);
            d[t] = kl_dlogp((enum kl_kind)k, logp[t], ref[t]) / (double)n;
            mean += v[t] / (double)n;
        }
        case_expect(g, names[k], v);
        snprintf(key, sizeof key, "mean_%s", names[k]);
        case_expect_number(g, key, mean);
        snprintf(key, sizeof key, "grad_mean_%s", names[k]);
        case_expect(g, key, d);
    }
}

static void check_gae(struct gold *g)
{
    const double *old = case_array(g, g->in, "logp_old"),
                 *ref = case_array(g, g->in, "logp_ref");
    const double *R = case_array(g, g->in, "reward"),
                 *V = case_array(g, g->in, "value");
    const size_t n = g->s.off[g->s.n];
    double r[MAX], adv[MAX], ret[MAX], x[MAX];

    gae_token_rewards(r, &g->s, old, ref, R, case_number(g->params, "beta_kl"));
    case_expect(g, "token_reward", r);
    gae(adv, ret, &g->s, r, V, case_number(g->params, "gamma"),
        case_number(g->params, "lambda"));
    case_expect(g, "advantage", adv);
    case_expect(g, "return", ret);
    memcpy(x, adv, n * sizeof *x);
    whiten(x, n, WHITEN_POPULATION);
    case_expect(g, "advantage_whitened", x);
    memcpy(x, adv, n * sizeof *x);
    whiten(x, n, WHITEN_UNBIASED);
    case_expect(g, "advantage_whitened_unbiased", x);
    whiten(r, n, WHITEN_KEEP_MEAN);
    case_expect(g, "token_reward_whitened_keep_mean", r);
}

static struct policy_opts options(const struct gold *g, enum policy_kind kind)
{
    return (struct policy_opts){
        .kind = kind,
        .low = case_number_or(g->params, "clip_low", 0.2),
        .high = case_number_or(g->params, "clip_high", 0.2),
        .cap = case_number_or(g->params, "ratio_cap", INFINITY),
        .dual = case_number_or(g->params, "dual_clip", INFINITY),
        .clamp = case_number_or(g->params, "log_ratio_clamp", 20),
        .beta = case_number_or(g->params, "beta", 0),
        .kl = KL_K3,
    };
}

/* Runs the loss twice over halves of the batch too: pieces must add up. */
static struct policy_stats run(struct gold *g, const struct policy_opts *o,
                               const double *old, const double *ref, const double *adv,
                               const double *w)
{
    const double *logp = case_array(g, g->in, "logp");
    double d[MAX] = {0};
    struct policy_stats whole = {0}, pieces = {0}, part;

    policy_loss(d, &whole, &g->s, logp, old, ref, adv, w, o);
    case_expect(g, "grad_logp", d);
    case_expect_number(g, "loss", whole.loss);
    memset(d, 0, sizeof d);
    for (size_t i = 0; i < g->s.n; i++) {
        const struct seqs one = {1, g->off + i};
        part = (struct policy_stats){0};
        policy_loss(d, &part, &one, logp, old, ref, adv, w + i, o);
        policy_stats_add(&pieces, &part);
    }
    case_expect(g, "grad_logp", d);
    case_expect_number(g, "loss", pieces.loss);
    return whole;
}

static void spread(const struct gold *g, double *tokens, const double *per_seq)
{
    for (size_t i = 0; i < g->s.n; i++)
        for (size_t t = g->s.off[i]; t < g->s.off[i + 1]; t++)
            tokens[t] = per_seq[i];
}

static void check_ppo(struct gold *g)
{
    const double *old = case_array(g, g->in, "logp_old"),
                 *adv = case_array(g, g->in, "advantage");
    const struct policy_opts o = options(g, POLICY_CLIP);
    double w[MAX];

    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    const struct policy_stats st = run(g, &o, old, NULL, adv, w);
    case_expect_number(g, "clip_fraction", st.clipped / st.tokens);
    case_expect_number(g, "dual_clip_fraction", st.dual / st.tokens);
    case_expect_number(g, "approx_kl_k3", st.approx_kl / st.tokens);
}

static void check_value(struct gold *g)
{
    const double *v = case_array(g, g->in, "value"),
                 *old = case_array(g, g->in, "value_old");
    const double *ret = case_array(g, g->in, "return");
    double w[MAX], d[MAX];
    struct value_stats st = {0};

    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    value_loss(d, &st, &g->s, v, old, ret, w, case_number(g->params, "clip_value"));
    case_expect(g, "grad_value", d);
    case_expect_number(g, "loss", st.loss);
    case_expect_number(g, "clip_fraction", st.clipped / st.tokens);
}

static void check_adaptive(struct gold *g)
{
    const double *kl = case_array(g, g->in, "kl");
    struct kl_control c = {case_number(g->params, "beta"),
                           case_number(g->params, "target"),
                           case_number(g->params, "horizon")};
    double beta[MAX];

    for (size_t i = 0; i < case_length(g->in, "kl"); i++) {
        kl_control_update(&c, kl[i], (size_t)case_number(g->params, "n"));
        beta[i] = c.beta;
    }
    case_expect(g, "beta", beta);
}

static enum advantage_scale scale(const struct gold *g)
{
    const json_t *v = json_object_get(g->params, "scale");
    const char *name = json_is_string(v) ? json_string_value(v) : "group";
    return !strcmp(name, "group")   ? SCALE_GROUP
           : !strcmp(name, "batch") ? SCALE_BATCH
                                    : SCALE_NONE;
}

/* The case's advantages, per sequence. */
static void advantages(struct gold *g, double *adv)
{
    const double *R = case_array(g, g->in, "reward");
    const struct advantage_eps eps = {case_number(g->params, "eps"), 0};
    size_t group[MAX];
    double scratch[MAX];

    case_groups(g, group);
    advantage_group(adv, R, group, case_length(g->in, "reward"), scale(g), eps,
                    scratch);
    case_expect(g, "advantage", adv);
}

static void check_group(struct gold *g)
{
    double adv[MAX];
    advantages(g, adv);
}

static void check_multi(struct gold *g)
{
    const json_t *comp = case_member(g->in, "component"),
                 *wt = case_member(g->params, "weight");
    const json_t *sign = case_member(g->params, "sign");
    const size_t n = case_length(g->in, "group");
    const struct advantage_eps eps = {case_number(g->params, "eps"), 0};
    double x[4 * 64], sum[64] = {0}, adv[64], w[4], scratch[5 * 64];
    size_t group[MAX];

    cr_assert_leq(n, 64);
    case_groups(g, group);
    for (size_t k = 0; k < 4; k++) {
        const double *c = case_array(g, comp, components[k]);
        w[k] = case_number(wt, components[k]) * case_number(sign, components[k]);
        for (size_t i = 0; i < n; i++) {
            x[k * n + i] = c[i];
            sum[i] += w[k] * c[i];
        }
    }
    advantage_group(adv, sum, group, n, SCALE_GROUP, eps, scratch);
    case_expect(g, "sum_then_normalize", adv);
    advantage_multi(adv, x, w, 4, group, n, eps, scratch);
    case_expect(g, "normalize_then_sum", adv);
}

static enum seqs_mean aggregation(const struct gold *g)
{
    static const char *names[] = {"grpo", "bnpo", "dapo", "dr_grpo"};
    const char *name = json_string_value(case_member(g->params, "aggregation"));
    int k = 0;
    while (k < 3 && strcmp(names[k], name))
        k++;
    return (enum seqs_mean)k;
}

static void check_grpo_kind(struct gold *g, enum policy_kind kind)
{
    double per_seq[MAX], adv[MAX], w[MAX];
    const struct policy_opts o = options(g, kind);
    const double *old = case_array(g, g->in, "logp_old");
    const double *ref = o.beta != 0 ? case_array(g, g->in, "logp_ref") : NULL;

    advantages(g, per_seq);
    spread(g, adv, per_seq);
    seqs_weights(w, &g->s, aggregation(g),
                 case_number_or(g->params, "global_tokens", 1),
                 case_number_or(g->params, "t_max", 1));
    const struct policy_stats st = run(g, &o, old, ref, adv, w);
    case_expect_number(g, "clip_fraction", st.clipped / st.tokens);
}

static void check_grpo(struct gold *g)
{
    check_grpo_kind(g, POLICY_CLIP);
}

static void check_gspo(struct gold *g)
{
    check_grpo_kind(g, POLICY_SEQ_MEAN);
}

static void check_cispo(struct gold *g)
{
    struct policy_opts o = options(g, POLICY_CISPO);
    const double *old = case_array(g, g->in, "logp_old");
    const double *A = case_array(g, g->in, "advantage");
    double adv[MAX], w[MAX];

    o.cap = case_number(g->params, "ratio_max");
    spread(g, adv, A);
    seqs_weights(w, &g->s, aggregation(g), 1, 1);
    run(g, &o, old, NULL, adv, w);
}

static void check_rloo(struct gold *g)
{
    const double *old = case_array(g, g->in, "logp_old"),
                 *ref = case_array(g, g->in, "logp_ref");
    const double *R = case_array(g, g->in, "reward");
    const double cut = case_number(g->params, "reward_clip");
    const double beta = case_number(g->params, "beta_kl");
    const struct policy_opts o = options(g, POLICY_SEQ_SUM);
    double adj[MAX], adv[MAX], tok[MAX], w[MAX], scratch[MAX];
    size_t group[MAX];

    case_groups(g, group);
    for (size_t i = 0; i < g->s.n; i++) {
        adj[i] = fmin(fmax(R[i], -cut), cut);
        for (size_t t = g->off[i]; t < g->off[i + 1]; t++)
            adj[i] -= beta * kl_value(KL_K1, old[t], ref[t]);
    }
    case_expect(g, "adjusted_reward", adj);
    advantage_leave_one_out(adv, adj, group, g->s.n, scratch);
    case_expect(g, "advantage", adv);
    spread(g, tok, adv);
    seqs_weights(w, &g->s, MEAN_GRPO, 1, 1);
    run(g, &o, old, NULL, tok, w);
}

static void check_reinforce_pp(struct gold *g)
{
    const double *old = case_array(g, g->in, "logp_old"),
                 *ref = case_array(g, g->in, "logp_ref");
    const double *R = case_array(g, g->in, "reward");
    const int plain =
        !strcmp(json_string_value(case_member(g->params, "variant")), "plain");
    const struct policy_opts o = options(g, POLICY_CLIP);
    double base[MAX], r[MAX], w[MAX], scratch[MAX];
    size_t group[MAX];

    case_groups(g, group);
    advantage_group(base, R, group, g->s.n, SCALE_NONE, (struct advantage_eps){0},
                    scratch);
    gae_token_rewards(r, &g->s, old, ref, plain ? R : base,
                      case_number(g->params, "beta_kl"));
    gae_reward_to_go(r, &g->s, r, case_number(g->params, "gamma"));
    case_expect(g, "return_to_go", r);
    whiten(r, g->s.off[g->s.n], WHITEN_POPULATION);
    case_expect(g, "advantage", r);
    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    const struct policy_stats st = run(g, &o, old, NULL, r, w);
    case_expect_number(g, "clip_fraction", st.clipped / st.tokens);
}

static void check_reinforce(struct gold *g)
{
    const struct policy_opts o = options(g, POLICY_LOGLIK);
    const double *R = case_array(g, g->in, "reward");
    double A[MAX], adv[MAX], w[MAX];

    case_array(g, g->in, "logp"); /* fixes the lengths */
    for (size_t i = 0; i < g->s.n; i++)
        A[i] = R[i] - case_number(g->params, "baseline");
    spread(g, adv, A);
    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    run(g, &o, NULL, NULL, adv, w);
}

static void check_raft(struct gold *g)
{
    const struct policy_opts o = options(g, POLICY_LOGLIK);
    const double *R = case_array(g, g->in, "reward");
    const size_t nbest = case_length(g->out, "best");
    double best[MAX], adv[MAX], w[MAX], tokens = 0;
    size_t group[MAX];

    case_groups(g, group);
    case_array(g, g->in, "logp");
    memset(w, 0, sizeof w);
    for (size_t k = 0; k < nbest; k++) {
        const size_t b = advantage_best(R, group, g->s.n, k);
        best[k] = (double)b;
        tokens += (double)seqs_len(&g->s, b);
    }
    for (size_t k = 0; k < nbest; k++)
        w[(size_t)best[k]] = 1 / tokens;
    for (size_t t = 0; t < g->s.off[g->s.n]; t++)
        adv[t] = 1;
    case_expect(g, "best", best);
    run(g, &o, NULL, NULL, adv, w);
}

static void check_bound(struct gold *g)
{
    const double *n = case_array(g, g->in, "n");
    double got[MAX];

    for (size_t i = 0; i < case_length(g->in, "n"); i++)
        got[i] = kl_best_of_n((size_t)n[i]);
    case_expect(g, "bound", got);
}

static void check_overlong(struct gold *g)
{
    const double *len = case_array(g, g->in, "length");
    double got[MAX];

    for (size_t i = 0; i < case_length(g->in, "length"); i++)
        got[i] =
            advantage_overlong((size_t)len[i], (size_t)case_number(g->params, "t_max"),
                               (size_t)case_number(g->params, "buffer"));
    case_expect(g, "penalty", got);
}

static void check_preference(struct gold *g, enum dpo_kind kind)
{
    const struct dpo_opts o = {kind, case_number(g->params, "beta"),
                               case_number(g->params, "label_smoothing")};
    const double *logp[2], *ref[2];
    double d[2][MAX], loss[MAX], h[MAX], rc[MAX], rr[MAX], before[2];
    size_t off[2][MAX + 1];
    struct dpo_stats st = {0};
    static const char *keys[2][2] = {{"logp_chosen", "logp_ref_chosen"},
                                     {"logp_rejected", "logp_ref_rejected"}};

    for (int k = 0; k < 2; k++) {
        logp[k] = case_array(g, g->in, keys[k][0]);
        ref[k] = case_array(g, g->in, keys[k][1]);
        memcpy(off[k], g->off, sizeof off[k]);
    }
    const size_t n = g->s.n;
    for (size_t i = 0; i < n; i++) {
        struct dpo_side side[2];
        for (int k = 0; k < 2; k++)
            side[k] = (struct dpo_side){off[k][i + 1] - off[k][i], logp[k] + off[k][i],
                                        ref[k] + off[k][i], d[k] + off[k][i]};
        before[0] = st.chosen;
        before[1] = st.rejected;
        loss[i] = dpo_pair(&st, &side[0], &side[1], 1 / (double)n, &o, &h[i]);
        rc[i] = st.chosen - before[0];
        rr[i] = st.rejected - before[1];
    }
    case_expect(g, "per_pair", loss);
    case_expect(g, "h", h);
    case_expect(g, "reward_chosen", rc);
    case_expect(g, "reward_rejected", rr);
    case_expect(g, "grad_chosen", d[0]);
    case_expect(g, "grad_rejected", d[1]);
    case_expect_number(g, "loss", st.loss);
    case_expect_number(g, "accuracy", st.correct / st.pairs);
}

static void check_dpo(struct gold *g)
{
    check_preference(g, DPO_SIGMOID);
}

static void check_ipo(struct gold *g)
{
    check_preference(g, DPO_IPO);
}

static void check_ipo_mean(struct gold *g)
{
    check_preference(g, DPO_IPO_MEAN);
}

static void check_bt(struct gold *g)
{
    const double *c = case_array(g, g->in, "chosen"),
                 *r = case_array(g, g->in, "rejected");
    const size_t n = case_length(g->in, "chosen");
    double dc[MAX], dr[MAX], loss[MAX];
    struct bt_stats st = {0};

    for (size_t i = 0; i < n; i++)
        loss[i] =
            bt_pair(&st, &dc[i], &dr[i], c[i], r[i], case_number(g->params, "margin"),
                    case_number(g->params, "center"), 1 / (double)n);
    case_expect(g, "per_pair", loss);
    case_expect_number(g, "loss", st.loss);
    case_expect_number(g, "accuracy", st.correct / st.pairs);
    case_expect(g, "grad_chosen", dc);
    case_expect(g, "grad_rejected", dr);
}

/* float32 state against a float64 reference: 1e-4, as README of the golden data says.
 */
static void check_adamw(struct gold *g)
{
    const json_t *grads = case_member(g->in, "grad"), *steps = case_member(g->out, "w");
    const double *w0 = case_array(g, g->in, "w");
    const size_t n = case_length(g->in, "w");
    const struct adamw o = {case_number(g->params, "beta1"),
                            case_number(g->params, "beta2"),
                            case_number(g->params, "eps")};
    float w[64], m[64] = {0}, v[64] = {0}, grad[64];
    struct adamw_run run[1];
    double norm[MAX], scratch[64];

    cr_assert_leq(n, 64);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)w0[i];
    const size_t runs = adamw_cut(run, 0, n, case_number(g->params, "weight_decay"));
    for (size_t t = 0; t < json_array_size(grads); t++) {
        for (size_t i = 0; i < n; i++)
            grad[i] =
                (float)json_number_value(json_array_get(json_array_get(grads, t), i));
        norm[t] = clipnorm(NULL, grad, n, scratch);
        adamw_step(&o, NULL, run, runs, w, grad, m, v, t + 1,
                   case_number(g->params, "lr"),
                   clipnorm_scale(norm[t], case_number_or(g->params, "clip_norm", 0)));
        for (size_t i = 0; i < n; i++) {
            const double want =
                json_number_value(json_array_get(json_array_get(steps, t), i));
            cr_expect_float_eq(w[i], want, 1e-6 + 1e-6 * fabs(want),
                               "adamw step %zu, element %zu: %.9g, want %.9g", t, i,
                               (double)w[i], want);
        }
    }
    for (size_t t = 0; t < json_array_size(grads); t++)
        cr_expect_float_eq(
            norm[t], json_number_value(json_array_get(case_member(g->out, "norm"), t)),
            1e-6);
}

static const struct case_kind kinds[] = {
    {"kl", check_kl},
    {"gae", check_gae},
    {"ppo_policy", check_ppo},
    {"ppo_value", check_value},
    {"adaptive_kl", check_adaptive},
    {"group_advantage", check_group},
    {"multi_reward", check_multi},
    {"grpo", check_grpo},
    {"gspo", check_gspo},
    {"cispo", check_cispo},
    {"rloo", check_rloo},
    {"reinforce_pp", check_reinforce_pp},
    {"reinforce", check_reinforce},
    {"raft", check_raft},
    {"best_of_n_kl_bound", check_bound},
    {"overlong", check_overlong},
    {"dpo", check_dpo},
    {"ipo", check_ipo},
    {"ipo_mean", check_ipo_mean},
    {"bradley_terry", check_bt},
    {"adamw", check_adamw},
    {"logits", NULL}, /* test_logits.c */
};

Test(golden, every_case)
{
    cases_run(kinds, sizeof kinds / sizeof *kinds);
}
