#include "nn/rmsnorm.h"

#include "../support/bf16_emulated.h"
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

/* What is put in order are the numbers of rmsnorm_forward, in each order, and by rows alone. */
TheoryDataPoints(rmsnorm, in_order) = {
    DataPoints(int, 0, 1),
    DataPoints(size_t, 1, 16, 33, 150),
    DataPoints(size_t, 64, 320),
};
Theory((int alone, size_t N, size_t C), rmsnorm, in_order)
{
    static const struct kern_opts unit = {.dtype = KERN_BF16, .unit = &emulated_avx512};
    const size_t n = ordered_bytes(N, C) / sizeof(float);
    struct fixture f = fixture(1, ISA_AUTO, N, C);
    struct machine m;
    float *words[6], *r = floats(N);

    cr_assert(machine_new(&m, 2, &unit));
    for (size_t i = 0; i < 6; i++)
        words[i] = zeros(n);
    const struct ordered a = {N, C, (void *)words[0], alone ? NULL : (void *)words[1],
                              alone ? NULL : (void *)words[2]};
    const struct ordered b = {N, C, (void *)words[3], alone ? NULL : (void *)words[4],
                              alone ? NULL : (void *)words[5]};
    rmsnorm_forward(m.k, f.y, f.r, f.x, f.w, N, C, f.p);
    ordered_put(&a, m.k, f.y, C, 0, N, 0, C);
    rmsnorm_ordered(m.k, &b, r, f.x, f.w, f.p);
    cr_expect_eq(memcmp(r, f.r, N * sizeof *r), 0);
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(memcmp(words[i], words[3 + i], n * sizeof **words), 0,
                     "%zu x %zu, order %zu", N, C, i);
    rmsnorm_ordered(m.k, &b, NULL, f.x, f.w, f.p); /* r is not wanted */
    cr_expect_eq(memcmp(words[0], words[3], n * sizeof **words), 0);
    for (size_t i = 0; i < 6; i++)
        free(words[i]);
    free(r);
    machine_free(&m);
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

/* ---- heads side by side ------------------------------------------------------------ */

struct heads {
    struct machine m;
    float *x, *w, *a, *y, *r;
    size_t N, H, C, ldx, ldy;
};

static double heads_loss(void *ctx)
{
    const struct heads *f = ctx;

    rmsnorm_heads_forward(f->m.k, f->y, f->ldy, f->r, f->x, f->ldx, f->w, f->N, f->H,
                          f->C, (struct rmsnorm){1e-5f, 1});
    double sum = 0;
    for (size_t n = 0; n < f->N; n++)
        sum += dot_double(f->a + n * f->ldy, f->y + n * f->ldy, f->H * f->C);
    return sum;
}

TheoryDataPoints(rmsnorm, heads) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 9),
    DataPoints(size_t, 1, 3),
    DataPoints(size_t, 6, 16, 37),
};
Theory((int isa, size_t N, size_t H, size_t C), rmsnorm, heads)
{
    struct heads f = {.N = N, .H = H, .C = C, .ldx = H * C + 5, .ldy = H * C + 3};

    if (!machine_new(&f.m, 2, &(struct kern_opts){.isa = (enum isa)isa}))
        return;
    f.x = normals(N * f.ldx, 1);
    f.w = normals(C, 2);
    f.a = normals(N * f.ldy, 3);
    f.y = zeros(N * f.ldy);
    f.r = floats(N * H);
    float *d = floats(N * f.ldy), *dw = zeros(C), *dx = zeros(N * f.ldx), y[37];

    heads_loss(&f);
    for (size_t i = 0; i < N * H; i++) { /* each is a row of its own */
        const size_t n = i / H, h = i % H;

        rmsnorm_forward(f.m.k, y, NULL, f.x + n * f.ldx + h * C, f.w, 1, C,
                        (struct rmsnorm){1e-5f, 1});
        cr_expect_eq(memcmp(y, f.y + n * f.ldy + h * C, C * sizeof *y), 0);
    }
    memcpy(d, f.a, N * f.ldy * sizeof *d);
    rmsnorm_heads_backward(f.m.k, d, f.ldy, dw, f.x, f.ldx, f.w, f.r, N, H, C,
                           (struct rmsnorm){1e-5f, 1});
    for (size_t n = 0; n < N; n++) {
        memcpy(dx + n * f.ldx, d + n * f.ldy, H * C * sizeof *dx);
        /* what lies behind the heads stays */
        cr_expect_eq(
            memcmp(d + n * f.ldy + H * C, f.a + n * f.ldy + H * C, 3 * sizeof *d), 0);
    }
    cr_expect_lt(gradcheck(f.x, dx, N * f.ldx, 1e-2f, heads_loss, &f), 2e-3);
    cr_expect_lt(gradcheck(f.w, dw, C, 1e-2f, heads_loss, &f), 1e-3);
    free(f.x);
    free(f.w);
    free(f.a);
    free(f.y);
    free(f.r);
    free(d);
    free(dw);
    free(dx);
    machine_free(&f.m);
}
