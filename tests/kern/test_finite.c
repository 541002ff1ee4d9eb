/* One number that is none, wherever it stands and whatever it is, is found; nothing else is. */
#include "kern/finite.h"

#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

enum { MOST = 200 };

static void each_place(enum isa isa, float strange, int is_number)
{
    float x[MOST];

    for (size_t n = 1; n <= MOST; n += n < 70 ? 1 : 13)
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < MOST; i++)
                x[i] = i % 3 ? -FLT_MAX : FLT_TRUE_MIN;
            x[at] = strange;
            cr_assert_eq(all_finite(isa, x, n), is_number, "%s: %g at %zu of %zu",
                         isa_name(isa), (double)strange, at, n);
        }
}

Test(finite, one_among_many)
{
    const float signalling = f32_from_bits(0xff800001);

    for (int i = ISA_PLAIN; i <= ISA_AVX512; i++) {
        const enum isa isa = (enum isa)i;

        if (!isa_has(isa))
            continue;
        each_place(isa, NAN, 0);
        each_place(isa, signalling, 0);
        each_place(isa, INFINITY, 0);
        each_place(isa, -INFINITY, 0);
        each_place(isa, FLT_MAX, 1);
        each_place(isa, -0.0f, 1);
        cr_expect_eq(all_finite(isa, &signalling, 0), 1);
    }
}

/* What lies behind the row is not looked at. */
Test(finite, no_further)
{
    float x[MOST];

    for (size_t i = 0; i < MOST; i++)
        x[i] = NAN;
    for (size_t n = 0; n < MOST; n++) {
        cr_assert_eq(all_finite(isa_best(), x, n), 1, "%zu", n);
        x[n] = 1;
    }
}
