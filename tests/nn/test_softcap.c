#include "nn/softcap.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct machine m;
    float *x, *a, *y;
    size_t N, V;
    float cap;
};

static int fixture_new(struct fixture *f, enum isa isa, size_t N, size_t V, float cap)
{
    *f = (struct fixture){.N = N, .V = V, .cap = cap};
    if (!machine_new(&f->m, 2, &(struct kern_opts){.isa = isa}))
        return 0;
    f->x = normals(N * V, 1);
    f->a = normals(N * V, 2);
    f->y = floats(N * V);
    return 1;
}

static void fixture_free(struct fixture *f)
{
    free(f->x);
    free(f->a);
    free(f->y);
    machine_free(&f->m);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;

    memcpy(f->y, f->x, f->N * f->V * sizeof *f->y);
    softcap_forward(f->m.k, f->y, f->N, f->V, f->cap);
    return dot_double(f->a, f->y, f->N * f->V);
}

TheoryDataPoints(softcap, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 3),
    DataPoints(size_t, 1, 16, 37),
    DataPoints(float, 0.5f, 2.0f, 30.0f),
};
Theory((int isa, size_t N, size_t V, float cap), softcap, gradient)
{
    struct fixture f;

    if (!fixture_new(&f, (enum isa)isa, N, V, cap))
        return;
    float *dx = floats(N * V);
    memcpy(dx, f.a, N * V * sizeof *dx);
    loss(&f);
    softcap_backward(f.m.k, dx, f.y, N, V, cap);
    cr_expect_lt(gradcheck(f.x, dx, N * V, 1e-2f, loss, &f), 1e-3);
    free(dx);
    fixture_free(&f);
}

/* From the subnormal to the saturated, both signs, within 4 ulp. */
TheoryDataPoints(softcap, value) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(float, 1.0f, 50.0f),
};
Theory((int isa, float cap), softcap, value)
{
    enum { POINTS = 4000 };
    struct fixture f;

    if (!fixture_new(&f, (enum isa)isa, 1, POINTS, cap))
        return;
    for (int i = 0; i < POINTS; i++)
        f.x[i] = (i % 2 ? -1.0f : 1.0f) * (float)pow(10, -40 + 44.0 * i / POINTS);
    loss(&f);
    for (int i = 0; i < POINTS; i++) {
        const double want = cap * tanh((double)f.x[i] / cap);

        cr_expect_float_eq(f.y[i], want, 4.8e-7 * fabs(want) + 1e-38, "%g: %g, not %g",
                           f.x[i], f.y[i], want);
        cr_expect_leq(fabsf(f.y[i]), cap);
    }
    fixture_free(&f);
}

Test(softcap, not_a_number_stays_so)
{
    struct fixture f;

    cr_assert(fixture_new(&f, ISA_AUTO, 1, 20, 30));
    f.x[3] = NAN;
    f.x[4] = INFINITY;
    loss(&f);
    cr_expect(isnan(f.y[3]));
    cr_expect_eq(f.y[4], 30);
    fixture_free(&f);
}
