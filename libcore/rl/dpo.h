/*
 * Preference losses on pairs (Rafailov et al. 2023; IPO: Azar et al. 2023).  With h the
 * chosen response's log-ratio to the reference minus the rejected one's, each summed
 * over its tokens (DPO_IPO_MEAN: averaged):
 *
 *     dpo   -(1 - s) log sigmoid(beta h) - s log sigmoid(-beta h)       s: label
 * smoothing ipo   (h - 1/(2 beta))^2
 */
#ifndef CAGSR_RL_DPO_H
#define CAGSR_RL_DPO_H

#include <stddef.h>

enum dpo_kind { DPO_SIGMOID, DPO_IPO, DPO_IPO_MEAN };

struct dpo_opts {
    enum dpo_kind kind;
    double beta;      /* > 0 */
    double smoothing; /* 0 .. 0.5 */
};

struct dpo_stats {
    double loss;             /* sum of weight * loss */
    double pairs, correct;   /* counts; correct: h > 0 */
    double chosen, rejected; /* sums of the implicit rewards beta * log-ratio */
};

/* One side of a pair: T tokens, and dlogp (T) out. */
struct dpo_side {
    size_t T;
    const double *logp, *ref;
    double *dlogp;
};

/* Loss of one pair, times weight (1 / pairs of the minibatch); gradients are written.
 * Returns the unweighted loss; *h, if not NULL, gets the margin. */
double dpo_pair(struct dpo_stats *stats, const struct dpo_side *chosen,
                const struct dpo_side *rejected, double weight,
                const struct dpo_opts *o, double *h);

#endif
