/* The hashed counts against the obvious quadratic ones, and METHOD's worked examples. */
#include "base/rng.h"
#include "reward/ngram.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <string.h>

enum { MAXT = 300 };

static int32_t *draw(int32_t *x, size_t n, size_t vocab, uint32_t which)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (int32_t)(rng_uniform(3, which, 0, (uint32_t)i) * (double)vocab) - 2;
    return x;
}

static int same(const int32_t *a, const int32_t *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static size_t naive_distinct(unsigned char *mark, const int32_t *x, size_t T, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i + n <= T; i++) {
        size_t j = 0;

        while (j < i && !same(x + j, x + i, n))
            j++;
        count += j == i;
        if (j < i)
            memset(mark + i, 1, n);
    }
    return count;
}

static size_t naive_found(unsigned char *mark, const int32_t *x, size_t T,
                          const int32_t *h, size_t H, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i + n <= T; i++)
        for (size_t j = 0; j + n <= H; j++)
            if (same(h + j, x + i, n)) {
                memset(mark + i, 1, n);
                count++;
                break;
            }
    return count;
}

TheoryDataPoints(ngram, equals_naive) = {
    DataPoints(size_t, 0, 1, 2, 5, 64, MAXT),
    DataPoints(size_t, 1, 2, 3, 4, 7),
    DataPoints(size_t, 1, 2, 5, 1000),
};
Theory((size_t T, size_t n, size_t vocab), ngram, equals_naive)
{
    int32_t x[MAXT + 1], h[40];
    unsigned char mark[MAXT + 1] = {0}, want[MAXT + 1] = {0};
    struct ngram_table table = {0};
    struct ngram_count c;
    struct ngram_found f;
    struct err e = {0};

    draw(x, T, vocab, 1);
    for (size_t H = 0; H <= 40; H += 8) {
        draw(h, H, vocab, 2);
        const size_t m = n < H ? n : H;

        memset(mark, 0, sizeof mark);
        memset(want, 0, sizeof want);
        cr_assert_eq(ngram_contained(&f, mark, &table, x, T, h, H, n, &e), 0);
        cr_expect_eq(f.total, m && T >= m ? T - m + 1 : 0);
        cr_expect_eq(f.found, m ? naive_found(want, x, T, h, H, m) : 0);
        cr_expect_eq(memcmp(mark, want, sizeof mark), 0);
    }
    memset(mark, 0, sizeof mark);
    memset(want, 0, sizeof want);
    cr_assert_eq(ngram_count(&c, &table, x, T, n, &e), 0);
    cr_expect_eq(c.total, T >= n ? T - n + 1 : 0);
    cr_expect_eq(c.distinct, naive_distinct(want, x, T, n));
    cr_assert_eq(ngram_mark_repeats(mark, &table, x, T, n, &e), 0);
    cr_expect_eq(memcmp(mark, want, sizeof mark), 0);
    cr_expect(ngram_repetition(c) >= 0 && ngram_repetition(c) < 1);
    ngram_table_release(&table);
}

static double rep(const int32_t *x, size_t T, size_t n)
{
    struct ngram_table table = {0};
    struct ngram_count c;
    struct err e = {0};

    cr_assert_eq(ngram_count(&c, &table, x, T, n, &e), 0);
    ngram_table_release(&table);
    return ngram_repetition(c);
}

Test(ngram, worked_examples)
{
    const int32_t x[] = {7, 8, 9, 7, 8, 9, 7, 8, 9, 5}, h[] = {1, 7, 8, 9, 2, 3};
    const double want[] = {.6, 5.0 / 9, .5, 3.0 / 7};
    struct ngram_table table = {0};
    struct ngram_found f;
    struct err e = {0};

    for (size_t n = 1; n <= 4; n++)
        cr_expect_float_eq(rep(x, 10, n), want[n - 1], 1e-15);
    cr_assert_eq(ngram_contained(&f, NULL, &table, x, 10, h, 6, 2, &e), 0);
    cr_expect_float_eq(ngram_containment(f), 2.0 / 3, 1e-15);
    cr_assert_eq(ngram_contained(&f, NULL, &table, x, 10, h, 6, 3, &e), 0);
    cr_expect_float_eq(ngram_containment(f), .375, 1e-15);
    cr_expect_eq(rep((int32_t[]){1, 2, 3, 4}, 4, 2), 0);
    cr_expect_eq(rep((int32_t[]){5, 5, 5, 5, 5}, 5, 2), .75);
    ngram_table_release(&table);
}

Test(ngram, excess)
{
    cr_expect_eq(ngram_excess(.1, .15), 0);
    cr_expect_eq(ngram_excess(.15, .15), 0);
    cr_expect_eq(ngram_excess(1, .15), 1);
    cr_expect_float_eq(ngram_excess(.575, .15), .5, 1e-15);
}

/* A table that was large and is used for little must not see what it held. */
Test(ngram, table_is_emptied)
{
    int32_t x[MAXT];
    struct ngram_table table = {0};
    struct ngram_count c;
    struct err e = {0};

    draw(x, MAXT, 1000, 9);
    cr_assert_eq(ngram_count(&c, &table, x, MAXT, 3, &e), 0);
    cr_assert_eq(ngram_count(&c, &table, x, 5, 3, &e), 0);
    cr_expect_eq(c.distinct, 3);
    ngram_table_release(&table);
}
