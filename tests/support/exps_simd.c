#include "exps_simd.h"

#include "kern/vec.h"

void ISA_NAME(exps)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_put(y, i, n, vec_exp(vec_at(x, i, n, 0)));
}
