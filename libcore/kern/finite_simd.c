#include "kern/finite_simd.h"

#include "kern/vec.h"

/* Nothing in the lanes of numbers; all bits in those of infinity and NaN, whose exponent is all
 * ones. */
ISA_BODY vint strange(vfloat x)
{
    const vint exponent = (vint)x & 0x7f800000;

    return exponent == 0x7f800000;
}

void ISA_NAME(finite)(int *yes, const float *x, size_t n)
{
    vint seen = {0};
    size_t i = 0;

    UNROLL_4
    for (; n - i >= VEC; i += VEC)
        seen |= strange(vec_load(x + i));
    if (i < n)
        seen |= strange(vec_load_part(x + i, n - i, 0));
    *yes = 1;
    for (size_t lane = 0; lane < VEC; lane++)
        *yes &= seen[lane] == 0;
}
