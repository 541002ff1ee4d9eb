/*
 * The losses of the policy, and their gradients with respect to its log-probabilities.
 *
 * A loss is sum_i w_i sum_t l_it, w from seqs_weights(): the weights belong to the
 * whole minibatch, so a loss may be taken over its pieces one after another, and the
 * sum of the pieces is the loss.  Per token, with rho = exp(logp - old):
 *
 *   clip    l = max(-A min(rho, cap), -A clip(rho, 1 - low, 1 + high))        PPO, GRPO
 *           A < 0: l = min(l, -A dual)                                        dual clip
 *   cispo   l = -sg(min(rho, cap)) A logp
 *   loglik  l = -A logp                                          REINFORCE, RAFT, SFT
 *   each    + beta kl(logp, ref)
 *
 * With rho of the whole sequence: exp(mean log-ratio) (GSPO), exp(sum) (RLOO).  A
 * log-ratio is cut to -clamp..clamp, and where a cut or clip acts the gradient is 0.
 */
#ifndef CAGSR_RL_POLICY_H
#define CAGSR_RL_POLICY_H

#include "rl/kl.h"
#include "rl/seqs.h"

enum policy_kind {
    POLICY_CLIP,     /* token ratio */
    POLICY_SEQ_MEAN, /* sequence ratio exp(mean): GSPO */
    POLICY_SEQ_SUM,  /* sequence ratio exp(sum): RLOO; the loss counts once per token */
    POLICY_CISPO,
    POLICY_LOGLIK,
};

struct policy_opts {
    enum policy_kind kind;
    double low, high; /* clip range: 1 - low .. 1 + high */
    double cap;       /* largest ratio in the unclipped term; INFINITY: none */
    double dual;      /* dual clip, > 1; INFINITY: none */
    double clamp;     /* of the log-ratio; 20 */
    double beta;      /* KL in the loss; 0: no reference needed */
    enum kl_kind kl;
};

/* Sums over the tokens seen; policy_stats_add() joins pieces. */
struct policy_stats {
    double loss;              /* sum of w l, KL term included */
    double tokens, sequences; /* counts */
    double clipped, dual;     /* tokens where the clip, the dual clip, took over */
    double ratio;             /* sum of rho */
    double ratio_max_dev;     /* largest |rho - 1| */
    double approx_kl;         /* sum of exp(r) - 1 - r, r the cut log-ratio */
    double kl;                /* sum of the KL estimate of the loss term */
};

/* dlogp (tokens) out: written, not accumulated.  logp, old, adv (tokens); ref (tokens)
 * or NULL where beta is 0; old is not read by POLICY_LOGLIK and may be NULL there.
 * w (n).  For sequence ratios adv is that of each sequence's first token.  *stats is
 * accumulated into. */
void policy_loss(double *dlogp, struct policy_stats *stats, const struct seqs *s,
                 const double *logp, const double *old, const double *ref,
                 const double *adv, const double *w, const struct policy_opts *o);

/* Adds a part's sums to those of the whole. */
void policy_stats_add(struct policy_stats *sum, const struct policy_stats *part);

#endif
