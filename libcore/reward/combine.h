/*
 * From components to the one number.
 *
 *   f12 (default)  C/tau_C + F/tau_F + 0.1 L - 2 P_r - 2 P_c - .125 [no end] - .25 [T < 3]
 *   f7             alpha cov + beta foc - gamma rep_3 - eta cp; T < T_min: -1; no end: -.5
 *   literal        alpha sum + beta focus sum - gamma count - eta cp; the same two rules
 *
 * All three are one weighted sum of components (weights carry their sign) and a rule for
 * short answers.
 */
#ifndef CAGSR_REWARD_COMBINE_H
#define CAGSR_REWARD_COMBINE_H

#include <stddef.h>

/* What a sum is made of.  value NaN: this component abstained. */
struct combine_term {
    const char *name;
    double weight, value;
};

/* sum of weight * value; NaN if a term of weight other than 0 has no value. */
double combine_sum(const struct combine_term *t, size_t n);

/* tau_C = 8 s_C, tau_F = 16 s_F; s is the mean over groups of the deviation inside a
 * group.  Built in: SmolLM2-135M, upper half of its layers. */
#define COMBINE_TAU_C 0.1
#define COMBINE_TAU_F (2.0 / 3)
#define COMBINE_S_PER_TAU_C 8
#define COMBINE_S_PER_TAU_F 16

struct combine_f12 {
    double tau_c, tau_f, w_l, w_rep, w_copy, no_end, too_short;
    size_t t_min;
};
struct combine_f7 {
    double alpha, beta, gamma, eta, no_end, floor;
    size_t t_min;
};
extern const struct combine_f12 combine_f12_default;
extern const struct combine_f7 combine_f7_default;

/* ended: 1 if the response closed with the end token. */
double combine_f12(const struct combine_f12 *p, double coverage, double focus,
                   double coherence, double repetition, double copy, size_t T,
                   int ended);

/* Before the two rules; with the paper's sum, focus sum and count: the literal one. */
double combine_f7_raw(const struct combine_f7 *p, double coverage, double focus,
                      double repetition, double copy);

/* R after "T < T_min gives the floor", then "no end token takes no_end off". */
double combine_f7_rules(const struct combine_f7 *p, double raw, size_t T, int ended);

/* Mean of x (n); 0 if n == 0. */
double combine_mean(const double *x, size_t n);

/* Running within-group deviation (n-1 below), mean over groups: s of --calibrate. */
struct combine_scale {
    double sum; /* of deviations */
    size_t groups;
};
/* Adds a group's values (n), NaN left out; groups with fewer than two are skipped. */
void combine_scale_add(struct combine_scale *s, const double *x, size_t n);
double combine_scale_value(const struct combine_scale *s); /* NaN without a group */

#endif
