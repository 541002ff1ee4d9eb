#include "nn/act.h"

#include "../support/act_case.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double loss(void *ctx)
{
    struct act_case *f = ctx;

    act_forward(f->m.k, f->y, f->x, f->N, f->F, f->act);
    return dot_double(f->a, f->y, f->N * f->F);
}

TheoryDataPoints(act, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 7),
    DataPoints(size_t, 1, 16, 43),
    DataPoints(int, ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_RELU),
};
Theory((int isa, size_t N, size_t F, int act), act, gradient)
{
    struct act_case f = act_case((enum isa)isa, N, F, 1, (enum act)act);

    if (!f.m.k)
        return;
    float *dx = normals(N * F, 5); /* overwritten */

    act_backward(f.m.k, dx, f.a, f.x, N, F, f.act);
    cr_expect_lt(gradcheck(f.x, dx, N * F, 3e-2f, loss, &f), 1e-3);
    free(dx);
    act_case_free(&f);
}

/* The functions in double. */
static double exact(double x, enum act act)
{
    switch (act) {
    case ACT_GELU: return x * 0.5 * erfc(-x / sqrt(2));
    case ACT_GELU_TANH:
        return 0.5 * x *
               (1 +
                tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case ACT_SILU: return x / (1 + exp(-x));
    case ACT_RELU: break;
    }
    return x > 0 ? x : 0;
}

TheoryDataPoints(act, gelu_keeps_its_tail) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
};
Theory((int isa), act, gelu_keeps_its_tail)
{
    enum { N = 9001 };
    struct machine m;
    float *x = floats(N), *y = floats(N);

    if (machine_new(&m, 1, &(struct kern_opts){.isa = (enum isa)isa})) {
        for (int i = 0; i < N; i++)
            x[i] = -(float)i / 1000; /* -9 .. 0, where gelu is -1e-18 */
        act_forward(m.k, y, x, 1, N, ACT_GELU);
        for (int i = 0; i < N; i++) {
            const double want = exact(x[i], ACT_GELU);

            cr_expect_float_eq(y[i], want, 4e-6 * fabs(want), "%g", (double)x[i]);
        }
    }
    machine_free(&m);
    free(x);
    free(y);
}

TheoryDataPoints(act, value) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(int, ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_RELU),
};
Theory((int isa, int act), act, value)
{
    enum { N = 4001 };
    struct machine m;
    float *x = floats(N), *y = floats(N);

    if (machine_new(&m, 1, &(struct kern_opts){.isa = (enum isa)isa})) {
        for (int i = 0; i < N; i++)
            x[i] = (float)(i - N / 2) / 100; /* -20 .. 20 */
        act_forward(m.k, y, x, 1, N, (enum act)act);
        for (int i = 0; i < N; i++) {
            const double want = exact(x[i], (enum act)act);

            cr_expect_float_eq(y[i], want, 4e-6 * fabs(want) + 1e-7, "%d(%g)", act,
                               (double)x[i]);
        }
        x[0] = NAN;
        x[1] = 1e30f;
        x[2] = -1e30f;
        act_forward(m.k, x, x, 1, 3, (enum act)act); /* in place */
        cr_expect(isnan(x[0]) && x[1] == 1e30f && x[2] == 0, "%d: %g %g %g", act,
                  (double)x[0], (double)x[1], (double)x[2]);
        machine_free(&m);
    }
    free(x);
    free(y);
}
