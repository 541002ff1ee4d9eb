#include "vec_simd.h"

#include "kern/vec.h"

void ISA_NAME(exps)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_put(y, i, n, vec_exp(vec_at(x, i, n, 0)));
}

void ISA_NAME(logs)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_put(y, i, n, vec_logf(vec_at(x, i, n, 1)));
}

void ISA_NAME(across)(struct across *out, const float *x)
{
    const vfloat v = vec_load(x);

    out->lanes = VEC;
    out->sum = vec_sum(v);
    out->peak = vec_peak(v);
    out->sum_double = vec_sum_double(vec_low(v) + vec_high(v));
}

void ISA_NAME(extremes)(float *max, float *min, const float *a, const float *b,
                        size_t n)
{
    for (size_t i = 0; i < n; i += VEC) {
        const vfloat x = vec_at(a, i, n, 0), y = vec_at(b, i, n, 0);

        vec_put(max, i, n, vec_max(x, y));
        vec_put(min, i, n, vec_min(x, y));
    }
}
