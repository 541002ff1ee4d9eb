/*
 * Rotary positions as configurations describe them, against the frequencies that
 * transformers makes of the same config.json (tests/golden/make_families.py, in double).
 */
#include "arch/arch.h"
#include "base/json.h"

#include "../support/golden.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { R_MAX = 128 };

static struct arch read_arch(const json_t *config)
{
    struct arch a;
    struct err e = {0};

    cr_assert_geq(arch_from_config(&a, config, "config", &e), 0, "%s", e.text);
    cr_assert_leq(a.R, R_MAX);
    return a;
}

Test(rope, scalings_of_transformers)
{
    char path[GOLDEN_PATH];
    json_t *cases;
    struct err e = {0};

    cr_assert_geq(json_read_file(&cases, golden_path(path, "rope/expected.json"), &e),
                  0);
    cr_assert_gt(json_array_size(cases), 10u);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *want = json_object_get(c, "freq");
        const struct arch a = read_arch(json_object_get(c, "config"));
        const struct rope *r = &a.kind[a.layer[0]].rope;
        double f[R_MAX / 2];

        rope_freq(f, a.R, r);
        cr_assert_eq(json_array_size(want), a.R / 2);
        for (size_t j = 0; j < a.R / 2; j++) {
            const double w = json_real_value(json_array_get(want, j));

            cr_expect_float_eq(f[j], w, 1e-12 * w, "case %zu, %zu: %g, not %g", i, j,
                               f[j], w);
        }
        cr_expect_float_eq(r->gain, json_number_value(json_object_get(c, "gain")),
                           1e-12, "case %zu", i);
    }
    json_decref(cases);
}

/* Beyond the original context, dynamic's frequencies are those of a base that has grown
 * with the length (transformers: seq_len); before, plain ones. */
Test(rope, dynamic_grows_with_the_position)
{
    const struct rope plain = {.base = 10000, .gain = 1};
    const struct rope r = {.base = 10000,
                           .scaling = ROPE_DYNAMIC,
                           .factor = 3,
                           .original = 100,
                           .gain = 1};
    const int32_t pos[] = {0, 99, 100, 250};
    enum { R = 16, N = 4 };
    double f[R / 2];
    float cs[N * R], want[R];
    struct machine m;

    cr_assert(machine_new(&m, 1, NULL));
    rope_freq(f, R, &r);
    rope_table(m.k, cs, pos, N, f, R, &r);
    for (size_t n = 0; n < N; n++) {
        struct rope grown = plain;
        double g[R / 2];

        if (pos[n] >= 100)
            grown.base *= pow(3 * (pos[n] + 1) / 100.0 - 2, R / (R - 2.0));
        rope_freq(g, R, &grown);
        rope_table(m.k, want, pos + n, 1, g, R, &grown);
        for (size_t i = 0; i < R; i++)
            cr_expect_float_eq(cs[n * R + i], want[i], 2e-7, "%d, %zu", pos[n], i);
    }
    machine_free(&m);
}

/* What a kind's own object says holds for its layers only. */
Test(rope, kinds_of_layers)
{
    struct err e = {0};
    json_t *config;
    char path[GOLDEN_PATH];

    cr_assert_geq(
        json_read_file(&config, golden_path(path, "gemma3-kinds-tiny/config.json"), &e),
        0);
    const struct arch a = read_arch(config);
    cr_expect_eq(a.kind[ARCH_FULL].rope.base, 1e6);
    cr_expect_eq(a.kind[ARCH_FULL].rope.scaling, ROPE_LINEAR);
    cr_expect_eq(a.kind[ARCH_FULL].rope.factor, 8);
    cr_expect_eq(a.kind[ARCH_FULL].window, 0u);
    cr_expect_eq(a.kind[ARCH_LOCAL].rope.base, 2000);
    cr_expect_eq(a.kind[ARCH_LOCAL].rope.scaling, ROPE_PLAIN);
    cr_expect_eq(a.kind[ARCH_LOCAL].window, 3u);
    cr_expect_eq(a.layer[0], ARCH_FULL);
    cr_expect_eq(a.layer[1], ARCH_LOCAL);
    cr_expect_eq(a.layer[2], ARCH_FULL);
    json_decref(config);
}
