#include "nn/layernorm.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float eps = 1e-5f;

struct fixture {
    struct machine machine;
    float *x, *w, *b, *a, *y, *m, *r;
    size_t N, C;
};

static struct fixture fixture(size_t threads, enum isa isa, size_t N, size_t C)
{
    struct fixture f = {.N = N, .C = C};

    if (!machine_new(&f.machine, threads, &(struct kern_opts){.isa = isa}))
        return f;
    f.x = normals(N * C, 1);
    f.w = normals(C, 2);
    f.b = normals(C, 4);
    f.a = normals(N * C, 3);
    f.y = floats(N * C);
    f.m = floats(N);
    f.r = floats(N);
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->x);
    free(f->w);
    free(f->b);
    free(f->a);
    free(f->y);
    free(f->m);
    free(f->r);
    machine_free(&f->machine);
}

static void forward(struct fixture *f, float *y, const float *b)
{
    layernorm_forward(f->machine.k, y, f->m, f->r, f->x, f->w, b, f->N, f->C, eps);
}

/* sum a y: its gradient with respect to y is a. */
static double loss(void *ctx)
{
    struct fixture *f = ctx;

    layernorm_forward(f->machine.k, f->y, NULL, NULL, f->x, f->w, f->b, f->N, f->C,
                      eps);
    return dot_double(f->a, f->y, f->N * f->C);
}

TheoryDataPoints(layernorm, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 3, 40),
    DataPoints(size_t, 5, 16, 67),
};
Theory((int isa, size_t N, size_t C), layernorm, gradient)
{
    struct fixture f = fixture(2, (enum isa)isa, N, C);

    if (!f.machine.k)
        return;
    float *dx = zeros(N * C), *dw = zeros(C), *db = zeros(C);
    forward(&f, f.y, f.b);
    layernorm_backward(f.machine.k, dx, dw, db, f.a, f.x, f.w, f.m, f.r, N, C);
    cr_expect_lt(gradcheck(f.x, dx, N * C, 1e-2f, loss, &f), 2e-3);
    cr_expect_lt(gradcheck(f.w, dw, C, 1e-2f, loss, &f), 1e-3);
    cr_expect_lt(gradcheck(f.b, db, C, 1e-2f, loss, &f), 1e-3);
    free(dx);
    free(dw);
    free(db);
    fixture_free(&f);
}

/* A mean far from 0 must not cost the variance its digits. */
TheoryDataPoints(layernorm, value) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3, 200),
    DataPoints(size_t, 1, 15, 16, 17, 577),
    DataPoints(float, 0.0f, 1000.0f),
};
Theory((int isa, size_t N, size_t C, float mean), layernorm, value)
{
    struct fixture f = fixture(2, (enum isa)isa, N, C);

    if (!f.machine.k)
        return;
    for (size_t i = 0; i < N * C; i++)
        f.x[i] += mean;
    forward(&f, f.y, f.b);
    for (size_t n = 0; n < N; n++) {
        const float *x = f.x + n * C;
        double m = 0, v = 0;

        for (size_t i = 0; i < C; i++)
            m += x[i];
        m /= (double)C;
        for (size_t i = 0; i < C; i++)
            v += (x[i] - m) * (x[i] - m);
        const double r = 1 / sqrt(v / (double)C + eps);
        cr_expect_float_eq(f.r[n], r, 1e-6 * r);
        for (size_t i = 0; i < C; i++) {
            const double off = (fabs(m) * 6e-8 * r + 1e-6) * fabs(f.w[i]) + 1e-6;

            cr_expect_float_eq(f.y[n * C + i], (x[i] - m) * r * f.w[i] + f.b[i],
                               off * 4);
        }
    }
    fixture_free(&f);
}

Test(layernorm, no_bias_is_a_bias_of_zero)
{
    struct fixture f = fixture(1, ISA_AUTO, 3, 21);
    float *y = floats(3 * 21);

    memset(f.b, 0, 21 * sizeof *f.b);
    forward(&f, f.y, f.b);
    forward(&f, y, NULL);
    for (size_t i = 0; i < 3 * 21; i++)
        cr_expect_eq(y[i], f.y[i]);
    free(y);
    fixture_free(&f);
}

/* A row's bits do not depend on its place, the number of rows, or threads. */
Test(layernorm, rows_are_independent)
{
    enum { ROWS = 300, C = 67 };
    struct fixture f = fixture(2, ISA_AUTO, ROWS, C);
    float y[C];

    forward(&f, f.y, f.b);
    for (size_t n = 0; n < ROWS; n++) {
        layernorm_forward(f.machine.k, y, NULL, NULL, f.x + n * C, f.w, f.b, 1, C, eps);
        cr_expect_eq(memcmp(y, f.y + n * C, sizeof y), 0, "row %zu", n);
    }
    fixture_free(&f);
}

Test(layernorm, backward_ignores_threads)
{
    enum { ROWS = 300, C = 67 };
    struct fixture one = fixture(1, ISA_AUTO, ROWS, C),
                   two = fixture(2, ISA_AUTO, ROWS, C);
    float *d1 = zeros(ROWS * C + 2 * C), *d2 = zeros(ROWS * C + 2 * C);

    forward(&one, one.y, one.b);
    layernorm_backward(one.machine.k, d1 + 2 * C, d1, d1 + C, one.a, one.x, one.w,
                       one.m, one.r, ROWS, C);
    layernorm_backward(two.machine.k, d2 + 2 * C, d2, d2 + C, one.a, one.x, one.w,
                       one.m, one.r, ROWS, C);
    cr_expect_eq(memcmp(d1, d2, (ROWS * C + 2 * C) * sizeof *d1), 0);
    free(d1);
    free(d2);
    fixture_free(&one);
    fixture_free(&two);
}
