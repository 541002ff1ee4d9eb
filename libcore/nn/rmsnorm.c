#include "nn/rmsnorm.h"

#include "kern/vec.h"

#include <math.h>

/* One job for both directions; each uses its members.  Row n has H vectors of C floats
 * side by side, ldx apart in x and ldy in y, dy and dx; dx may be dy. */
struct job {
    const struct kern *k;
    float *y, *r_out, *dx, *dw;
    const float *x, *w, *r, *dy;
    size_t N, H, C, ldx, ldy;
    struct rmsnorm p;
    int in_place; /* dx is overwritten, not added to */
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

ISA_BODY float forward_one(float *y, const float *x, const float *w, size_t C,
                           struct rmsnorm p)
{
    const double ms = sum_squares(x, C) / (double)C;
    const float r = (float)(1 / sqrt(ms + (double)p.eps));

    for (size_t i = 0; i < C; i += VEC)
        vec_put(y, i, C, vec_at(x, i, C, 0) * r * (vec_at(w, i, C, 0) + p.offset));
    return r;
}

ISA_BODY void forward_rows_body(const struct job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const float r = forward_one(j->y + n * j->ldy + h * j->C,
                                        j->x + n * j->ldx + h * j->C, j->w, j->C, j->p);

            if (j->r_out)
                j->r_out[n * j->H + h] = r;
        }
}
ISA_VARIANTS(forward_rows, (const struct job *j, size_t from, size_t to), (j, from, to))

static void forward_range(void *ctx, size_t from, size_t to)
{
    const struct job *j = ctx;

    ISA_CALL(kern_isa(j->k), forward_rows, (j, from, to));
}

void rmsnorm_heads_forward(struct kern *k, float *y, size_t ldy, float *r,
                           const float *x, size_t ldx, const float *w, size_t N,
                           size_t H, size_t C, struct rmsnorm p)
{
    struct job j = {.k = k,
                    .y = y,
                    .r_out = r,
                    .x = x,
                    .w = w,
                    .N = N,
                    .H = H,
                    .C = C,
                    .ldx = ldx,
                    .ldy = ldy,
                    .p = p};

    kern_rows(k, N, 2 * H * C, forward_range, &j);
}

void rmsnorm_forward(struct kern *k, float *y, float *r, const float *x, const float *w,
                     size_t N, size_t C, struct rmsnorm p)
{
    rmsnorm_heads_forward(k, y, C, r, x, C, w, N, 1, C, p);
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

ISA_BODY void dx_one(const struct job *j, float *dx, const float *dy, const float *x,
                     float r)
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

ISA_BODY void dx_rows_body(const struct job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++) {
            const size_t at = n * j->ldy + h * j->C;

            dx_one(j, j->dx + at, j->dy + at, j->x + n * j->ldx + h * j->C,
                   j->r[n * j->H + h]);
        }
}
ISA_VARIANTS(dx_rows, (const struct job *j, size_t from, size_t to), (j, from, to))

/* dw over all rows, for columns from..to: the sum's order is that of the rows. */
ISA_BODY void dw_columns_body(const struct job *j, size_t from, size_t to)
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

/* dw first: dx may overwrite what it is made of. */
static void backward(struct job *j)
{
    if (j->dw)
        kern_columns(j->k, j->C, 2 * j->N * j->H, dw_range, j);
    kern_rows(j->k, j->N, 4 * j->H * j->C, dx_range, j);
}

void rmsnorm_heads_backward(struct kern *k, float *dy, size_t lddy, float *dw,
                            const float *x, size_t ldx, const float *w, const float *r,
                            size_t N, size_t H, size_t C, struct rmsnorm p)
{
    struct job j = {.k = k,
                    .dx = dy,
                    .dw = dw,
                    .x = x,
                    .w = w,
                    .r = r,
                    .dy = dy,
                    .N = N,
                    .H = H,
                    .C = C,
                    .ldx = ldx,
                    .ldy = lddy,
                    .p = p,
                    .in_place = 1};

    backward(&j);
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
                    .H = 1,
                    .C = C,
                    .ldx = C,
                    .ldy = C,
                    .p = p};

    backward(&j);
}
