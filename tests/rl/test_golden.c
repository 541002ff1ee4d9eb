/*
 * Every case of golden/rl/expected.json (PyTorch, float64) through rl/ and optim/.
 * CAGSR_GOLDEN names another golden directory.
 */
#include "base/json.h"
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
#include <stdlib.h>
#include <string.h>

enum { MAX = 4096 };
static const char *components[] = {"cov", "foc", "rep", "cp"};

/* One case; arrays handed out live until the program ends. */
struct gold {
    const json_t *params, *in, *out;
    char name[64];
    size_t off[MAX + 1];
    struct seqs s;
    double left[24][MAX]; /* arrays read */
    size_t used;
};

static const json_t *member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    cr_assert_not_null(v, "golden case has no '%s'", key);
    return v;
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(member(o, key));
}

/* null means none. */
static double number_or(const json_t *o, const char *key, double none)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : none;
}

/* Flattens a list, or a list of lists (then *s gets the offsets); null is NaN. */
static double *array(struct gold *g, const json_t *o, const char *key)
{
    const json_t *a = member(o, key), *x, *y;
    double *out = g->left[g->used++];
    size_t i, j, n = 0, rows = 0;

    cr_assert_leq(g->used, sizeof g->left / sizeof *g->left);

    json_array_foreach((json_t *)a, i, x)
    {
        if (json_is_array(x)) {
            g->off[rows++] = n;
            json_array_foreach((json_t *)x, j, y) out[n++] = json_number_value(y);
            g->off[rows] = n;
        } else {
            out[n++] = json_is_null(x) ? NAN : json_number_value(x);
        }
        cr_assert_lt(n, MAX - 64);
    }
    if (rows)
        g->s = (struct seqs){rows, g->off};
    return out;
}

static size_t length(const json_t *o, const char *key)
{
    return json_array_size(member(o, key));
}

static void groups(struct gold *g, size_t *out)
{
    const double *x = array(g, g->in, "group");
    for (size_t i = 0; i < length(g->in, "group"); i++)
        out[i] = (size_t)x[i];
}

static void near(const struct gold *g, const char *what, size_t i, double got,
                 double want)
{
    cr_expect(fabs(got - want) <= 1e-12 + 1e-9 * fabs(want),
              "%s: %s[%zu]: %.17g, want %.17g", g->name, what, i, got, want);
}

static void expect(struct gold *g, const char *key, const double *got)
{
    const double *want = array(g, g->out, key);
    const json_t *a = member(g->out, key);
    const size_t n =
        json_is_array(json_array_get(a, 0)) ? g->s.off[g->s.n] : json_array_size(a);
    for (size_t i = 0; i < n; i++)
        near(g, key, i, got[i], want[i]);
}

static void expect_number(struct gold *g, const char *key, double got)
{
    near(g, key, 0, got, number(g->out, key));
}

static void check_kl(struct gold *g)
{
    static const char *names[] = {"k1", "k2", "k3"};
    const double *logp = array(g, g->in, "logp"), *ref = array(g, g->in, "logp_ref");
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
        expect(g, names[k], v);
        snprintf(key, sizeof key, "mean_%s", names[k]);
        expect_number(g, key, mean);
        snprintf(key, sizeof key, "grad_mean_%s", names[k]);
        expect(g, key, d);
    }
}

static void check_gae(struct gold *g)
{
    const double *old = array(g, g->in, "logp_old"), *ref = array(g, g->in, "logp_ref");
    const double *R = array(g, g->in, "reward"), *V = array(g, g->in, "value");
    const size_t n = g->s.off[g->s.n];
    double r[MAX], adv[MAX], ret[MAX], x[MAX];

    gae_token_rewards(r, &g->s, old, ref, R, number(g->params, "beta_kl"));
    expect(g, "token_reward", r);
    gae(adv, ret, &g->s, r, V, number(g->params, "gamma"), number(g->params, "lambda"));
    expect(g, "advantage", adv);
    expect(g, "return", ret);
    memcpy(x, adv, n * sizeof *x);
    whiten(x, n, WHITEN_POPULATION);
    expect(g, "advantage_whitened", x);
    memcpy(x, adv, n * sizeof *x);
    whiten(x, n, WHITEN_UNBIASED);
    expect(g, "advantage_whitened_unbiased", x);
    whiten(r, n, WHITEN_KEEP_MEAN);
    expect(g, "token_reward_whitened_keep_mean", r);
}

static struct policy_opts options(const struct gold *g, enum policy_kind kind)
{
    return (struct policy_opts){
        .kind = kind,
        .low = number_or(g->params, "clip_low", 0.2),
        .high = number_or(g->params, "clip_high", 0.2),
        .cap = number_or(g->params, "ratio_cap", INFINITY),
        .dual = number_or(g->params, "dual_clip", INFINITY),
        .clamp = number_or(g->params, "log_ratio_clamp", 20),
        .beta = number_or(g->params, "beta", 0),
        .kl = KL_K3,
    };
}

