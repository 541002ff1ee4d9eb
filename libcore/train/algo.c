#include "train/algo.h"

#include "rl/gae.h"

#include <math.h>
#include <string.h>

/* What the four learners from rewards have in common. */
enum {
    RL = ALGO_REWARD | ALGO_ON_POLICY,
    RL_KL_REWARD = RL | ALGO_OLD | ALGO_KL_REWARD,
};

static const struct algo algos[ALGO_KINDS] = {
    /* name, flags, lr, kl, clip low and high, epochs, mean */
    [ALGO_PPO] = {"ppo", RL_KL_REWARD | ALGO_VALUE, 1e-5, .05, .2, .2, 4, MEAN_BNPO},
    [ALGO_GRPO] = {"grpo", RL | ALGO_KL_LOSS, 1e-5, .05, .2, .28, 1, MEAN_DAPO},
    [ALGO_RLOO] = {"rloo", RL_KL_REWARD, 1e-5, .05, .2, .2, 1, MEAN_GRPO},
    [ALGO_REINFORCE] = {"reinforce", RL_KL_REWARD, 1e-5, .05, .2, .2, 1, MEAN_BNPO},
    [ALGO_RAFT] = {"raft", ALGO_REWARD | ALGO_BEST | ALGO_PLAIN, 1e-5, 0, 0, 0, 1,
                   MEAN_BNPO},
    [ALGO_DPO] = {"dpo", ALGO_PAIR | ALGO_REF | ALGO_DATASET, 1e-6, .1, 0, 0, 1,
                  MEAN_BNPO},
    [ALGO_RM] = {"rm", ALGO_PAIR | ALGO_SCORE | ALGO_DATASET, 1e-5, 0, 0, 0, 1,
                 MEAN_BNPO},
    [ALGO_SFT] = {"sft", ALGO_PLAIN | ALGO_DATASET, 2e-5, 0, 0, 0, 1, MEAN_BNPO},
};

const struct algo *algo_get(enum algo_kind k)
{
    return &algos[k];
}

const char *const *algo_names(void)
{
    static const char *const names[] = {"ppo", "grpo", "rloo", "reinforce", "raft",
                                        "dpo", "rm",   "sft",  NULL};
    return names;
}

/* ---- rewards to advantages ----------------------------------------------------------- */

static double longest(const struct train_data *d)
{
    size_t T = 1;

    for (size_t i = 0; i < d->ncands; i++)
        T = d->cand[i].T > T ? d->cand[i].T : T;
    return (double)T;
}

/* cand.reward as read, clipped, less the penalty for running to the limit. */
static void shape(const struct algo_opts *o, struct train_data *d)
{
    const double t_max = o->t_max ? (double)o->t_max : longest(d);

    for (size_t i = 0; i < d->ncands; i++) {
        double r = d->cand[i].reward;
        if (o->reward_clip > 0 && !isnan(r))
            r = fmin(fmax(r, -o->reward_clip), o->reward_clip);
        if (o->overlong)
            r += advantage_overlong(d->cand[i].T, (size_t)t_max, o->overlong);
        d->reward[i] = r;
    }
}

static void spread(struct train_data *d, const double *per_cand)
{
    for (size_t i = 0; i < d->ncands; i++)
        for (size_t t = d->off[i]; t < d->off[i + 1]; t++)
            d->tok[TOK_ADV][t] = per_cand[i];
}

/* reward -= beta sum_t k1 */
static void charge_kl(struct train_data *d, double beta)
{
    for (size_t i = 0; i < d->ncands; i++)
        for (size_t t = d->off[i]; t < d->off[i + 1]; t++)
            d->reward[i] -=
                beta * kl_value(KL_K1, d->tok[TOK_OLD][t], d->tok[TOK_REF][t]);
}

static void ppo_advantages(const struct algo_opts *o, struct train_data *d, double beta,
                           int with_ref)
{
    const struct seqs s = train_data_seqs(d);
    double *const *k = d->tok;

    gae_token_rewards(k[TOK_REWARD], &s, k[TOK_OLD], with_ref ? k[TOK_REF] : NULL,
                      d->reward, beta);
    if (o->whiten_rewards)
        whiten(k[TOK_REWARD], s.off[s.n], WHITEN_KEEP_MEAN);
    gae(k[TOK_ADV], k[TOK_RET], &s, k[TOK_REWARD], k[TOK_VALUE], o->gamma, o->lambda);
    whiten(k[TOK_ADV], s.off[s.n], WHITEN_POPULATION);
}

static void grpo_advantages(const struct algo_opts *o, struct train_data *d,
                            struct algo_stats *st)
{
    double *adv = d->scratch, *scratch = d->scratch + d->ncands;
    const size_t n = d->ncands;

    st->flat_groups +=
        advantage_group(adv, d->reward, d->of_group, n, o->scale, o->eps, scratch);
    if (o->combine == COMBINE_NORMALIZE) {
        /* rows of component are cap_component apart: bring them together */
        for (size_t k = 1; k < d->ncomponents; k++)
            memmove(d->component + k * n, d->component + k * d->cap_component,
                    n * sizeof(double));
        advantage_multi(adv, d->component, o->weight, d->ncomponents, d->of_group, n,
                        o->eps, scratch);
    }
    spread(d, adv);
}

static void rloo_advantages(struct train_data *d, double beta, int with_ref)
{
    if (with_ref)
        charge_kl(d, beta);
    advantage_leave_one_out(d->scratch, d->reward, d->of_group, d->ncands,
                            d->scratch + d->ncands);
    spread(d, d->scratch);
}

