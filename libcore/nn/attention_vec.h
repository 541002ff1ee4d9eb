/*
 * Rows of a head, by vectors: for the loops of attention's ways forward and back.  Private to nn/.
 */
#ifndef CAGSR_NN_ATTENTION_VEC_H
#define CAGSR_NN_ATTENTION_VEC_H

#include "kern/vec.h"

/* a . b of n numbers. */
ISA_BODY float row_dot(const float *a, const float *b, size_t n)
{
    vfloat s = {0};

    for (size_t i = 0; i < n; i += VEC)
        s += vec_at(a, i, n, 0) * vec_at(b, i, n, 0);
    return vec_sum(s);
}

/* out (D) = by y, which is there in whole vectors. */
ISA_BODY void put_row(float *out, const float *y, size_t D, float by)
{
    for (size_t c = 0; c < D; c += VEC)
        vec_put(out, c, D, vec_load(y + c) * by);
}

#endif
