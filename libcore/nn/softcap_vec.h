/*
 * Soft capping of a vector, for the loops that hold scores: attention's and softcap's.  Private to nn/.
 */
#ifndef CAGSR_NN_SOFTCAP_VEC_H
#define CAGSR_NN_SOFTCAP_VEC_H

#include "kern/vec.h"

/*
 * tanh.  Up to .55 an odd polynomial of degree 11, least squares for the relative error
 * (1e-9 before rounding); beyond, 1 - 2 / (exp(2x) + 1), which does not cancel there.
 */
ISA_BODY vfloat vec_tanh(vfloat x)
{
    const vfloat a = vec_max(x, -x), z = x * x;
    vfloat p = z * -0x1.9b14e4p-8f + 0x1.59370cp-6f;

    p = p * z - 0x1.b9278cp-5f;
    p = p * z + 0x1.110d1ep-3f;
    p = p * z - 0x1.55554ap-2f;
    p = p * z * x + x;
    const vfloat far = 1.0f - 2.0f / (vec_exp(2.0f * a) + 1.0f);
    return vec_select(a < 0.55f, p, vec_select(x < 0.0f, -far, far));
}

ISA_BODY vfloat vec_softcap(vfloat x, float cap)
{
    return cap * vec_tanh(x / cap);
}

/* The derivative, from the capped y; 0 where y is -infinity (masked). */
ISA_BODY vfloat vec_softcap_slope(vfloat y, float cap)
{
    const vfloat t = vec_max(y, vec_set(-cap)) / cap;

    return 1.0f - t * t;
}

#endif
