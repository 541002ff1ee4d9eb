/*
 * Buckets of relative positions: where each begins, from transformers' T5.
 */
#include "nn/relative.h"

#include <criterion/criterion.h>

enum { S = 1024, MOST = 32 };

static const struct {
    size_t n, max;
    enum relative_side side;
    size_t used;        /* buckets for keys behind the query */
    size_t first[MOST]; /* the nearest distance in each */
} cases[] = {
    {32,
     128,
     RELATIVE_BOTH,
     16,
     {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91}},
    {32, 128, RELATIVE_BEHIND, 32, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                    11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31,
                                    35, 40, 46, 52, 59, 67, 77, 87, 99, 113}},
    {8, 20, RELATIVE_BOTH, 4, {0, 1, 2, 7}},
    {8, 20, RELATIVE_BEHIND, 8, {0, 1, 2, 3, 4, 6, 9, 14}},
    {64, 512, RELATIVE_BOTH, 32, {0,  1,  2,  3,   4,   5,   6,   7,   8,   9,  10,
                                  11, 12, 13, 14,  15,  16,  20,  25,  31,  39, 48,
                                  59, 73, 91, 113, 140, 174, 216, 268, 332, 413}},
    {6, 7, RELATIVE_BOTH, 3, {0, 1, 3}},
    {6, 7, RELATIVE_BEHIND, 6, {0, 1, 2, 3, 4, 6}},
};

Test(relative, buckets)
{
    static uint16_t bucket[2 * S];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int both = cases[i].side == RELATIVE_BOTH;
        size_t b = 0;

        relative_buckets(bucket, S, cases[i].n, cases[i].max, cases[i].side);
        for (size_t d = 0; d < S; d++) {
            if (b + 1 < cases[i].used && d == cases[i].first[b + 1])
                b++;
            cr_expect_eq(bucket[S - d], b, "case %zu: %zu behind is in %d", i, d,
                         bucket[S - d]);
            if (d > 0)
                cr_expect_eq(bucket[S + d], both ? cases[i].n / 2 + b : 0,
                             "case %zu: %zu ahead is in %d", i, d, bucket[S + d]);
        }
    }
}

Test(relative, a_gradient_goes_where_the_bias_came_from)
{
    enum { N = 8, H = 3, NEAR = 5 };
    uint16_t bucket[2 * NEAR];
    float table[N * H], by[H * 2 * NEAR], dbias[2 * H * N] = {0}, d[N * H] = {0};

    for (size_t i = 0; i < N * H; i++)
        table[i] = (float)i;
    relative_buckets(bucket, NEAR, N, 20, RELATIVE_BOTH);
    relative_expand(by, table, bucket, NEAR, H);
    cr_expect_eq(by[1 * 2 * NEAR + NEAR], table[0 * H + 1]);     /* itself */
    cr_expect_eq(by[2 * 2 * NEAR + NEAR - 1], table[1 * H + 2]); /* one behind */
    cr_expect_eq(by[0 * 2 * NEAR + NEAR + 2], table[6 * H + 0]); /* two ahead */
    dbias[(0 * H + 2) * N + 5] = 2;
    dbias[(1 * H + 2) * N + 5] = 3;
    relative_backward(d, dbias, 2, N, H);
    for (size_t i = 0; i < N * H; i++)
        cr_expect_eq(d[i], i == 5 * H + 2 ? 5 : 0);
}
