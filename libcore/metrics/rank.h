/*
 * What order says: ranks, Spearman's correlation, the area under the ROC curve, and the
 * best of N.  NaN in any array means "absent": that place is left out.  Nothing fails or
 * allocates: scratch is the caller's.
 */
#ifndef CAGSR_METRICS_RANK_H
#define CAGSR_METRICS_RANK_H

#include <stddef.h>

/* rank (n) out: 1 for the smallest, the mean of their places for equal numbers; NaN stays
 * NaN.  order (n): scratch. */
void rank_average(double *rank, const double *x, size_t n, size_t *order);

/* Spearman's rho: Pearson's correlation of the ranks among the places where both are
 * present.  NaN with fewer than two of them, or where one side is constant.  work (4 n),
 * order (n): scratch. */
double rank_spearman(const double *x, const double *y, size_t n, double *work,
                     size_t *order);

/* What is left of Spearman's rho of col[0] and col[1] given col[2] .. col[1 + given]: Pearson's
 * correlation of what their ranks have that is no linear function of the ranks of the given
 * ones (the partial rank correlation), among the places where all are present.  A given
 * column that is constant there, or follows from those before it, says nothing and is passed
 * over.  NaN with fewer than given + 3 places, or where one side is constant or follows from
 * the given ones.  work ((given + 3) n), order (n): scratch. */
double rank_partial(const double *const *col, size_t given, size_t n, double *work,
                    size_t *order);

/* P(a > b) + P(a = b)/2 over all pairs: Mann-Whitney's U over its largest value.  NaN if
 * one side is empty.  O(na nb). */
double rank_auroc(const double *a, size_t na, const double *b, size_t nb);

/* Expected y of the candidate with the largest x among N drawn without replacement from
 * the n of a group, exactly; equal x share alike.  Places where x or y is absent are left
 * out; NaN if fewer than N remain.  work (2 n), order (n): scratch. */
double rank_best_of(const double *x, const double *y, size_t n, size_t N, double *work,
                    size_t *order);

#endif
