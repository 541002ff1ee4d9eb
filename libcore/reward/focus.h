/*
 * Focus: how sharply the response reads, whatever it reads (F4).
 *
 *     h_t = H(a_t) / log|V|   in [0,1]
 *     F   = mean_t (1 - max(h_t, h_min)) / (1 - h_min)
 *           - zeta mean_t max(0, h_min - h_t) / h_min
 *
 * Below the floor h_min sharper is no better: the paper rewards low entropy, its
 * successor punishes it; the floor is our reading of both.  zeta > 0 punishes collapse.
 * Nothing allocates or fails.
 */
#ifndef CAGSR_REWARD_FOCUS_H
#define CAGSR_REWARD_FOCUS_H

#include "attn/stats.h"

/* h (nkept) out: normalised entropies of the kept steps.  Returns how many: nkept, or 0
 * with fewer than two positions in the support. */
size_t focus_entropies(double *h, const struct attn_rows *r, const size_t *kept,
                       const double *mass, size_t nkept);

/* F of n entropies; 0 if there are none.  0 <= h_min < 1. */
double focus(const double *h, size_t n, double h_min, double zeta);

/* The paper's sum_t -H(a_t) in nats over the kept steps, <= 0. */
double focus_sum(const struct attn_rows *r, const size_t *kept, const double *mass,
                 size_t nkept);

#endif
