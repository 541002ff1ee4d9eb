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

ISA_BODY float forward_one(float *y, const float *x, const float *w, size_t C,
                           struct rmsnorm p)
{
    const double ms = sum_squares(x, C) / (double)C;
    const float r = (float)(1 / sqrt(ms + (double)p.eps));

    for (size_t i = 0; i < C; i += VEC)
        vec_put(y, i, C, vec_at(x, i, C, 0) * r * (vec_at(w, i, C, 0) + p.offset));
    return r;
}

void ISA_NAME(rmsnorm_rows)(const struct rmsnorm_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const float r = forward_one(j->y + n * j->ldy + h * j->C,
                                        j->x + n * j->ldx + h * j->C, j->w, j->C, j->p);

            if (j->r_out)
                j->r_out[n * j->H + h] = r;
        }
}

ISA_BODY double weighted_dot(const float *dy, const float *w, const float *x, size_t C,
                             float offset)
{
    vdouble a = {0}, b = {0};

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat g = vec_at(dy, i, C, 0) * (vec_at(w, i, C, 0) + offset);
        const vfloat v = vec_at(x, i, C, 0);

        a += vec_low(g) * vec_low(v);
        b += vec_high(g) * vec_high(v);
    }
    return vec_sum_double(a + b);
}

ISA_BODY void dx_one(const struct rmsnorm_job *j, float *dx, const float *dy,
                     const float *x, float r)
{
    const size_t C = j->C;
    const double s = weighted_dot(dy, j->w, x, C, j->p.offset) / (double)C;
    const float t = r * r * r * (float)s;

    for (size_t i = 0; i < C; i += VEC) {
        const vfloat g = vec_at(dy, i, C, 0) * (vec_at(j->w, i, C, 0) + j->p.offset);
        const vfloat old = j->in_place ? vec_set(0) : vec_at(dx, i, C, 0);

        vec_put(dx, i, C, old + g * r - vec_at(x, i, C, 0) * t);
    }
}

void ISA_NAME(rmsnorm_dx)(const struct rmsnorm_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const size_t at = n * j->ldy + h * j->C;

            dx_one(j, j->dx + at, j->dy + at, j->x + n * j->ldx + h * j->C,
                   j->r[n * j->H + h]);
        }
}

/* dw over all rows, for columns from..to: the sum's order is that of the rows. */
void ISA_NAME(rmsnorm_dw)(const struct rmsnorm_job *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += VEC) {
        vfloat s = {0};

        for (size_t n = 0; n < j->N; n++)
            for (size_t h = 0; h < j->H; h++)
                s += vec_at(j->dy + n * j->ldy + h * j->C, i, to, 0) *
                     vec_at(j->x + n * j->ldx + h * j->C, i, to, 0) *
                     j->r[n * j->H + h];
        vec_put(j->dw, i, to, vec_at(j->dw, i, to, 0) + s);
    }
}
