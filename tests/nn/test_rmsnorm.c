#include "nn/rmsnorm.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct machine m;
    float *x, *w, *a, *y, *r;
    size_t N, C;
    struct rmsnorm p;
};

static struct fixture fixture(size_t threads, enum isa isa, size_t N, size_t C)
{
    struct fixture f = {.N = N, .C = C, .p = {1e-5f, 0}};

    if (!machine_new(&f.m, threads, &(struct kern_opts){.isa = isa}))
        return f;
    f.x = normals(N * C, 1);
    f.w = normals(C, 2);
    f.a = normals(N * C, 3);
    f.y = floats(N * C);
    f.r = floats(N);
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->x);
    free(f->w);
    free(f->a);
    free(f->y);
    free(f->r);
    machine_free(&f->m);
}

/* sum a y: its gradient with respect to y is a. */
static double loss(void *ctx)
{
    const struct fixture *f = ctx;

    rmsnorm_forward(f->m.k, f->y, NULL, f->x, f->w, f->N, f->C, f->p);
    return dot_double(f->a, f->y, f->N * f->C);
}

TheoryDataPoints(rmsnorm, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 3, 40),
    DataPoints(size_t, 1, 5, 16, 67),
    DataPoints(float, 0.0f, 1.0f),
};
Theory((int isa, size_t N, size_t C, float offset), rmsnorm, gradient)
{
    struct fixture f = fixture(2, (enum isa)isa, N, C);

    if (!f.m.k)
        return;
    float *dx = zeros(N * C), *dw = zeros(C);
    f.p.offset = offset;
    rmsnorm_forward(f.m.k, f.y, f.r, f.x, f.w, N, C, f.p);
    rmsnorm_backward(f.m.k, dx, dw, f.a, f.x, f.w, f.r, N, C, f.p);
    if (C > 1) /* of a single number only the sign is left: the slope is eps's */
        cr_expect_lt(gradcheck(f.x, dx, N * C, 1e-2f, loss, &f), 2e-3);
    cr_expect_lt(gradcheck(f.w, dw, C, 1e-2f, loss, &f), 1e-3);
    free(dx);
    free(dw);
    fixture_free(&f);
}

TheoryDataPoints(rmsnorm, value) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 3, 200),
    DataPoints(size_t, 1, 15, 16, 17, 577),
};
Theory((int isa, size_t N, size_t C), rmsnorm, value)
{
    struct fixture f = fixture(2, (enum isa)isa, N, C);

    if (!f.m.k)
        return;
    rmsnorm_forward(f.m.k, f.y, f.r, f.x, f.w, N, C, f.p);
    for (size_t n = 0; n < N; n++) {
        const float *x = f.x + n * C;
        double ss = 0;

        for (size_t i = 0; i < C; i++)
            ss += (double)x[i] * x[i];
        const double r = 1 / sqrt(ss / (double)C + 1e-5f);
        cr_expect_float_eq(f.r[n], r, 1e-6 * r);
        for (size_t i = 0; i < C; i++) {
            const double y = x[i] * r * f.w[i];

            cr_expect_float_eq(f.y[n * C + i], y, 4e-7 * fabs(y));
        }
    }
    fixture_free(&f);
}

/* A row's bits do not depend on its place, the number of rows, or threads. */
Test(rmsnorm, rows_are_independent)
{
    enum { ROWS = 300, C = 67 };
    struct fixture f = fixture(2, ISA_AUTO, ROWS, C);
    float y[C];

    rmsnorm_forward(f.m.k, f.y, f.r, f.x, f.w, ROWS, C, f.p);
    for (size_t n = 0; n < ROWS; n++) {
        rmsnorm_forward(f.m.k, y, NULL, f.x + n * C, f.w, 1, C, f.p);
        cr_expect_eq(memcmp(y, f.y + n * C, sizeof y), 0, "row %zu", n);
    }
    fixture_free(&f);
}

Test(rmsnorm, backward_accumulates_and_ignores_threads)
{
    enum { ROWS = 300, C = 67 };
    struct fixture one = fixture(1, ISA_AUTO, ROWS, C),
                   two = fixture(2, ISA_AUTO, ROWS, C);
    float *dx = zeros(ROWS * C), *dw = zeros(C), *ex = zeros(ROWS * C), *ew = zeros(C);

    rmsnorm_forward(one.m.k, one.y, one.r, one.x, one.w, ROWS, C, one.p);
    rmsnorm_backward(one.m.k, dx, dw, one.a, one.x, one.w, one.r, ROWS, C, one.p);
    rmsnorm_backward(two.m.k, ex, ew, one.a, one.x, one.w, one.r, ROWS, C, one.p);
    cr_expect_eq(memcmp(dx, ex, ROWS * C * sizeof *dx), 0);
    cr_expect_eq(memcmp(dw, ew, C * sizeof *dw), 0);
    rmsnorm_backward(two.m.k, ex, ew, one.a, one.x, one.w, one.r, ROWS, C, one.p);
    for (size_t i = 0; i < C; i++) {
        cr_expect_float_eq(ew[i], 2 * dw[i], 1e-5 * fabs(dw[i]) + 1e-6);
        cr_expect_float_eq(ex[i], 2 * dx[i], 1e-5 * fabs(dx[i]) + 1e-6);
    }
    free(dx);
    free(dw);
    free(ex);
    free(ew);
    fixture_free(&one);
    fixture_free(&two);
}
