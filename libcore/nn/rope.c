#include "nn/rope.h"

#include "kern/vec.h"

#include <math.h>

void rope_freq(double *f, size_t R, double base)
{
    for (size_t i = 0; i < R / 2; i++)
        f[i] = pow(base, -2.0 * (double)i / (double)R);
}

void rope_scale_linear(double *f, size_t R, double factor)
{
    for (size_t i = 0; i < R / 2; i++)
        f[i] /= factor;
}

void rope_scale_llama3(double *f, size_t R, struct rope_llama3 s)
{
    for (size_t i = 0; i < R / 2; i++) {
        /* turns made inside the original context: few turns, long wavelength */
        const double turns = s.original * f[i] / (2 * 3.14159265358979323846);
        const double blend = (turns - s.low) / (s.high - s.low);

        if (turns < s.low)
            f[i] /= s.factor;
        else if (turns <= s.high)
            f[i] *= (1 - blend) / s.factor + blend;
    }
}

struct table_job {
    float *cs;
    const int32_t *pos;
    const double *f;
    size_t R;
    float scale;
};

static void table_rows(void *ctx, size_t from, size_t to)
{
    const struct table_job *j = ctx;
    const size_t half = j->R / 2;

    for (size_t n = from; n < to; n++) {
        float *c = j->cs + n * j->R, *s = c + half;

        for (size_t i = 0; i < half; i++) {
            const double angle = (double)j->pos[n] * j->f[i];

            c[i] = (float)(cos(angle) * (double)j->scale);
            s[i] = (float)(sin(angle) * (double)j->scale);
        }
    }
}

void rope_table(struct kern *k, float *cs, const int32_t *pos, size_t N,
                const double *f, size_t R, float scale)
{
    struct table_job j = {cs, pos, f, R, scale};

    kern_rows(k, N, 20 * R, table_rows, &j);
}

struct turn_job {
    const struct kern *k;
    float *x;
    const float *cs;
    size_t ldx, H, D, R;
    float sign; /* 1 forward, -1 back */
};

ISA_BODY void turn_head(float *x, const float *cs, size_t half, float sign)
{
    for (size_t i = 0; i < half; i += VEC) {
        const vfloat c = vec_at(cs, i, half, 0),
                     s = vec_at(cs + half, i, half, 0) * sign;
        const vfloat a = vec_at(x, i, half, 0), b = vec_at(x + half, i, half, 0);

        vec_put(x, i, half, a * c - b * s);
        vec_put(x + half, i, half, b * c + a * s);
    }
}

ISA_BODY void turn_rows_body(const struct turn_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++)
        for (size_t h = 0; h < j->H; h++)
            turn_head(j->x + n * j->ldx + h * j->D, j->cs + n * j->R, j->R / 2,
                      j->sign);
}
ISA_VARIANTS(turn_rows, (const struct turn_job *j, size_t from, size_t to),
             (j, from, to))

static void turn_range(void *ctx, size_t from, size_t to)
{
    const struct turn_job *j = ctx;

    ISA_CALL(kern_isa(j->k), turn_rows, (j, from, to));
}

void rope_forward(struct kern *k, float *x, size_t ldx, const float *cs, size_t N,
                  size_t H, size_t D, size_t R)
{
    struct turn_job j = {k, x, cs, ldx, H, D, R, 1};

    kern_rows(k, N, H * R, turn_range, &j);
}

void rope_backward(struct kern *k, float *dx, size_t lddx, const float *cs, size_t N,
                   size_t H, size_t D, size_t R)
{
    struct turn_job j = {k, dx, cs, lddx, H, D, R, -1};

    kern_rows(k, N, H * R, turn_range, &j);
}
