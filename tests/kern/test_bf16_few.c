/*
 * Products of a few rows as they are (struct bf16_few): in the order of the instruction, of the rows
 * and columns asked for and no others, in software and by the processor.
 */
#include "kern/bf16.h"

#include "../support/bf16_emulated.h"
#include "../support/machine.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows and strips lie further apart than they are long. */
enum { APART = 3 };

struct few {
    struct bf16_few p;
    uint32_t *a, *b;
    float *c, *was;
    size_t strips, floats;
};

/* Words of normal numbers. */
static uint32_t *words(size_t n, uint64_t seed)
{
    float *x = normals(2 * n, seed);
    uint32_t *w = malloc((n ? n : 1) * sizeof *w);

    cr_assert_not_null(w);
    for (size_t i = 0; i < n; i++)
        w[i] = bf16_from_f32(x[2 * i]) | (uint32_t)bf16_from_f32(x[2 * i + 1]) << 16;
    free(x);
    return w;
}

static void few_new(struct few *f, size_t M, size_t strips, size_t pairs, int add)
{
    const size_t lda = pairs + APART, apart = (pairs + APART) * BF16_STRIP;
    const size_t ldc = strips * BF16_STRIP + APART;

    *f = (struct few){.strips = strips, .floats = (M - 1) * ldc + strips * BF16_STRIP};
    f->a = words((M - 1) * lda + pairs, 1); /* no more than is read: for asan */
    f->b = words((strips - 1) * apart + pairs * BF16_STRIP, 2);
    f->c = normals(f->floats, 3);
    f->was = normals(f->floats, 3);
    f->p = (struct bf16_few){.c = f->c,
                             .a = f->a,
                             .b = f->b,
                             .ldc = ldc,
                             .lda = lda,
                             .apart = apart,
                             .M = M,
                             .N = strips * BF16_STRIP,
                             .pairs = pairs,
                             .add = add};
}

static void few_free(struct few *f)
{
    free(f->a);
    free(f->b);
    free(f->c);
    free(f->was);
}

static float half(uint32_t w, int upper)
{
    return f32_from_bf16((uint16_t)(upper ? w >> 16 : w));
}

/* By the manual: of each pair the second first. */
static float element(const struct few *f, size_t m, size_t n)
{
    float sum = f->p.add ? f->was[m * f->p.ldc + n] : 0;

    for (size_t k = 0; k < f->p.pairs; k++) {
        const uint32_t a = f->a[m * f->p.lda + k];
        const uint32_t b =
            f->b[n / BF16_STRIP * f->p.apart + k * BF16_STRIP + n % BF16_STRIP];

        sum = fmaf(half(a, 1), half(b, 1), sum);
        sum = fmaf(half(a, 0), half(b, 0), sum);
    }
    return sum;
}

/* Each element within `near` of the manual's; what lies between rows is left alone. */
static void check(const struct few *f, const char *who, float near)
{
    for (size_t i = 0; i < f->floats; i++) {
        const size_t m = i / f->p.ldc, n = i % f->p.ldc;

        if (n >= f->p.N)
            cr_assert_eq(f->c[i], f->was[i], "%s: %zu, %zu", who, m, n);
        else
            cr_assert_float_eq(f->c[i], element(f, m, n), near,
                               "%s: %zu x %zu, %zu pairs: %zu, %zu", who, f->p.M,
                               f->p.N, f->p.pairs, m, n);
    }
}

TheoryDataPoints(bf16_few, sums_of_rows_as_they_are) = {
    DataPoints(size_t, 1, 2, 3, 4, 5, 6),
    DataPoints(size_t, 1, 2, 3, 4, 5, 7, 8, 11),
    DataPoints(size_t, 0, 1, 8, 33),
    DataPoints(int, 0, 1),
};
Theory((size_t M, size_t strips, size_t pairs, int add), bf16_few,
       sums_of_rows_as_they_are)
{
    const struct bf16_unit *const soft[] = {&emulated_avx512, &emulated_amx};
    struct few f;

    for (size_t i = 0; i < 2; i++) {
        few_new(&f, M, strips, pairs, add);
        soft[i]->few(&f.p);
        check(&f, soft[i]->name, 0);
        few_free(&f);
    }
    for (int isa = ISA_AVX512_BF16; isa < ISA_COUNT; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        few_new(&f, M, strips, pairs, add);
        bf16_unit_of((enum isa)isa)->few(&f.p);
        check(&f, isa_name((enum isa)isa), 60 * sqrtf((float)pairs + 1) * 0x1p-23f);
        few_free(&f);
    }
}

/* A row's bits are its own: alone, or with others, and by itself or behind other strips. */
Test(bf16_few, rows_and_strips_do_not_meet)
{
    const struct bf16_unit *unit =
        isa_has(ISA_AVX512_BF16) ? bf16_unit_of(ISA_AVX512_BF16) : &emulated_avx512;
    struct few f;

    few_new(&f, BF16_FEW, 11, 33, 0);
    unit->few(&f.p);
    for (size_t m = 0; m < BF16_FEW; m++)
        for (size_t v = 0; v < f.strips; v++) {
            float c[BF16_STRIP];
            struct bf16_few p = f.p;

            p.c = c;
            p.a += m * p.lda;
            p.b += v * p.apart;
            p.M = 1;
            p.N = BF16_STRIP;
            unit->few(&p);
            cr_expect_eq(memcmp(c, f.c + m * f.p.ldc + v * BF16_STRIP, sizeof c), 0);
        }
    few_free(&f);
}
