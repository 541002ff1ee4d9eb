/*
 * Token embedding, with learned positions where the model has them:
 *     y_n = scale wte[ids_n] + wpe[pos_n]
 *   ids  (N)      each in 0..V-1, checked by the caller
 *   pos  (N)      each below the rows of wpe; NULL iff wpe is NULL
 *   wte  (V, C), or NULL: y holds the rows of wte
 *   wpe  (positions, C) or NULL
 *   y    (N, C)   out
 * Cannot fail.  Rows are shared out over k's threads.
 */
#ifndef CAGSR_NN_EMBED_H
#define CAGSR_NN_EMBED_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

void embed_forward(struct kern *k, float *y, const int32_t *ids, const int32_t *pos,
                   const float *wte, const float *wpe, size_t N, size_t C, float scale);

/* dwte[ids_n] += scale dy_n,  dwpe[pos_n] += dy_n, in order of n: the same bits at any number
 * of threads.  dwpe is NULL iff pos is. */
void embed_backward(struct kern *k, float *dwte, float *dwpe, const float *dy,
                    const int32_t *ids, const int32_t *pos, size_t N, size_t C,
                    float scale);

#endif
