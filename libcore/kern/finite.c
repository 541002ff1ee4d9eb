#include "kern/finite.h"

#include "kern/finite_simd.h"

int all_finite(enum isa isa, const float *x, size_t n)
{
    int yes;

    ISA_CALL(isa, finite, (&yes, x, n));
    return yes;
}