/* Runs the loss twice over halves of the batch too: pieces must add up. */
static struct policy_stats run(struct gold *g, const struct policy_opts *o,
                               const double *old, const double *ref, const double *adv,
                               const double *w)
{
    const double *logp = array(g, g->in, "logp");
    double d[MAX] = {0};
    struct policy_stats whole = {0}, pieces = {0}, part;

    policy_loss(d, &whole, &g->s, logp, old, ref, adv, w, o);
    expect(g, "grad_logp", d);
    expect_number(g, "loss", whole.loss);
    memset(d, 0, sizeof d);
    for (size_t i = 0; i < g->s.n; i++) {
        const struct seqs one = {1, g->off + i};
        part = (struct policy_stats){0};
        policy_loss(d, &part, &one, logp, old, ref, adv, w + i, o);
        policy_stats_add(&pieces, &part);
    }
    expect(g, "grad_logp", d);
    expect_number(g, "loss", pieces.loss);
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
    const double *old = array(g, g->in, "logp_old"),
                 *adv = array(g, g->in, "advantage");
    const struct policy_opts o = options(g, POLICY_CLIP);
    double w[MAX];

    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    const struct policy_stats st = run(g, &o, old, NULL, adv, w);
    expect_number(g, "clip_fraction", st.clipped / st.tokens);
    expect_number(g, "dual_clip_fraction", st.dual / st.tokens);
    expect_number(g, "approx_kl_k3", st.approx_kl / st.tokens);
}

static void check_value(struct gold *g)
{
    const double *v = array(g, g->in, "value"), *old = array(g, g->in, "value_old");
    const double *ret = array(g, g->in, "return");
    double w[MAX], d[MAX];
    struct value_stats st = {0};

    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    value_loss(d, &st, &g->s, v, old, ret, w, number(g->params, "clip_value"));
    expect(g, "grad_value", d);
    expect_number(g, "loss", st.loss);
    expect_number(g, "clip_fraction", st.clipped / st.tokens);
}

static void check_adaptive(struct gold *g)
{
    const double *kl = array(g, g->in, "kl");
    struct kl_control c = {number(g->params, "beta"), number(g->params, "target"),
                           number(g->params, "horizon")};
    double beta[MAX];

    for (size_t i = 0; i < length(g->in, "kl"); i++) {
        kl_control_update(&c, kl[i], (size_t)number(g->params, "n"));
        beta[i] = c.beta;
    }
    expect(g, "beta", beta);
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
    const double *R = array(g, g->in, "reward");
    const struct advantage_eps eps = {number(g->params, "eps"), 0};
    size_t group[MAX];
    double scratch[MAX];

    groups(g, group);
    advantage_group(adv, R, group, length(g->in, "reward"), scale(g), eps, scratch);
    expect(g, "advantage", adv);
}

static void check_group(struct gold *g)
{
    double adv[MAX];
    advantages(g, adv);
}

static void check_multi(struct gold *g)
{
    const json_t *comp = member(g->in, "component"), *wt = member(g->params, "weight");
    const json_t *sign = member(g->params, "sign");
    const size_t n = length(g->in, "group");
    const struct advantage_eps eps = {number(g->params, "eps"), 0};
    double x[4 * 64], sum[64] = {0}, adv[64], w[4], scratch[5 * 64];
    size_t group[MAX];

    cr_assert_leq(n, 64);
    groups(g, group);
    for (size_t k = 0; k < 4; k++) {
        const double *c = array(g, comp, components[k]);
        w[k] = number(wt, components[k]) * number(sign, components[k]);
        for (size_t i = 0; i < n; i++) {
            x[k * n + i] = c[i];
            sum[i] += w[k] * c[i];
        }
    }
    advantage_group(adv, sum, group, n, SCALE_GROUP, eps, scratch);
    expect(g, "sum_then_normalize", adv);
    advantage_multi(adv, x, w, 4, group, n, eps, scratch);
    expect(g, "normalize_then_sum", adv);
}

static enum seqs_mean aggregation(const struct gold *g)
{
    static const char *names[] = {"grpo", "bnpo", "dapo", "dr_grpo"};
    const char *name = json_string_value(member(g->params, "aggregation"));
    int k = 0;
    while (k < 3 && strcmp(names[k], name))
        k++;
    return (enum seqs_mean)k;
}

