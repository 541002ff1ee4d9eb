/*
 * Advantages from the rewards of a group: the candidates of one prompt judge each
 * other, no critic.
 *
 * reward (n): NaN means "abstained": that candidate gets advantage 0 and is left out of
 * every mean and deviation.  group (n): candidates with the same number belong
 * together, in any order; numbers below n.  A candidate alone with a reward gets 0.
 * Deviations have n-1 below.
 */
#ifndef CAGSR_RL_ADVANTAGE_H
#define CAGSR_RL_ADVANTAGE_H

#include <stddef.h>

enum advantage_scale {
    SCALE_GROUP, /* divide by the group's deviation   (GRPO) */
    SCALE_BATCH, /* divide by the batch's deviation   (REINFORCE++ baseline, TRL) */
    SCALE_NONE,  /* only subtract the group's mean    (Dr.GRPO) */
};

/* What is added to the deviation: the larger of abs and rel * deviation of the batch.
 * With rel .01 a group whose rewards hardly differ is not blown up to unit variance. */
struct advantage_eps {
    double abs, rel;
};

/* adv (n) out: (R - mean_g) / (std + eps).  scratch (3 n) doubles.  Returns the number
 * of groups with two or more rewards and no deviation at all. */
size_t advantage_group(double *adv, const double *reward, const size_t *group, size_t n,
                       enum advantage_scale scale, struct advantage_eps eps,
                       double *scratch);

/* adv (n) out: R_i minus the mean of the others' rewards (RLOO), = k/(k-1)(R_i - mean).
 * scratch (3 n). */
void advantage_leave_one_out(double *adv, const double *reward, const size_t *group,
                             size_t n, double *scratch);

/* adv (n) out: normalize_then_sum (GDPO): each of the K components, component (K, n),
 * is standardised in its group, weighted by weight (K, sign included), summed, and
 * the sum standardised over the batch.  A candidate with any component NaN is left
 * out.  scratch (5 n). */
void advantage_multi(double *adv, const double *component, const double *weight,
                     size_t K, const size_t *group, size_t n, struct advantage_eps eps,
                     double *scratch);

/* REINFORCE's baseline: the running mean of all rewards seen before this batch (the
 * batch's own mean the first time).  adv = R - baseline; then the batch is added. */
struct advantage_running {
    double sum, count;
};
void advantage_running_mean(struct advantage_running *r, double *adv,
                            const double *reward, size_t n);

/* Index of the best (worst) reward of group g; the first one of equals; n if none. */
size_t advantage_best(const double *reward, const size_t *group, size_t n, size_t g);
size_t advantage_worst(const double *reward, const size_t *group, size_t n, size_t g);

/* DAPO's soft penalty for long answers: 0 up to t_max - buffer, then down a line to -1
 * at t_max, -1 beyond.  buffer > 0. */
double advantage_overlong(size_t length, size_t t_max, size_t buffer);

/* Deviation (n-1) of the rewards that are not NaN; 0 below two. */
double advantage_std(const double *reward, size_t n);

#endif
