/*
 * Bradley-Terry: a reward model from pairs.
 *     l = -log sigmoid(chosen - rejected - margin) + centre (chosen + rejected)^2
 */
#ifndef CAGSR_RL_BT_H
#define CAGSR_RL_BT_H

#include <stddef.h>

struct bt_stats {
    double loss;             /* sum of weight * loss */
    double pairs, correct;   /* counts; correct: chosen > rejected */
    double chosen, rejected; /* sums of the scores */
};

/* One pair; gradients of weight * loss with respect to the scores are written.  Returns
 * the loss without the centring term and the weight. */
double bt_pair(struct bt_stats *stats, double *dchosen, double *drejected,
               double chosen, double rejected, double margin, double centre,
               double weight);

#endif