static void check_grpo_kind(struct gold *g, enum policy_kind kind)
{
    double per_seq[MAX], adv[MAX], w[MAX];
    const struct policy_opts o = options(g, kind);
    const double *old = array(g, g->in, "logp_old");
    const double *ref = o.beta != 0 ? array(g, g->in, "logp_ref") : NULL;

    advantages(g, per_seq);
    spread(g, adv, per_seq);
    seqs_weights(w, &g->s, aggregation(g), number_or(g->params, "global_tokens", 1),
                 number_or(g->params, "t_max", 1));
    const struct policy_stats st = run(g, &o, old, ref, adv, w);
    expect_number(g, "clip_fraction", st.clipped / st.tokens);
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
    const double *old = array(g, g->in, "logp_old");
    const double *A = array(g, g->in, "advantage");
    double adv[MAX], w[MAX];

    o.cap = number(g->params, "ratio_max");
    spread(g, adv, A);
    seqs_weights(w, &g->s, aggregation(g), 1, 1);
    run(g, &o, old, NULL, adv, w);
}

static void check_rloo(struct gold *g)
{
    const double *old = array(g, g->in, "logp_old"), *ref = array(g, g->in, "logp_ref");
    const double *R = array(g, g->in, "reward");
    const double cut = number(g->params, "reward_clip");
    const double beta = number(g->params, "beta_kl");
    const struct policy_opts o = options(g, POLICY_SEQ_SUM);
    double adj[MAX], adv[MAX], tok[MAX], w[MAX], scratch[MAX];
    size_t group[MAX];

    groups(g, group);
    for (size_t i = 0; i < g->s.n; i++) {
        adj[i] = fmin(fmax(R[i], -cut), cut);
        for (size_t t = g->off[i]; t < g->off[i + 1]; t++)
            adj[i] -= beta * kl_value(KL_K1, old[t], ref[t]);
    }
    expect(g, "adjusted_reward", adj);
    advantage_leave_one_out(adv, adj, group, g->s.n, scratch);
    expect(g, "advantage", adv);
    spread(g, tok, adv);
    seqs_weights(w, &g->s, MEAN_GRPO, 1, 1);
    run(g, &o, old, NULL, tok, w);
}

static void check_reinforce_pp(struct gold *g)
{
    const double *old = array(g, g->in, "logp_old"), *ref = array(g, g->in, "logp_ref");
    const double *R = array(g, g->in, "reward");
    const int plain = !strcmp(json_string_value(member(g->params, "variant")), "plain");
    const struct policy_opts o = options(g, POLICY_CLIP);
    double base[MAX], r[MAX], w[MAX], scratch[MAX];
    size_t group[MAX];

    groups(g, group);
    advantage_group(base, R, group, g->s.n, SCALE_NONE, (struct advantage_eps){0},
                    scratch);
    gae_token_rewards(r, &g->s, old, ref, plain ? R : base,
                      number(g->params, "beta_kl"));
    gae_reward_to_go(r, &g->s, r, number(g->params, "gamma"));
    expect(g, "return_to_go", r);
    whiten(r, g->s.off[g->s.n], WHITEN_POPULATION);
    expect(g, "advantage", r);
    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    const struct policy_stats st = run(g, &o, old, NULL, r, w);
    expect_number(g, "clip_fraction", st.clipped / st.tokens);
}

static void check_reinforce(struct gold *g)
{
    const struct policy_opts o = options(g, POLICY_LOGLIK);
    const double *R = array(g, g->in, "reward");
    double A[MAX], adv[MAX], w[MAX];

    array(g, g->in, "logp"); /* fixes the lengths */
    for (size_t i = 0; i < g->s.n; i++)
        A[i] = R[i] - number(g->params, "baseline");
    spread(g, adv, A);
    seqs_weights(w, &g->s, MEAN_BNPO, 0, 0);
    run(g, &o, NULL, NULL, adv, w);
}

static void check_raft(struct gold *g)
{
    const struct policy_opts o = options(g, POLICY_LOGLIK);
    const double *R = array(g, g->in, "reward");
    const size_t nbest = length(g->out, "best");
    double best[MAX], adv[MAX], w[MAX], tokens = 0;
    size_t group[MAX];

    groups(g, group);
    array(g, g->in, "logp");
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
    expect(g, "best", best);
    run(g, &o, NULL, NULL, adv, w);
}

static void check_bound(struct gold *g)
{
    const double *n = array(g, g->in, "n");
    double got[MAX];

    for (size_t i = 0; i < length(g->in, "n"); i++)
        got[i] = kl_best_of_n((size_t)n[i]);
    expect(g, "bound", got);
}

static void check_overlong(struct gold *g)
{
    const double *len = array(g, g->in, "length");
    double got[MAX];

    for (size_t i = 0; i < length(g->in, "length"); i++)
        got[i] = advantage_overlong((size_t)len[i], (size_t)number(g->params, "t_max"),
                                    (size_t)number(g->params, "buffer"));
    expect(g, "penalty", got);
}

