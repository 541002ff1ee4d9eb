/* A unit's operands put in order: the same words from every set's loops, but that AVX512_BF16's
 * rounding, in software and by the processor, makes 0 of numbers below 2^-126. */
#include "kern/bf16.h"

#include "../support/bf16_emulated.h"
#include "../support/machine.h"
#include "kern/bf16_simd.h"
#include "tensor/dims.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = BF16_STEP / 2 };

/* Whose loops; NULL: not here.  The words of the plain ones are what all are compared with. */
enum who { EMULATED, BF16, AVX512, AVX2, PLAIN };

static const struct bf16_order *order(int who)
{
    switch (who) {
#if ISA_BF16
    case BF16: return isa_has(ISA_AVX512_BF16) ? &bf16_avx512_order : NULL;
#endif
#if ISA_X86
    case AVX512: return isa_has(ISA_AVX512) ? &bf16_order_avx512 : NULL;
    case AVX2: return isa_has(ISA_AVX2) ? &bf16_order_avx2 : NULL;
#endif
    case PLAIN: return &bf16_order_plain;
    default: return who == EMULATED ? &emulated_order : NULL;
    }
}

/* Numbers of all sizes but the smallest, ties, infinities and NaN. */
static float *numbers(size_t n)
{
    static const float odd[] = {INFINITY, -INFINITY,  NAN,         0.0f,
                                -0.0f,    0x1.01p0f,  0x1.03p0f,   3.4e38f,
                                1e-37f,   -0x1p-126f, 0x1.fffp127f};
    float *x = normals(n, 3);

    for (size_t i = 0; i < n; i++)
        x[i] = i % 7 ? ldexpf(x[i], (int)(i % 90) - 45) : odd[i / 7 % 11];
    return x;
}

static uint32_t *blank(size_t n)
{
    uint32_t *w = malloc(n * sizeof *w);

    cr_assert_not_null(w);
    memset(w, 0xa5, n * sizeof *w);
    return w;
}

static void expect_same(const uint32_t *a, const uint32_t *b, size_t n,
                        const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(a[i], b[i], "%s: word %zu: %08x, not %08x", what, i, a[i], b[i]);
}

/* h (rows, n), rows ldh apart, beginning `off` halves behind a line. */
TheoryDataPoints(bf16_order, halves) = {
    DataPoints(int, EMULATED, BF16, AVX512, AVX2),
    DataPoints(size_t, 0, 1, 15, 31, 32, 33, 95, 160),
    DataPoints(size_t, 160, 192, 193),
    DataPoints(size_t, 0, 3),
};
Theory((int who, size_t n, size_t ldh, size_t off), bf16_order, halves)
{
    enum { ROWS = 3 };
    const size_t words = (off + ROWS * ldh) / 2 + 1;
    float *x = numbers(ROWS * (n + 5)), *a = floats(words), *b = floats(words);

    memset(a, 0xa5, words * sizeof *a);
    memset(b, 0xa5, words * sizeof *b);
    if (order(who)) {
        order(who)->past((uint16_t *)(void *)a + off, ldh, x, n + 5, ROWS, n);
        for (size_t r = 0; r < ROWS; r++)
            bf16_order_plain.past((uint16_t *)(void *)b + off + r * ldh, 1,
                                  x + r * (n + 5), 1, 1, n);
        expect_same((void *)a, (void *)b, words, "halves");
    }
    free(b);
    free(a);
    free(x);
}

/* What is narrowed and widened again is what was rounded. */
TheoryDataPoints(bf16_order, there_and_back) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 2, 15, 31, 32, 33, 95, 160),
};
Theory((int isa, size_t n), bf16_order, there_and_back)
{
    float *x = numbers(n + 1), *y = numbers(n + 1), *z = numbers(n + 1);
    uint32_t *h = blank(n / 2 + 1);

    if (isa_has((enum isa)isa)) {
        bf16_narrow((enum isa)isa, (void *)h, n, x, n, 1, n);
        bf16_widen((enum isa)isa, y, (void *)h, n);
        bf16_round((enum isa)isa, z, x, n);
        cr_expect_eq(memcmp(y, z, (n + 1) * sizeof *y), 0, "%zu", n);
    }
    free(h);
    free(z);
    free(y);
    free(x);
}

