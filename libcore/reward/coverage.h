/*
 * Coverage: how much of what matters in the prompt the response has read.
 *
 * What matters are groups g of prompt positions (all the places of one word type) with
 * weights w_g.  Five readings of the same rows:
 *
 *   best    C = sum_g w_g max_t sum_{j in g} A_tj      raw mass, steps t >= 1     (F12)
 *   capped  sum_g w_g min(1, c_g / kappa)                                         (F3)
 *   mean    sum_g w_g c_g
 *   gnmt    sum_g w_g log min(1, max(c_g, 1e-3))
 *   sum     sum_t sum_{j in S} A_tj,  S the union of the groups      (paper-literal)
 *
 * with c_g = |V| * mean over kept steps of sum_{j in g} a_tj: 1 is the share that even
 * attention over V would give.  `best` is the default because it was the only reading
 * that told good answers from bad ones within a prompt (cagsr(7) has the table).
 *
 * Nothing allocates or fails.
 */
#ifndef CAGSR_REWARD_COVERAGE_H
#define CAGSR_REWARD_COVERAGE_H

#include "attn/stats.h"

/* Positions borrowed; weight is the type's idf until coverage_groups() divides. */
struct salient_group {
    uint32_t *pos; /* (n) prompt positions, ascending */
    size_t n;
    double weight;
};

/* Drops positions outside the support mask (P), then empty groups, and divides the
 * weights by their sum.  In place; returns how many groups are left, in their order.
 * Groups of weight 0 stay; if all weigh 0 they count alike. */
size_t coverage_groups(struct salient_group *g, size_t G, const unsigned char *mask,
                       size_t P);

/* C (F12).  best, step (G each, may be NULL) out: the largest mass on each group and
 * the step it fell on.  Row 0 is the same for all candidates of a prompt, so it counts
 * only where it is the only one.  0 without groups or steps. */
double coverage_best(double *best, size_t *step, const struct attn_rows *r,
                     const struct salient_group *g, size_t G);

/* 1 if group i is hardly read: its best step gave it less than a third of what the groups
 * get on average, by weight.  best (G) is coverage_best's. */
int coverage_hardly(const double *best, const struct salient_group *g, size_t G,
                    size_t i);

/* c (G) out, over the kept steps and masses of attn_kept().  All 0 with fewer than two
 * positions in the support, or no step kept. */
void coverage_shares(double *c, const struct attn_rows *r, const size_t *kept,
                     const double *mass, size_t nkept, const struct salient_group *g,
                     size_t G);

/* One number out of the shares c (G), weighted by group: each cut at kappa and divided by
 * it, as they are, or the logarithm of each within 1e-3..1 (GNMT's penalty). */
double coverage_capped(const double *c, const struct salient_group *g, size_t G,
                       double kappa);
double coverage_mean(const double *c, const struct salient_group *g, size_t G);
double coverage_gnmt(const double *c, const struct salient_group *g, size_t G);

/* The paper's sum, over kept steps (of the whole prompt as support).  S (nS) are the
 * groups' positions, each once. */
double coverage_sum(const struct attn_rows *r, const size_t *kept, size_t nkept,
                    const uint32_t *S, size_t nS);

#endif
