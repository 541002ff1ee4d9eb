#include "nn/rope.h"

#include "nn/rope_simd.h"

#include <math.h>

#define TWO_PI 6.283185307179586477

static void scale_linear(double *f, size_t R, const struct rope *r)
{
    for (size_t i = 0; i < R / 2; i++)
        f[i] /= r->factor;
}

/* The i (not whole) whose pair makes so many turns in the original context. */
static double pair_of(double turns, size_t R, const struct rope *r)
{
    return (double)R * log(r->original / (turns * TWO_PI)) / (2 * log(r->base));
}

static void scale_yarn(double *f, size_t R, const struct rope *r)
{
    double from = pair_of(r->high, R, r), to = pair_of(r->low, R, r);

    if (!r->fractional) {
        from = floor(from);
        to = ceil(to);
    }
    from = fmax(from, 0);
    to = fmin(to, (double)R - 1);
    if (from == to)
        to += 0.001;
    for (size_t i = 0; i < R / 2; i++) {
        const double blend = fmin(fmax(((double)i - from) / (to - from), 0), 1);

        f[i] *= blend / r->factor + (1 - blend);
    }
}

static void scale_llama3(double *f, size_t R, const struct rope *r)
{
    for (size_t i = 0; i < R / 2; i++) {
        const double turns = r->original * f[i] / TWO_PI;
        const double blend = (turns - r->low) / (r->high - r->low);

        if (turns < r->low)
            f[i] /= r->factor;
        else if (turns <= r->high)
            f[i] *= (1 - blend) / r->factor + blend;
    }
}

static void scale_long(double *f, size_t R, const struct rope *r)
{
    for (size_t i = 0; i < R / 2; i++)
        f[i] /= r->by[i];
}

void rope_freq(double *f, size_t R, const struct rope *r)
{
    for (size_t i = 0; i < R / 2; i++)
        f[i] = pow(r->base, -2.0 * (double)i / (double)R);
    switch (r->scaling) {
    case ROPE_PLAIN:
    case ROPE_DYNAMIC: break;
    case ROPE_LINEAR: scale_linear(f, R, r); break;
    case ROPE_YARN: scale_yarn(f, R, r); break;
    case ROPE_LLAMA3: scale_llama3(f, R, r); break;
    case ROPE_LONG: scale_long(f, R, r); break;
    }
}

struct table_job {
    float *cs;
    const int32_t *pos;
    const double *f;
    size_t R;
    const struct rope *r;
};

/* By what the frequencies of a position shrink from one pair to the next: a base that
 * has grown by s^(R/(R-2)) is b^(-2i/R) s^(-2i/(R-2)). */
static double shrink(const struct table_job *j, int32_t pos)
{
    const struct rope *r = j->r;
    const double n = (double)pos + 1;

    if (r->scaling != ROPE_DYNAMIC || n <= r->original || j->R <= 2)
        return 1;
    return pow(r->factor * n / r->original - (r->factor - 1),
               -2.0 / (double)(j->R - 2));
}

static void table_rows(void *ctx, size_t from, size_t to)
{
    const struct table_job *j = ctx;
    const size_t half = j->R / 2;

    for (size_t n = from; n < to; n++) {
        float *c = j->cs + n * j->R, *s = c + half;
        const double step = shrink(j, j->pos[n]);
        double by = 1;

        for (size_t i = 0; i < half; i++, by *= step) {
            const double angle = (double)j->pos[n] * j->f[i] * by;

            c[i] = (float)(cos(angle) * j->r->gain);
            s[i] = (float)(sin(angle) * j->r->gain);
        }
    }
}

void rope_table(struct kern *k, float *cs, const int32_t *pos, size_t N,
                const double *f, size_t R, const struct rope *r)
{
    struct table_job j = {cs, pos, f, R, r};

    kern_rows(k, N, 20 * R, table_rows, &j);
}

static void turn_range(void *ctx, size_t from, size_t to)
{
    const struct rope_job *j = ctx;

    ISA_CALL(kern_isa(j->k), rope_rows, (j, from, to));
}

void rope_forward(struct kern *k, float *x, size_t ldx, const float *cs, size_t N,
                  size_t H, size_t D, size_t R)
{
    struct rope_job j = {k, x, cs, ldx, H, D, R, 1};

    kern_rows(k, N, H * R, turn_range, &j);
}

void rope_backward(struct kern *k, float *dx, size_t lddx, const float *cs, size_t N,
                   size_t H, size_t D, size_t R)
{
    struct rope_job j = {k, dx, cs, lddx, H, D, R, -1};

    kern_rows(k, N, H * R, turn_range, &j);
}
