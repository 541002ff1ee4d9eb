/*
 * Attention's way forward with operands that are rounded, by a unit's products of a few rows and by
 * vectors: beside the same sums in double.  (Its laws are with the others', test_attention.c.)
 */
#include "nn/attention.h"

#include "../support/bf16_emulated.h"
#include "../support/machine.h"
#include "../support/stepping.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct kern_opts units[] = {BF16_WAYS};

static double half(double x)
{
    return f32_from_bf16(bf16_from_f32((float)x));
}

/* Where what the prompt's or sequence i's own position j was put from begins. */
static const float *key_of(const struct stepping *f, size_t i, size_t j)
{
    const size_t row = 2 * f->s.G * f->s.D, prompts = PROMPTS * f->P;
    const size_t at =
        j < f->P ? i / CANDIDATES * f->P + j : prompts + i * f->own + j - f->P;

    return f->kv + at * row;
}

static int seen(const struct stepping *f, size_t i, size_t j)
{
    const size_t at = f->run[i].at;

    return j <= at && (!f->s.window || j + f->s.window > at);
}

/* Head h of sequence i in double, of operands rounded where the unit's are. */
static void by_hand(const struct stepping *f, size_t i, size_t h, double *out)
{
    const size_t D = f->s.D, g = h / (f->s.H / f->s.G), n = f->run[i].at + 1;
    const float *q = f->q + i * f->ld + h * D;
    double *e = calloc(n, sizeof *e), peak = -INFINITY, sum = 0;

    cr_assert_not_null(e);
    for (size_t j = 0; j < n; j++) {
        const float *k = key_of(f, i, j) + g * D;

        for (size_t d = 0; d < D; d++)
            e[j] += half(q[d]) * half(k[d]);
        e[j] *= f->s.scale;
        if (f->s.cap > 0)
            e[j] = f->s.cap * tanh(e[j] / f->s.cap);
        if (seen(f, i, j) && e[j] > peak)
            peak = e[j];
    }
    memset(out, 0, D * sizeof *out);
    for (size_t j = 0; j < n; j++) {
        const float *v = key_of(f, i, j) + f->s.G * D + g * D;
        const double p = seen(f, i, j) ? exp(e[j] - peak) : 0;

        sum += p;
        for (size_t d = 0; d < D; d++)
            out[d] += half(p) * half(v[d]);
    }
    for (size_t d = 0; d < D; d++)
        out[d] /= sum;
    free(e);
}

/* An exponential that lies at a tie of bfloat16's may be rounded the other way: by at most a 256th of
 * it.  Few do, so their mean is much nearer. */
static void check_by_hand(const struct stepping *f, const char *who)
{
    const size_t D = f->s.D;
    double *out = calloc(D, sizeof *out), worst = 0, all = 0;

    cr_assert_not_null(out);
    for (size_t i = 0; i < STEPPING; i++)
        for (size_t h = 0; h < f->s.H; h++) {
            by_hand(f, i, h, out);
            for (size_t d = 0; d < D; d++) {
                const double x = fabs(out[d] - f->out[i * f->ld + h * D + d]);

                worst = fmax(worst, x);
                all += x;
            }
        }
    cr_expect_lt(worst, 0x1p-8, "%s: %g", who, worst);
    cr_expect_lt(all / (double)(STEPPING * f->ld), 1e-5, "%s: %g", who,
                 all / (double)(STEPPING * f->ld));
    free(out);
}

TheoryDataPoints(attention_rounded, sums_of_rounded_operands) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6),
    DataPoints(size_t, 1, 3, 7),
    DataPoints(size_t, 2, 24, 64, 300),
    DataPoints(size_t, 0, 1, 70),
    DataPoints(size_t, 0, 50),
    DataPoints(float, 0.0f, 3.0f),
};
Theory((int unit, size_t share, size_t D, size_t P, size_t window, float cap),
       attention_rounded, sums_of_rounded_operands)
{
    const struct attn_shape s = {2 * share, 2, D, 0.2f, window, cap};
    struct machine m;
    struct stepping f;

    if (!machine_new(&m, 2, &units[unit]))
        return;
    stepping_new(&f, m.k, s, P, ATTN_HALVES);
    attn_forward(m.k, &s, f.run, STEPPING, f.ld, f.ld, NULL, f.scratch);
    check_by_hand(&f, kern_name(m.k));
    stepping_free(&f);
    machine_free(&m);
}

/* A bias is for vectors, also where there is a unit; and so are floats' places. */
Test(attention_rounded, not_all_goes_by_a_unit)
{
    const size_t S = 128;
    const struct attn_bias none = {zeros(2 * 2 * S), NULL, S, 1};
    const struct attn_shape s[] = {{2, 1, 24, 0.2f, .bias = &none}, {2, 1, 24, 0.2f}};
    struct machine m;
    struct stepping f;

    cr_assert(machine_new(
        &m, 1, &(struct kern_opts){.dtype = KERN_BF16, .unit = &emulated_avx512}));
    for (int i = 0; i < 2; i++) {
        stepping_new(&f, m.k, s[i], 30, i ? ATTN_ROUNDED : ATTN_HALVES);
        attn_forward(m.k, &s[i], f.run, STEPPING, f.ld, f.ld, NULL, f.scratch);
        check_by_hand(&f, i ? "rounded" : "bias");
        stepping_free(&f);
    }
    free(none.by_distance);
    machine_free(&m);
}
