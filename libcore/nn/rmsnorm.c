#include "nn/rmsnorm.h"

#include "kern/vec.h"

#include <math.h>

/* One job for both directions; each uses its members. */
struct job {
    const struct kern *k;
    float *y, *r_out, *dx, *dw;
    const float *x, *w, *r, *dy;
    size_t N, C;
    struct rmsnorm p;
};

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

ISA_BODY void forward_rows_body(const struct job *j, size_t from, size_t to)
{
    const size_t C = j->C;

    for (size_t n = from; n < to; n++) {
        const float *x = j->x + n * C;
        const double ms = sum_squares(x, C) / (double)C;
        const float r = (float)(1 / sqrt(ms + (double)j->p.eps));

        for (size_t i = 0; i < C; i += VEC)
            vec_put(j->y + n * C, i, C,
                    vec_at(x, i, C, 0) * r * (vec_at(j->w, i, C, 0) + j->p.offset));
        if (j->r_out)
            j->r_out[n] = r;
    }
}
ISA_VARIANTS(forward_rows, (const struct job *j, size_t from, size_t to), (j, from, to))

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), forward_rows, (j, from, to));
}

void rmsnorm_forward(struct kern *k, float *y, float *r, const float *x, const float *w,
                     size_t N, size_t C, struct rmsnorm p)
{
    struct job j = {.k = k, .y = y, .r_out = r, .x = x, .w = w, .N = N, .C = C, .p = p};

    kern_rows(k, N, 2 * C, forward_range, &j);
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

ISA_BODY void dx_rows_body(const struct job *j, size_t from, size_t to)
{
    const size_t C = j->C;

    for (size_t n = from; n < to; n++) {
        const float *x = j->x + n * C, *dy = j->dy + n * C;
        float *dx = j->dx + n * C;
        const float r = j->r[n];
        const double s = weighted_dot(dy, j->w, x, C, j->p.offset) / (double)C;
        const float t = r * r * r * (float)s;

        for (size_t i = 0; i < C; i += VEC) {
            const vfloat g =
                vec_at(dy, i, C, 0) * (vec_at(j->w, i, C, 0) + j->p.offset);

            vec_put(dx, i, C, vec_at(dx, i, C, 0) + g * r - vec_at(x, i, C, 0) * t);
        }
    }
}
ISA_VARIANTS(dx_rows, (const struct job *j, size_t from, size_t to), (j, from, to))

/* dw over all rows, for columns from..to: the sum's order is that of the rows. */
ISA_BODY void dw_columns_body(const struct job *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += VEC) {
        vfloat s = {0};

        for (size_t n = 0; n < j->N; n++)
            s += vec_at(j->dy + n * j->C, i, to, 0) *
                 vec_at(j->x + n * j->C, i, to, 0) * j->r[n];
        vec_put(j->dw, i, to, vec_at(j->dw, i, to, 0) + s);
    }
}
ISA_VARIANTS(dw_columns, (const struct job *j, size_t from, size_t to), (j, from, to))

static void dx_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), dx_rows, (j, from, to));
}

static void dw_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), dw_columns, (j, from, to));
}

void rmsnorm_backward(struct kern *k, float *dx, float *dw, const float *dy,
                      const float *x, const float *w, const float *r, size_t N,
                      size_t C, struct rmsnorm p)
{
    struct job j = {.k = k,
                    .dx = dx,
                    .dw = dw,
                    .x = x,
                    .w = w,
                    .r = r,
                    .dy = dy,
                    .N = N,
                    .C = C,
                    .p = p};

    kern_rows(k, N, 4 * C, dx_range, &j);
    if (dw)
        kern_columns(k, C, 2 * N, dw_range, &j);
}
