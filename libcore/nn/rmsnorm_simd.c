#include "nn/rmsnorm_simd.h"

#include "kern/vec.h"

#include <math.h>

/* Doubles: a float sum of 8192 squares is off by 5e-6. */
ISA_BODY double sum_squares(const float *x, size_t C)
{
    vdouble a = {0}, b = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat v = vec_at(x, i, C, 0);
        const vdouble lo = vec_low(v), hi = vec_high(v);

        a += lo * lo;
        b += hi * hi;
    }
    return vec_sum_double(a + b);
}

ISA_BODY float scale_of(const float *x, size_t C, struct rmsnorm p)
{
    const double ms = sum_squares(x, C) / (double)C;

    return (float)(1 / sqrt(ms + (double)p.eps));
}

ISA_BODY void scale_row(float *y, const float *x, float r, const float *w, size_t C,
                        struct rmsnorm p)
{
    for (size_t i = 0; i < C; i += VEC)
        vec_put(y, i, C, vec_at(x, i, C, 0) * r * (vec_at(w, i, C, 0) + p.offset));
}

void ISA_NAME(rmsnorm_rows)(const struct rmsnorm_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const float *x = j->x + n * j->ldx + h * j->C;
            const float r = scale_of(x, j->C, j->p);

            scale_row(j->y + n * j->ldy + h * j->C, x, r, j->w, j->C, j->p);
            if (j->r_out)
                j->r_out[n * j->H + h] = r;
        }
}

void ISA_NAME(rmsnorm_scales)(const struct rmsnorm_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        j->r_out[n] = scale_of(j->x + n * j->ldx, j->C, j->p);
}

void ISA_NAME(rmsnorm_some)(const struct rmsnorm_job *j, size_t from, size_t to,
                            size_t col, size_t cols)
{
    for (size_t n = from; n < to; n++)
        scale_row(j->y + (n - from) * j->ldy, j->x + n * j->ldx + col, j->r[n],
                  j->w + col, cols, j->p);
}

/* sum dy g x over a row, and dw += dy x r, unless it is NULL: a constant. */
ISA_BODY double weighted_dot(const struct rmsnorm_job *j, const float *dy,
                             const float *x, float r, float *dw)
{
    const size_t C = j->C;
    vdouble a = {0}, b = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat d = vec_at(dy, i, C, 0), v = vec_at(x, i, C, 0);
        const vfloat g = d * (vec_at(j->w, i, C, 0) + j->p.offset);

        a += vec_low(g) * vec_low(v);
        b += vec_high(g) * vec_high(v);
        if (dw)
            vec_put(dw, i, C, vec_at(dw, i, C, 0) + d * v * r);
    }
    return vec_sum_double(a + b);
}

/* dw first: dx may lie where dy does. */
ISA_BODY void back_one(const struct rmsnorm_job *j, float *dx, const float *dy,
                       const float *x, float r, float *dw)
{
    const size_t C = j->C;
    const double s =
        (dw ? weighted_dot(j, dy, x, r, dw) : weighted_dot(j, dy, x, r, NULL)) /
        (double)C;
    const float t = r * r * r * (float)s;

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat g = vec_at(dy, i, C, 0) * (vec_at(j->w, i, C, 0) + j->p.offset);
        const vfloat old = j->in_place ? vec_set(0) : vec_at(dx, i, C, 0);

        vec_put(dx, i, C, old + g * r - vec_at(x, i, C, 0) * t);
    }
}

void ISA_NAME(rmsnorm_back)(const struct rmsnorm_job *j, size_t from, size_t to,
                            float *dw)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const size_t at = n * j->ldy + h * j->C;

            back_one(j, j->dx + at, j->dy + at, j->x + n * j->ldx + h * j->C,
                     j->r[n * j->H + h], dw);
        }
}
