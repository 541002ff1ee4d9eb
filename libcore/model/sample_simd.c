#include "model/sample_simd.h"

#include "kern/vec.h"

#include <math.h>

void ISA_NAME(sample_peak)(const float *z, size_t V, float *out)
{
    vfloat m = vec_set(z[0]), bad = {0};

    for (size_t v = 0; v < V; v += VEC) {
        const vfloat x = vec_at(z, v, V, z[0]);

        m = vec_max(x, m);
        bad += x - x;
    }
    *out = vec_peak(m) + vec_sum(bad);
}

void ISA_NAME(sample_weigh)(float *w, double *sums, const float *z, size_t V, float top,
                            float by)
{
    for (size_t c = 0; c < V; c += SAMPLE_CHUNK) {
        const size_t end = c + SAMPLE_CHUNK < V ? c + SAMPLE_CHUNK : V;
        vdouble sum = {0};

        for (size_t v = c; v < end; v += VEC) {
            const vfloat e = vec_exp((vec_at(z, v, end, -INFINITY) - top) * by);

            vec_put(w, v, end, e);
            sum += vec_low(e) + vec_high(e);
        }
        sums[c / SAMPLE_CHUNK] = vec_sum_double(sum);
    }
}