TheoryDataPoints(bf16_order, rows_in_pieces) = {
    DataPoints(int, EMULATED, BF16, AVX512, AVX2),
    DataPoints(size_t, 1, 3, 16),
    DataPoints(size_t, 1, 2, 31, 32, 33, 95, 160),
};
Theory((int who, size_t rows, size_t n), bf16_order, rows_in_pieces)
{
    enum { STEP = 40 + 15 * PAIRS };
    const size_t words = ceil_div(n, BF16_STEP) * STEP, ld = n + 3;
    float *x = numbers(rows * ld);
    uint32_t *a = blank(words), *b = blank(words);

    if (order(who)) {
        order(who)->left(a, STEP, x, ld, rows, n);
        bf16_order_plain.left(b, STEP, x, ld, rows, n);
        expect_same(a, b, words, "left");
    }
    free(b);
    free(a);
    free(x);
}

TheoryDataPoints(bf16_order, rows_below_each_other) = {
    DataPoints(int, EMULATED, BF16, AVX512, AVX2),
    DataPoints(size_t, 1, 2, 7, 8),
    DataPoints(size_t, 1, 15, 16, 17, 32, 33, 50, 70),
};
Theory((int who, size_t rows, size_t n), bf16_order, rows_below_each_other)
{
    enum { LD = 73, APART = 140 };
    const size_t words = ceil_div(n, BF16_BAND) * APART;
    float *x = numbers(rows * LD);
    uint32_t *a = blank(words), *b = blank(words);

    if (order(who)) {
        order(who)->across(a, APART, x, LD, rows, n);
        bf16_order_plain.across(b, APART, x, LD, rows, n);
        expect_same(a, b, words, "across");
    }
    free(b);
    free(a);
    free(x);
}

/* Each word in its place: they count up. */
TheoryDataPoints(bf16_order, words_change_sides) = {
    DataPoints(int, EMULATED, BF16, AVX512, AVX2, PLAIN),
};
Theory((int who), bf16_order, words_change_sides)
{
    enum { LDV = 18, LDW = 21 };
    uint32_t v[PAIRS * LDV], *w = blank(PAIRS * LDW);

    for (size_t i = 0; i < PAIRS * LDV; i++)
        v[i] = (uint32_t)i;
    if (order(who)) {
        order(who)->turn(w, LDW, v, LDV);
        for (size_t r = 0; r < PAIRS; r++)
            for (size_t c = 0; c < LDW; c++)
                cr_assert_eq(w[r * LDW + c], c < PAIRS ? c * LDV + r : 0xa5a5a5a5u);
    }
    free(w);
}

TheoryDataPoints(bf16_order, strips_from_rows) = {
    DataPoints(int, EMULATED, BF16, AVX512, AVX2),
    DataPoints(size_t, 1, 9, 16),
    DataPoints(size_t, 1, 31, 32, 33, 130, 192),
};
Theory((int who, size_t wide, size_t K), bf16_order, strips_from_rows)
{
    const size_t band = bf16_band_words(K), ld = K + 3;
    float *W = numbers(wide * ld);
    uint32_t *a = blank(band), *b = blank(BF16_WIDTH / BF16_BAND * band);

    if (order(who)) {
        order(who)->rows(a, W, ld, wide, K);
        order(who)->rows(a + BF16_STRIP, W, ld, 0, K);
        bf16_panels_from_rows(ISA_PLAIN, b, W, ld, wide, K);
        expect_same(a, b, band, "band");
    }
    free(b);
    free(a);
    free(W);
}

/* The one difference. */
TheoryDataPoints(bf16_order,
                 smallest_numbers_become_0) = {DataPoints(int, EMULATED, BF16)};
Theory((int who), bf16_order, smallest_numbers_become_0)
{
    float x[BF16_STEP] = {0x1p-127f, -0x1p-130f, 0x1p-126f};
    uint32_t w[PAIRS];

    if (!order(who))
        return;
    order(who)->left(w, PAIRS, x, BF16_STEP, 1, BF16_STEP);
    cr_expect_eq(w[0], 0x80000000u);
    cr_expect_eq(w[1], 0x0080u);
}
