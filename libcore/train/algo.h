/*
 * The algorithms, as data: what each needs, how it turns rewards into advantages, and
 * which loss it takes.  Adding one is a row of the table, an advantage function, or a
 * loss of rl/.
 */
#ifndef CAGSR_TRAIN_ALGO_H
#define CAGSR_TRAIN_ALGO_H

#include "rl/advantage.h"
#include "rl/bt.h"
#include "rl/dpo.h"
#include "rl/policy.h"
#include "rl/value.h"
#include "train/data.h"

#include <stddef.h>

enum algo_kind {
    ALGO_PPO,
    ALGO_GRPO,
    ALGO_RLOO,
    ALGO_REINFORCE,
    ALGO_RAFT,
    ALGO_DPO,
    ALGO_RM,
    ALGO_SFT,
    ALGO_KINDS
};

enum {
    ALGO_REWARD = 1,     /* learns from rewards; candidates without are left out */
    ALGO_OLD = 2,        /* advantages need log-probabilities from before the update */
    ALGO_VALUE = 4,      /* a value head reads the row that predicts each token */
    ALGO_SCORE = 8,      /* a score head reads the row of the last token */
    ALGO_PAIR = 16,      /* the best and the worst of a group, or pairs */
    ALGO_BEST = 32,      /* the best of a group */
    ALGO_KL_REWARD = 64, /* k1 against the reference, in the reward */
    ALGO_KL_LOSS = 128,  /* the KL term of the loss */
    ALGO_REF = 256,      /* no meaning without a reference */
    ALGO_PLAIN = 512,    /* temperature 1, whatever the samples were drawn at */
    ALGO_DATASET = 1024, /* --epochs go over the whole input, not over a batch */
    ALGO_ON_POLICY = 2048, /* the samples must be drawn by the model that is trained */
};

struct algo {
    const char *name;
    unsigned flags;
    double lr, kl;    /* defaults: --lr, --kl (dpo: its beta) */
    double low, high; /* --clip, --clip-high */
    size_t epochs;
    enum seqs_mean mean; /* --agg */
};

/* Borrowed, forever. */
const struct algo *algo_get(enum algo_kind k);
const char *const *algo_names(void); /* in the order of enum algo_kind; NULL ends */

enum algo_combine { COMBINE_SUM, COMBINE_NORMALIZE };
enum algo_baseline { BASELINE_RUNNING, BASELINE_PLUS, BASELINE_PLUS_GROUP };

/* What a run holds to; from the command line. */
struct algo_opts {
    enum algo_kind kind;
    struct policy_opts
        policy; /* kind, clip range, cap, dual clip, KL term of the loss */
    enum seqs_mean mean;
    double kl;    /* coefficient of the KL, wherever the algorithm has it */
    int kl_given; /* a reference is required */
    double gamma, lambda;
    double value_coef, value_clip;
    double value_trunk; /* share of the value loss's gradient that the model gets */
    double entropy_coef;
    enum advantage_scale scale;
    struct advantage_eps eps;
    enum algo_combine combine;
    const double *weight; /* (K) of the reward components, COMBINE_NORMALIZE */
    enum algo_baseline baseline;
    double reward_clip; /* rewards to -x..x; 0: not */
    int whiten_rewards; /* token rewards scaled to unit variance, mean kept */
    size_t t_max;    /* longest response allowed: dr_grpo, overlong; 0: longest seen */
    size_t overlong; /* buffer of the soft penalty; 0: none */
    int mask_truncated;  /* responses that were cut do not enter the loss */
    double margin;       /* of a pair's rewards */
    struct dpo_opts dpo; /* beta is kl */
    double rm_margin, rm_centre;
};

/* Sums of one update, for the metric record. */
struct algo_stats {
    struct policy_stats policy;
    struct value_stats value;
    struct dpo_stats dpo;
    struct bt_stats bt;
    double loss;    /* sum over minibatches */
    double entropy; /* sum over tokens */
    size_t tokens, flat_groups;
};

/* Rewards to advantages: fills d->reward, TOK_REWARD, TOK_ADV, TOK_RET as the algorithm
 * has them, from cand.reward, TOK_OLD, TOK_REF, TOK_VALUE.  beta: the KL coefficient in
 * use; running: REINFORCE's baseline, moved on.  with_ref: TOK_REF is there. */
void algo_advantages(const struct algo_opts *o, struct train_data *d, double beta,
                     int with_ref, struct advantage_running *running,
                     struct algo_stats *st);

/* The loss of candidates c0 .. c0+n-1 and its gradients: reads TOK_LOGP (and TOK_VNEW),
 * writes TOK_DLOGP (and TOK_DVALUE) of their tokens.  n_seq sequences and n_tok tokens
 * make up the minibatch.  Pairs must be whole: chosen, then rejected.  ALGO_SCORE reads
 * and writes at the last token of each.  Adds to *st. */
void algo_loss(const struct algo_opts *o, struct train_data *d, size_t c0, size_t n,
               size_t n_seq, size_t n_tok, double beta, struct algo_stats *st);

/* The part of the loss's weight that one token of candidate c has, for terms that are
 * added to it (the entropy bonus). */
double algo_weight(const struct algo_opts *o, const struct train_data *d, size_t c,
                   size_t n_seq, size_t n_tok);

#endif
