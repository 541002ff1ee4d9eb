#include "tensor/finite.h"

int all_finite(const float *x, size_t n)
{
    float worst = 0;

    /* x - x is 0 for every finite number, and NaN otherwise. */
#pragma omp simd reduction(+ : worst)
    for (size_t i = 0; i < n; i++)
        worst += x[i] - x[i];
    return worst == 0;
}
