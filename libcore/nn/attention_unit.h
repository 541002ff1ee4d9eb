/*
 * Attention's way back by the products of a unit (kern/bf16.h): attn_backward() of attention.h where
 * attn_by_unit().
 *
 * The work is that of a run and a key/value head.  Blocks of queries, of all heads that share the
 * key, go by chunks of keys; what stands between a chunk's products is a chunk of scores, in the
 * first cache.  Scores are transposed, a row for each key: so both of what they become is packed
 * along its rows where it is summed over queries, which is most of it.  A run's bits depend on the
 * run alone.  Private to nn/.
 */
#ifndef CAGSR_NN_ATTENTION_UNIT_H
#define CAGSR_NN_ATTENTION_UNIT_H

#include "nn/attention_back_simd.h"

/* Scratch bytes of a task, whose queries see at most `keys` keys. */
size_t attn_unit_bytes(const struct attn_shape *s, size_t keys);

/* One run with key/value head g, in scratch of its own. */
void attn_unit_run(const struct attn_backward_job *b, size_t run, size_t g,
                   float *scratch);

#endif