static void check_preference(struct gold *g, enum dpo_kind kind)
{
    const struct dpo_opts o = {kind, number(g->params, "beta"),
                               number(g->params, "label_smoothing")};
    const double *logp[2], *ref[2];
    double d[2][MAX], loss[MAX], h[MAX], rc[MAX], rr[MAX], before[2];
    size_t off[2][MAX + 1];
    struct dpo_stats st = {0};
    static const char *keys[2][2] = {{"logp_chosen", "logp_ref_chosen"},
                                     {"logp_rejected", "logp_ref_rejected"}};

    for (int k = 0; k < 2; k++) {
        logp[k] = array(g, g->in, keys[k][0]);
        ref[k] = array(g, g->in, keys[k][1]);
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
    expect(g, "per_pair", loss);
    expect(g, "h", h);
    expect(g, "reward_chosen", rc);
    expect(g, "reward_rejected", rr);
    expect(g, "grad_chosen", d[0]);
    expect(g, "grad_rejected", d[1]);
    expect_number(g, "loss", st.loss);
    expect_number(g, "accuracy", st.correct / st.pairs);
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
    const double *c = array(g, g->in, "chosen"), *r = array(g, g->in, "rejected");
    const size_t n = length(g->in, "chosen");
    double dc[MAX], dr[MAX], loss[MAX];
    struct bt_stats st = {0};

    for (size_t i = 0; i < n; i++)
        loss[i] = bt_pair(&st, &dc[i], &dr[i], c[i], r[i], number(g->params, "margin"),
                          number(g->params, "center"), 1 / (double)n);
    expect(g, "per_pair", loss);
    expect_number(g, "loss", st.loss);
    expect_number(g, "accuracy", st.correct / st.pairs);
    expect(g, "grad_chosen", dc);
    expect(g, "grad_rejected", dr);
}

/* float32 state against a float64 reference: 1e-4, as README of the golden data says.
 */
static void check_adamw(struct gold *g)
{
    const json_t *grads = member(g->in, "grad"), *steps = member(g->out, "w");
    const double *w0 = array(g, g->in, "w");
    const size_t n = length(g->in, "w");
    const struct adamw o = {number(g->params, "beta1"), number(g->params, "beta2"),
                            number(g->params, "eps")};
    float w[64], m[64] = {0}, v[64] = {0}, grad[64];
    struct adamw_run run[1];
    double norm[MAX], scratch[64];

    cr_assert_leq(n, 64);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)w0[i];
    const size_t runs = adamw_cut(run, 0, n, number(g->params, "weight_decay"));
    for (size_t t = 0; t < json_array_size(grads); t++) {
        for (size_t i = 0; i < n; i++)
            grad[i] =
                (float)json_number_value(json_array_get(json_array_get(grads, t), i));
        norm[t] = clipnorm(NULL, grad, n, scratch);
        adamw_step(&o, NULL, run, runs, w, grad, m, v, t + 1, number(g->params, "lr"),
                   clipnorm_scale(norm[t], number_or(g->params, "clip_norm", 0)));
        for (size_t i = 0; i < n; i++) {
            const double want =
                json_number_value(json_array_get(json_array_get(steps, t), i));
            cr_expect_float_eq(w[i], want, 1e-6 + 1e-6 * fabs(want),
                               "adamw step %zu, element %zu: %.9g, want %.9g", t, i,
                               (double)w[i], want);
        }
    }
    for (size_t t = 0; t < json_array_size(grads); t++)
        cr_expect_float_eq(norm[t],
                           json_number_value(json_array_get(member(g->out, "norm"), t)),
                           1e-6);
}

static const struct {
    const char *kind;
    void (*check)(struct gold *g); /* NULL: checked where the thing lives */
} kinds[] = {
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

static void check_case(const json_t *c, size_t number_of_case)
{
    static struct gold g;
    const char *kind = json_string_value(member(c, "kind"));

    memset(&g, 0, sizeof g);
    g.params = member(c, "params");
    g.in = member(c, "inputs");
    g.out = member(c, "outputs");
    snprintf(g.name, sizeof g.name, "case %zu (%s)", number_of_case, kind);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (!strcmp(kinds[k].kind, kind)) {
            if (kinds[k].check)
                kinds[k].check(&g);
            return;
        }
    cr_expect_fail("no check for golden kind '%s'", kind);
}

Test(golden, every_case)
{
    const char *dir = getenv("CAGSR_GOLDEN");
    char path[4096];
    json_t *all, *c;
    struct err e = {0};
    size_t i;

    snprintf(path, sizeof path, "%s/rl/expected.json", dir ? dir : "tests/golden");
    cr_assert_eq(json_read_file(&all, path, &e), 0, "%s", e.text);
    const json_t *cases = member(all, "cases");
    cr_assert_gt(json_array_size(cases), 0);
    json_array_foreach((json_t *)cases, i, c) check_case(c, i);
    json_decref(all);
}
