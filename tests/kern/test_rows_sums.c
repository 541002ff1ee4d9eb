#include "kern/kern.h"

#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Sums over the rows of x (rows, n): of the numbers, and of their squares. */
struct matrix {
    const float *x;
    size_t n;
    atomic_size_t seen;
    int alone; /* nobody wants sums */
};

static void add_up(void *ctx, size_t from, size_t to, float *sum)
{
    struct matrix *m = ctx;

    atomic_fetch_add(&m->seen, to - from);
    cr_expect_eq(sum == NULL, m->alone);
    for (size_t r = from; sum && r < to; r++)
        for (size_t i = 0; i < m->n; i++) {
            const float x = m->x[r * m->n + i];

            sum[i] += x;
            sum[m->n + i] += x * x;
        }
}

static void sums_of(size_t threads, const float *x, size_t rows, size_t n, float *plain,
                    float *squares)
{
    struct machine m;
    struct matrix a = {.x = x, .n = n, .alone = !plain && !squares};

    cr_assert(machine_new(&m, threads, NULL));
    kern_rows_sums(m.k, rows, n, add_up, &a, &(struct kern_sums){{plain, squares}, n});
    cr_expect_eq(a.seen, rows, "each row once");
    machine_free(&m);
}

TheoryDataPoints(rows_sums, adds_what_rows_give) = {
    DataPoints(size_t, 0, 1, 7, 400),
    DataPoints(size_t, 1, 5, 64, 3000),
};
Theory((size_t rows, size_t n), rows_sums, adds_what_rows_give)
{
    float *x = normals(rows * n, 1), *plain = normals(n, 2), *squares = normals(n, 3);
    float *plain0 = normals(n, 2), *squares0 = normals(n, 3);

    sums_of(2, x, rows, n, plain, squares);
    for (size_t i = 0; i < n; i++) {
        double sum = 0, square = 0;

        for (size_t r = 0; r < rows; r++) {
            sum += (double)x[r * n + i];
            square += (double)x[r * n + i] * (double)x[r * n + i];
        }
        cr_expect_float_eq(plain[i], plain0[i] + sum, 1e-6 * (square + 1));
        cr_expect_float_eq(squares[i], squares0[i] + square, 1e-6 * (square + 1));
    }
    free(x);
    free(plain);
    free(squares);
    free(plain0);
    free(squares0);
}

/* Ranges are those of the shape: whoever adds up, and whatever else is wanted. */
Test(rows_sums, bits_are_the_shape_s)
{
    enum { ROWS = 777, WIDE = 96 };
    float *x = normals((size_t)ROWS * WIDE, 1);
    float a[2][WIDE] = {{0}}, b[2][WIDE] = {{0}}, c[WIDE] = {0};

    sums_of(1, x, ROWS, WIDE, a[0], a[1]);
    sums_of(3, x, ROWS, WIDE, b[0], b[1]);
    sums_of(2, x, ROWS, WIDE, NULL, c);
    sums_of(2, x, ROWS, WIDE, NULL, NULL);
    cr_expect_eq(memcmp(a, b, sizeof a), 0);
    cr_expect_eq(memcmp(a[1], c, sizeof c), 0);
    free(x);
}

/* As many columns as there may be: their sums fill the scratch. */
Test(rows_sums, widest)
{
    enum { ROWS = 3 };
    const size_t n = KERN_SUMS_MOST;
    float *x = normals(ROWS * n, 1), *plain = zeros(n), *squares = zeros(n);

    sums_of(2, x, ROWS, n, plain, squares);
    for (size_t i = 0; i < n; i += 1001)
        cr_expect_float_eq(plain[i], x[i] + x[n + i] + x[2 * n + i], 1e-5);
    free(x);
    free(plain);
    free(squares);
}
