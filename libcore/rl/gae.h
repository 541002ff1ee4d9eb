/*
 * From one reward per response to an advantage per token (Schulman et al. 2016).
 */
#ifndef CAGSR_RL_GAE_H
#define CAGSR_RL_GAE_H

#include "rl/seqs.h"

/* r (tokens) out: -beta k1(logp_old, ref) at every token, plus reward[i] at the last
 * token of response i.  reward (n) may be NaN, "abstained": it adds nothing.  ref NULL
 * leaves the penalty out. */
void gae_token_rewards(double *r, const struct seqs *s, const double *logp_old,
                       const double *ref, const double *reward, double beta);

/* Generalised advantage estimation; the value behind the last token is 0.
 *     delta_t = r_t + gamma V_{t+1} - V_t,  adv_t = delta_t + gamma lambda adv_{t+1}
 *     ret_t = adv_t + V_t
 * adv, ret (tokens) out; r, value (tokens). */
void gae(double *adv, double *ret, const struct seqs *s, const double *r,
         const double *value, double gamma, double lambda);

/* g (tokens) out: sum_{u>=t} gamma^{u-t} r_u (REINFORCE++). g may be r. */
void gae_reward_to_go(double *g, const struct seqs *s, const double *r, double gamma);

#endif
