#include "nn/xent_simd.h"

#include "kern/vec.h"

#include <math.h>

/* max(v, lo), but NaN stays NaN. */
ISA_BODY vfloat not_below(vfloat v, float lo)
{
    return vec_max(vec_set(lo), v);
}

ISA_BODY float row_max(const float *z, size_t V)
{
    vfloat m = vec_set(-INFINITY);

    for (size_t i = 0; i < V; i += VEC)
        m = vec_max(vec_at(z, i, V, -INFINITY), m);
    return vec_peak(m);
}

/* Of a row, with u - max = a <= 0:  *s = sum exp(a),  *sa = sum exp(a) a. */
ISA_BODY void row_sums(double *s, double *sa, const float *z, size_t V, float max,
                       float inv)
{
    vdouble e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0};

    for (size_t i = 0; i < V; i += VEC) {
        /* The filler is far below every logit, but finite: exp is 0 and 0 a is 0. */
        const vfloat a = not_below((vec_at(z, i, V, -INFINITY) - max) * inv, -1e4f);
        const vfloat e = vec_exp(a), f = e * a;

        e0 += vec_low(e);
        e1 += vec_high(e);
        f0 += vec_low(f);
        f1 += vec_high(f);
    }
    *s = vec_sum_double(e0 + e1);
    *sa = vec_sum_double(f0 + f1);
}

void ISA_NAME(xent_rows)(const struct xent_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        const float *z = j->z + n * j->V;
        const float max = row_max(z, j->V);
        const double inv = 1 / (double)j->temperature[n];
        double s, sa;

        row_sums(&s, &sa, z, j->V, max, (float)inv);
        const double base = log(s); /* lse - max / temperature */
        j->logp[n] = (float)(((double)z[j->target[n]] - (double)max) * inv - base);
        j->lse_out[n] = (float)((double)max * inv + base);
        if (j->entropy_out)
            j->entropy_out[n] = (float)(base - sa / s);
    }
}

void ISA_NAME(xent_rows_back)(const struct xent_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        const float *z = j->z + n * j->V;
        float *dz = j->dz + n * j->V;
        const float inv = 1 / j->temperature[n], lse = j->lse[n];
        const float a = j->dlogp[n] * inv;
        const float b = j->dentropy ? j->dentropy[n] * inv : 0;
        const float h = j->dentropy ? j->entropy[n] : 0;

        for (size_t i = 0; i < j->V; i += VEC) {
            const vfloat logp = not_below(vec_at(z, i, j->V, 0) * inv - lse, -1e4f);

            vec_put(dz, i, j->V, -vec_exp(logp) * (a + b * (logp + h)));
        }
        dz[j->target[n]] += a;
    }
}