/* REINFORCE++: reward to go of token rewards, whitened over the batch; with a group
 * baseline first, or without.  Plain REINFORCE: the running mean of rewards. */
static void reinforce_advantages(const struct algo_opts *o, struct train_data *d,
                                 double beta, int with_ref,
                                 struct advantage_running *running)
{
    const struct seqs s = train_data_seqs(d);
    double *const *k = d->tok, *base = d->scratch;

    if (o->baseline == BASELINE_RUNNING) {
        if (with_ref)
            charge_kl(d, beta);
        advantage_running_mean(running, base, d->reward, d->ncands);
        spread(d, base);
        return;
    }
    if (o->baseline == BASELINE_PLUS_GROUP) {
        advantage_group(base, d->reward, d->of_group, d->ncands, SCALE_NONE,
                        (struct advantage_eps){0}, d->scratch + d->ncands);
        memcpy(d->reward, base, d->ncands * sizeof *base);
    }
    gae_token_rewards(k[TOK_REWARD], &s, k[TOK_OLD], with_ref ? k[TOK_REF] : NULL,
                      d->reward, beta);
    gae_reward_to_go(k[TOK_ADV], &s, k[TOK_REWARD], o->gamma);
    whiten(k[TOK_ADV], s.off[s.n], WHITEN_POPULATION);
}

void algo_advantages(const struct algo_opts *o, struct train_data *d, double beta,
                     int with_ref, struct advantage_running *running,
                     struct algo_stats *st)
{
    shape(o, d);
    switch (o->kind) {
    case ALGO_PPO: ppo_advantages(o, d, beta, with_ref); break;
    case ALGO_GRPO: grpo_advantages(o, d, st); break;
    case ALGO_RLOO: rloo_advantages(d, beta, with_ref); break;
    case ALGO_REINFORCE: reinforce_advantages(o, d, beta, with_ref, running); break;
    default:
        for (size_t t = 0; t < train_data_tokens(d); t++)
            d->tok[TOK_ADV][t] = 1;
    }
}

/* ---- losses -------------------------------------------------------------------------- */

double algo_weight(const struct algo_opts *o, const struct train_data *d, size_t c,
                   size_t n_seq, size_t n_tok)
{
    const double t_max = o->t_max ? (double)o->t_max : longest(d);

    if (o->mask_truncated && !d->cand[c].ended)
        return 0;
    return seqs_weight(o->mean, d->cand[c].T, (double)n_seq, (double)n_tok,
                       (double)n_tok, t_max);
}

static struct dpo_side side(struct train_data *d, size_t c)
{
    const size_t at = d->off[c];

    return (struct dpo_side){d->cand[c].T, d->tok[TOK_LOGP] + at, d->tok[TOK_REF] + at,
                             d->tok[TOK_DLOGP] + at};
}

static void dpo_losses(const struct algo_opts *o, struct train_data *d, size_t c0,
                       size_t n, size_t n_seq, struct algo_stats *st)
{
    for (size_t c = c0; c + 1 < c0 + n; c += 2) {
        const struct dpo_side chosen = side(d, c), rejected = side(d, c + 1);
        dpo_pair(&st->dpo, &chosen, &rejected, 2 / (double)n_seq, &o->dpo, NULL);
    }
}

static void rm_losses(const struct algo_opts *o, struct train_data *d, size_t c0,
                      size_t n, size_t n_seq, struct algo_stats *st)
{
    double *s = d->tok[TOK_VNEW], *ds = d->tok[TOK_DVALUE];

    for (size_t c = c0; c + 1 < c0 + n; c += 2) {
        const size_t a = d->off[c + 1] - 1, b = d->off[c + 2] - 1;
        bt_pair(&st->bt, &ds[a], &ds[b], s[a], s[b], o->rm_margin, o->rm_centre,
                2 / (double)n_seq);
    }
}

static void policy_losses(const struct algo_opts *o, struct train_data *d, size_t c0,
                          size_t n, size_t n_seq, size_t n_tok, double beta,
                          struct algo_stats *st)
{
    const struct seqs s = train_data_some(d, c0, n);
    double *w = d->scratch, *const *k = d->tok;
    struct policy_opts p = o->policy;

    p.beta = beta;
    for (size_t i = 0; i < n; i++)
        w[i] = algo_weight(o, d, c0 + i, n_seq, n_tok);
    policy_loss(k[TOK_DLOGP], &st->policy, &s, k[TOK_LOGP], k[TOK_OLD], k[TOK_REF],
                k[TOK_ADV], w, &p);
    if (algos[o->kind].flags & ALGO_VALUE) {
        value_loss(k[TOK_DVALUE], &st->value, &s, k[TOK_VNEW], k[TOK_VALUE], k[TOK_RET],
                   w, o->value_clip);
        for (size_t t = s.off[0]; t < s.off[n]; t++)
            k[TOK_DVALUE][t] *= o->value_coef;
    }
}

void algo_loss(const struct algo_opts *o, struct train_data *d, size_t c0, size_t n,
               size_t n_seq, size_t n_tok, double beta, struct algo_stats *st)
{
    if (o->kind == ALGO_DPO)
        dpo_losses(o, d, c0, n, n_seq, st);
    else if (o->kind == ALGO_RM)
        rm_losses(o, d, c0, n, n_seq, st);
    else
        policy_losses(o, d, c0, n, n_seq, n_tok,
                      algos[o->kind].flags & ALGO_KL_LOSS ? beta : 0, st);
}
