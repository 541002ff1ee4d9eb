/*
 * The way back of nn/xent.h where logits are not there any more: of a part of them, XENT_BLOCK
 * columns at most, their exponentials are kept in half as many bytes, as bfloat16:
 *     e_v = exp((z_v - peak) / temperature) <= 1,   peak the row's largest logit so far.
 * bfloat16 has the exponents of float32, so each e_v is off by 2^-8 of itself at most, however small
 * it is.  When all parts have come and the sum over the row is known,
 *     p_v = e_v exp(peak / temperature - lse)
 * takes no exponential for each v.
 *
 * The target's own p comes from its logit, which is at hand (struct xent_sums): where p is near 1
 * its gradient is dlogp (1 - p), and with a rounded p nothing right would be left of that.
 */
#ifndef CAGSR_NN_XENT_KEPT_H
#define CAGSR_NN_XENT_KEPT_H

#include "kern/ordered.h"
#include "nn/xent.h"

/* What is kept of a part, n columns of N rows, in the caller's memory. */
struct xent_kept {
    uint16_t *e; /* (N, n) */
    float *peak; /* (N) */
};

/* xent_add of a part, n <= XENT_BLOCK; *part out.  The sums get the same bits. */
void xent_keep(struct kern *k, struct xent_sums *sums, const struct xent_kept *part,
               const float *z, const int32_t *target, const float *temperature,
               size_t N, size_t from, size_t n);

/* What the gradients of N rows come from: as xent_backward, and the sums as xent_end saw them. */
struct xent_loss {
    const struct xent_sums *sums;
    const int32_t *target;
    const float *temperature, *lse, *entropy, *dlogp, *dentropy;
    float scale; /* of all gradients */
};

/* Where they go to: dz (N, n) as float32, contiguous; or in order for the products that read it,
 * and n is a multiple of ORDERED_COLUMNS.  The other is NULL. */
struct xent_to {
    float *floats;
    const struct ordered *ordered;
};

/* dz = l->scale times the gradient of a part's logits from..from+n-1 (xent_backward).  Block by
 * block, in the first cache; shared out over k's threads, bits of an element do not depend on
 * others. */
void xent_kept_backward(struct kern *k, struct xent_to dz, const struct xent_loss *l,
                        const struct xent_kept *part, size_t N, size_t from, size_t n);

#endif
