/*
 * Weights without labels: which features (one for each attention head) tell a prompt's own
 * answers from answers to other prompts.
 *
 * Each pair gives a difference d_k = x(own) - x(other) of F features.  With P(own is above)
 * = 1 / (1 + exp(-w . d)), the weights minimise
 *
 *     (1/K) sum_k log(1 + exp(-w . d_k / s)) + (ridge/2) |w|^2,   w >= 0,
 *
 * s the root mean square of all d, so that ridge means the same whatever the unit.  That
 * is convex: one minimum, found by projected gradient with momentum (FISTA; Beck and
 * Teboulle 2009), restarted where it climbs.
 */
#ifndef CAGSR_METRICS_HEADS_H
#define CAGSR_METRICS_HEADS_H

#include "base/err.h"

#include <stddef.h>

/* w (F) out, divided by its sum; all 0 if no feature helps.  d (K, F), K >= 1, finite.
 * ridge > 0.  ERR_NOMEM only. */
int heads_fit(double *w, const float *d, size_t K, size_t F, double ridge,
              struct err *e) MUST_CHECK;

/* Share of the pairs whose own answer is above by w . d, ties half: the AUROC that a
 * ranking of such pairs has. */
double heads_share(const double *w, const float *d, size_t K, size_t F);

#endif
