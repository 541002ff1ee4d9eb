/*
 * Log-softmax of rows of logits at a temperature, as far as losses need it: the
 * log-probability of one target per row, the entropy of the row, and both gradients.
 *     u = z / temperature,   lse = log sum_v exp(u_v),   p_v = exp(u_v - lse)
 *     logp = u_target - lse,   entropy = lse - sum_v p_v u_v          (nats)
 *   z            (N, V)  logits, row-major, contiguous
 *   target       (N)     each in 0..V-1
 *   temperature  (N)     each > 0
 * Sums are in double over float exponentials, after the largest logit so far is taken off
 * (Milakov and Gimelshein 2018, arXiv 1805.02867), so a row is read from memory once, block
 * by block, and its logits need not be there all at once.  Cannot fail; a NaN in z makes
 * that row's results NaN.  A row's bits depend on that row only.  Rows are shared out over
 * k's threads.
 */
#ifndef CAGSR_NN_XENT_H
#define CAGSR_NN_XENT_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

/* logp, entropy, lse (N) out; entropy may be NULL (it is then not computed).  lse is of
 * u, i.e. at the temperature. */
void xent_forward(struct kern *k, float *logp, float *entropy, float *lse,
                  const float *z, const int32_t *target, const float *temperature,
                  size_t N, size_t V);

/* The same where logits come in parts.  What is known of a row so far: */
struct xent_sums {
    double e, eu; /* sum_v exp(u_v - max / temperature); the same times that exponent */
    float max;    /* of z */
    float target; /* its logit */
};

/* Logits of a block; parts begin at multiples of it, and then give the bits of the whole. */
enum { XENT_BLOCK = 3072 };

/* sums (N) of rows of which nothing has come yet. */
void xent_begin(struct xent_sums *sums, size_t N);

/* z (N, n): the logits from..from+n-1 of each row, behind those that came before. */
void xent_add(struct kern *k, struct xent_sums *sums, const float *z,
              const int32_t *target, const float *temperature, size_t N, size_t from,
              size_t n);

/* When all have come: as xent_forward. */
void xent_end(const struct xent_sums *sums, float *logp, float *entropy, float *lse,
              const float *temperature, size_t N);

/* Gradient with respect to the logits, from dlogp and dentropy (N; dentropy NULL: no
 * entropy term):
 *     dz_v = (dlogp (1[v = target] - p_v) - dentropy p_v (log p_v + entropy)) /
 * temperature dz (N, V) is overwritten, not accumulated, and may be z: a chunk of
 * logits is turned into its gradient in place.  lse and entropy are forward's (entropy
 * unused, may be NULL, where dentropy is NULL). */
void xent_backward(struct kern *k, float *dz, const float *z, const int32_t *target,
                   const float *temperature, const float *lse, const float *entropy,
                   const float *dlogp, const float *dentropy, size_t N, size_t V);

#endif
