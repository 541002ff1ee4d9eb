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

#include <stddef.h>

/* h (n): the entropies of attn_kept(), in nats, become shares of log V, V being the number
 * of positions in the support.  Returns how many count: n, or 0 if V < 2. */
size_t focus_normalise(double *h, size_t n, size_t V);

/* F of n entropies; 0 if there are none.  0 <= h_min < 1. */
double focus(const double *h, size_t n, double h_min, double zeta);

/* The paper's sum_t -H(a_t), <= 0, over the entropies (n) of attn_kept(), in nats. */
double focus_sum(const double *entropy, size_t n);

#endif
