/*
 * From components to the one number: a weighted sum, weights carrying their sign, and
 * for F7 and the literal reading a rule for short answers.
 *
 *   f12 (default)  C/tau_C + F/tau_F + 0.1 L - 2 P_r - 2 P_c - .125 [no end] - .25 [T < 3]
 *   f7             cov + .3 foc - 1.5 rep_3 - 1.5 cp - .5 [no end];    T < 8: -1 - .5 [no end]
 *   literal        the same weights and rule over the paper's sums and count
 */
#ifndef CAGSR_REWARD_COMBINE_H
#define CAGSR_REWARD_COMBINE_H

#include <stddef.h>

/* The parts that every method has, in the order of its sum. */
enum combine_part {
    PART_COVERAGE,
    PART_FOCUS,
    PART_COHERENCE, /* mean log-probability under the frozen model; f12 only */
    PART_REPETITION,
    PART_COPY,
    PART_NO_END, /* 1: no end token */
    PART_SHORT,  /* 1: T < T_min */
    COMBINE_PARTS,
};
extern const char *const combine_part_names[COMBINE_PARTS];

/* tau_C = 8 s_C and tau_F = 16 s_F, s being the mean over groups of the deviation inside
 * a group; built in: SmolLM2-135M-Instruct, upper half of its layers. */
#define COMBINE_TAU_C 0.1
#define COMBINE_TAU_F (2.0 / 3)
#define COMBINE_TAU_PER_S_C 8
#define COMBINE_TAU_PER_S_F 16

enum { COMBINE_F12_T_MIN = 3, COMBINE_F7_T_MIN = 8 };
#define COMBINE_F7_FLOOR (-1.0)

extern const double combine_f12_weights[COMBINE_PARTS]; /* with the built-in tau */
extern const double combine_f7_weights[COMBINE_PARTS];

/* What a sum is made of.  value NaN: this component abstained. */
struct combine_term {
    const char *name;
    double weight, value;
};

/* sum of weight * value; NaN if a term of weight other than 0 has no value. */
double combine_sum(const struct combine_term *t, size_t n);

/* F7's two rules in their order, over the same terms, the first COMBINE_PARTS of which
 * are the parts: a short answer gets the floor, whatever else it has; no end token takes
 * its weight off, from the floor too. */
double combine_sum_f7(const struct combine_term *t, size_t n);

/* Mean of x (n); 0 if n == 0. */
double combine_mean(const double *x, size_t n);

/* s of --calibrate: within-group deviation (n-1 below), mean over groups. */
struct combine_scale {
    double sum; /* of deviations */
    size_t groups;
};
/* Adds a group's values (n), NaN left out; with fewer than two it is skipped. */
void combine_scale_add(struct combine_scale *s, const double *x, size_t n);
double combine_scale_value(const struct combine_scale *s); /* NaN without a group */

#endif
