/*
 * T5's relative positions (Raffel et al. 2020, 2.1): a head adds to the score of query i
 * and key j a number that depends on the bucket of their distance j - i alone.
 *
 *   table   (n, H)    the parameter: n buckets, a column for each head
 *   bucket  (2 S)     bucket[S + d] for -S < d < S; element 0 is not used
 *
 * Of the buckets (in both directions: of each half) the first half hold one distance
 * each, the others ever wider ranges, and the last one all from `max` on.
 * Nothing here can fail.
 */
#ifndef CAGSR_NN_RELATIVE_H
#define CAGSR_NN_RELATIVE_H

#include <stddef.h>
#include <stdint.h>

enum relative_side {
    RELATIVE_BEHIND, /* j <= i: a decoder; keys ahead, never seen, count as distance 0 */
    RELATIVE_BOTH,   /* an encoder: the upper half of the buckets for j > i */
};

/* n >= 4, even; max > n / 2. */
void relative_buckets(uint16_t *bucket, size_t S, size_t n, size_t max,
                      enum relative_side side);

/* by_distance (H, 2 S) = table[bucket[d]][h]: what attention adds (nn/attention.h). */
void relative_expand(float *by_distance, const float *table, const uint16_t *bucket,
                     size_t S, size_t H);

/* dtable (n, H) += the sum over `runs` runs of dbias (runs, H, n), in their order. */
void relative_backward(float *dtable, const float *dbias, size_t runs, size_t n,
                       size_t H);

#endif
