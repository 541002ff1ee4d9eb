/*
 * How far a policy has moved from its reference, estimated from the sampled tokens
 * (J. Schulman, "Approximating KL divergence", 2020).  With d = logp - ref, in nats:
 *
 *     k1 = d              unbiased, may be negative         (a penalty in the reward)
 *     k2 = d^2 / 2        its gradient is the gradient of KL
 *     k3 = exp(-d) - 1 + d   unbiased, never negative       (a term of the loss)
 *
 * Values are cut to -10..10 and the gradient is 0 where the cut acts: one token with a
 * vanishing probability must not decide a step.
 */
#ifndef CAGSR_RL_KL_H
#define CAGSR_RL_KL_H

#include <stddef.h>

enum kl_kind { KL_K1, KL_K2, KL_K3 };

double kl_value(enum kl_kind k, double logp, double ref);

/* d kl_value / d logp. */
double kl_dlogp(enum kl_kind k, double logp, double ref);

/* The proportional controller of Ziegler et al. (2019), eq. 4: the coefficient follows
 * a target.  target 0 leaves beta as it is. */
struct kl_control {
    double beta;    /* the coefficient in use */
    double target;  /* nats per sequence */
    double horizon; /* episodes */
};

/* kl: mean nats per sequence over the n episodes just seen.
 *     beta *= 1 + clip(kl/target - 1, -0.2, 0.2) n / horizon */
void kl_control_update(struct kl_control *c, double kl, size_t n);

/* Upper bound of KL(best of n || policy) = log n - (n-1)/n, nats; n >= 1. */
double kl_best_of_n(size_t n);

#endif
