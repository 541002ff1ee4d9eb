/*
 * The critic's loss: l = 1/2 max((v - ret)^2, (clip(v, old -+ range) - ret)^2).
 */
#ifndef CAGSR_RL_VALUE_H
#define CAGSR_RL_VALUE_H

#include "rl/seqs.h"

struct value_stats {
    double loss;         /* sum of w l */
    double tokens;       /* count */
    double clipped;      /* tokens where the clipped term is the larger */
    double error;        /* sum of (v - ret)^2 */
    double sum, ret_sum; /* sums of values and returns */
};

/* dvalue (tokens) out: written; value, old, ret (tokens), w (n) the weight of a token.
 * *stats is accumulated into. */
void value_loss(double *dvalue, struct value_stats *stats, const struct seqs *s,
                const double *value, const double *old, const double *ret,
                const double *w, double range);

/* Adds a part's sums to those of the whole. */
void value_stats_add(struct value_stats *sum, const struct value_stats *part);

#endif
