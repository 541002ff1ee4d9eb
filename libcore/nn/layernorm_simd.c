#include "nn/layernorm_simd.h"

#include "kern/vec.h"

#include <math.h>

ISA_BODY double sum_of(const float *x, size_t C)
{
    vdouble a = {0}, b = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat v = vec_at(x, i, C, 0);

        a += vec_low(v);
        b += vec_high(v);
    }
    return vec_sum_double(a + b);
}

/* sum (x - m)^2, with the mean taken off first: the difference of two large sums would
 * lose what is asked for. */
ISA_BODY double sum_deviations(const float *x, size_t C, double m)
{
    vdouble a = {0}, b = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat v = vec_at(x, i, C, (float)m);
        const vdouble lo = vec_low(v) - m, hi = vec_high(v) - m;

        a += lo * lo;
        b += hi * hi;
    }
    const size_t filled = (VEC - C % VEC) % VEC;
    const double off = (double)(float)m - m; /* what a filler lane added */
    return vec_sum_double(a + b) - (double)filled * off * off;
}

void ISA_NAME(layernorm_rows)(const struct layernorm_job *j, size_t from, size_t to)
{
    const size_t C = j->C;

    for (size_t n = from; n < to; n++) {
        const float *x = j->x + n * C;
        const double mean = sum_of(x, C) / (double)C;
        const double var = sum_deviations(x, C, mean) / (double)C;
        const float m = (float)mean, r = (float)(1 / sqrt(var + (double)j->eps));

        for (size_t i = 0; i < C; i += VEC) {
            vfloat y = (vec_at(x, i, C, 0) - m) * r * vec_at(j->w, i, C, 0);

            if (j->b)
                y += vec_at(j->b, i, C, 0);
            vec_put(j->y + n * C, i, C, y);
        }
        if (j->m_out) {
            j->m_out[n] = m;
            j->r_out[n] = r;
        }
    }
}

/* What the way back wants to know of a row: the means of g and of g h.  dw and db += what the row
 * gives to them, unless dw is NULL: a constant. */
struct means {
    float g, gh;
};

ISA_BODY struct means back_means(const struct layernorm_job *j, size_t n, float *dw)
{
    const size_t C = j->C;
    const float *x = j->x + n * C, *dy = j->dy + n * C;
    const float m = j->m[n], r = j->r[n];
    vdouble sg = {0}, sgh = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat d = vec_at(dy, i, C, 0), g = d * vec_at(j->w, i, C, 0);
        const vfloat h = (vec_at(x, i, C, m) - m) * r;

        sg += vec_low(g) + vec_high(g);
        sgh += vec_low(g) * vec_low(h) + vec_high(g) * vec_high(h);
        if (dw) {
            vec_put(dw, i, C, vec_at(dw, i, C, 0) + d * h);
            vec_put(dw + C, i, C, vec_at(dw + C, i, C, 0) + d);
        }
    }
    return (struct means){(float)(vec_sum_double(sg) / (double)C),
                          (float)(vec_sum_double(sgh) / (double)C)};
}

ISA_BODY void back_row(const struct layernorm_job *j, size_t n, float *dw)
{
    const size_t C = j->C;
    const float *x = j->x + n * C, *dy = j->dy + n * C;
    const float m = j->m[n], r = j->r[n];
    const struct means mean = dw ? back_means(j, n, dw) : back_means(j, n, NULL);
    float *dx = j->dx + n * C;

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat g = vec_at(dy, i, C, 0) * vec_at(j->w, i, C, 0);
        const vfloat h = (vec_at(x, i, C, m) - m) * r;

        vec_put(dx, i, C, vec_at(dx, i, C, 0) + (g - mean.g - h * mean.gh) * r);
    }
}

void ISA_NAME(layernorm_back)(const struct layernorm_job *j, size_t from, size_t to,
                              float *dw)
{
    for (size_t n = from; n < to; n++)
        back_row(j, n, dw);
}
