/*
 * What bf16 arithmetic promises beyond the laws of all products (test_gemm.c): the bits of
 * widening, the order of the units, what is not a usual number, and the check at start.
 */
#include "kern/bf16.h"

#include "../support/bf16_emulated.h"
#include "../support/machine.h"
#include "../support/tiles.h"
#include "kern/bf16_units.h"
#include "kern/gemm.h"
#include "tensor/dims.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float rounded(float x)
{
    return f32_from_bf16(bf16_from_f32(x));
}

static float *rounded_copy(const float *x, size_t n)
{
    float *y = floats(n);

    for (size_t i = 0; i < n; i++)
        y[i] = rounded(x[i]);
    return y;
}

/* ---- widening ------------------------------------------------------------------------ */

static void check_rows(struct kern *k, const float *y, const float *x, const float *W,
                       size_t M, size_t N, size_t K, enum kern_dtype type)
{
    struct gemm_weight w;
    struct err e = {0};
    float *mem = floats(gemm_pack_bytes(k, N, K, type) / sizeof *mem);
    float *z = floats(M * N);

    cr_assert_eq(gemm_pack(&w, k, mem, W, K, N, K, type, &e), 0);
    gemm_rows(k, z, N, x, K, M, &w);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "rows: %zu %zu %zu", M, N, K);
    free(z);
    free(mem);
}

/* Float32 products of rounded operands have its bits, whatever is transposed. */
TheoryDataPoints(bf16, widening_has_the_bits_of_rounded_operands) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 1, 9, 70),
    DataPoints(size_t, 1, 50, 131),
    DataPoints(size_t, 1, 33, 650),
};
Theory((int isa, size_t M, size_t N, size_t K), bf16,
       widening_has_the_bits_of_rounded_operands)
{
    const struct kern_opts half = {KERN_PACK, KERN_BF16, (enum isa)isa,
                                   KERN_ROUND_BOTH};
    const struct kern_opts whole = {KERN_PACK, KERN_F32, (enum isa)isa};
    struct machine h, f;

    if (!machine_new(&h, 2, &half) || !machine_new(&f, 2, &whole))
        return;
    float *x = normals(M * K, 1), *W = normals(N * K, 2), *dy = normals(M * N, 3);
    float *rx = rounded_copy(x, M * K), *rW = rounded_copy(W, N * K),
          *rdy = rounded_copy(dy, M * N);
    float *y = floats(M * N), *z = floats(M * N), *dx = normals(M * K, 4),
          *rdx = normals(M * K, 4), *dW = normals(N * K, 5), *rdW = normals(N * K, 5);

    gemm_nt(h.k, y, N, x, K, W, K, M, N, K, 0);
    gemm_nt(f.k, z, N, rx, K, rW, K, M, N, K, 0);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "nt: %zu %zu %zu", M, N, K);
    check_rows(h.k, y, x, W, M, N, K, KERN_BF16);
    gemm_nn(h.k, dx, K, dy, N, W, K, M, N, K, 1);
    gemm_nn(f.k, rdx, K, rdy, N, rW, K, M, N, K, 1);
    cr_expect_eq(memcmp(dx, rdx, M * K * sizeof *dx), 0, "nn: %zu %zu %zu", M, N, K);
    gemm_tn(h.k, dW, K, dy, N, x, K, M, N, K, 1);
    gemm_tn(f.k, rdW, K, rdy, N, rx, K, M, N, K, 1);
    cr_expect_eq(memcmp(dW, rdW, N * K * sizeof *dW), 0, "tn: %zu %zu %zu", M, N, K);
    /* weights that are packed as float32 are multiplied so, whatever k rounds else */
    gemm_nt(f.k, z, N, x, K, W, K, M, N, K, 0);
    check_rows(h.k, z, x, W, M, N, K, KERN_F32);
    float *const all[] = {x, W, dy, rx, rW, rdy, y, z, dx, rdx, dW, rdW};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    machine_free(&f);
    machine_free(&h);
}

/* ---- the order of a unit ------------------------------------------------------------- */

/* One element by the manuals, added to `sum`: x and w are rounded, K numbers each, normal
 * throughout. */
static float pairwise(float sum, const float *x, const float *w, size_t K)
{
    for (size_t k = 0; k < K; k += 2) {
        if (k + 1 < K)
            sum = fmaf(x[k + 1], w[k + 1], sum);
        sum = fmaf(x[k], w[k], sum);
    }
    return sum;
}

static float tilewise(float sum, const float *x, const float *w, size_t K)
{
    for (size_t from = 0; from < K; from += BF16_STEP) {
        float part[2] = {0};

        for (size_t k = from; k < K && k < from + BF16_STEP; k++)
            part[k % 2] = fmaf(x[k], w[k], part[k % 2]);
        sum += part[0] + part[1];
    }
    return sum;
}

static const struct {
    const struct bf16_unit *unit;
    float (*order)(float, const float *, const float *, size_t);
} units[] = {{&emulated_avx512, pairwise}, {&emulated_amx, tilewise}};

TheoryDataPoints(bf16, units_sum_in_the_order_of_their_instructions) = {
    DataPoints(int, 0, 1),
    DataPoints(size_t, 1, 8, 17, 50),
    DataPoints(size_t, 1, 48, 101),
    DataPoints(size_t, 1, 2, 31, 33, 320, 321, 700),
    DataPoints(float, 0.0f, 1.0f, 2.0f),
};
Theory((int which, size_t M, size_t N, size_t K, float beta), bf16,
       units_sum_in_the_order_of_their_instructions)
{
    struct machine m;

    cr_assert(machine_new(
        &m, 2, &(struct kern_opts){.dtype = KERN_BF16, .unit = units[which].unit}));
    float *x = normals(M * K, 1), *W = normals(N * K, 2), *y = normals(M * N, 3);
    float *rx = rounded_copy(x, M * K), *rW = rounded_copy(W, N * K),
          *was = normals(M * N, 3);

    gemm_nt(m.k, y, N, x, K, W, K, M, N, K, beta);
    for (size_t i = 0; i < M * N; i++)
        cr_assert_eq(y[i],
                     units[which].order(beta == 0 ? 0 : beta * was[i], rx + i / N * K,
                                        rW + i % N * K, K),
                     "%s: %zu %zu %zu: %zu, %zu", units[which].unit->name, M, N, K,
                     i / N, i % N);
    float *const all[] = {x, W, y, rx, rW, was};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    machine_free(&m);
}

/* c (M, N), ldc apart, = beta c + x W^T by a unit's function alone: threads would cut the rows
 * into fewer. */
static void multiply_at_once(const struct bf16_unit *u, float *c, size_t ldc,
                             const float *x, const float *W, size_t M, size_t N,
                             size_t K, float beta, int past)
{
    const size_t pairs = bf16_pairs(K);
    uint32_t *a = (void *)floats(round_up(M, BF16_HEIGHT) * pairs);
    uint32_t *b = (void *)floats(round_up(N, BF16_WIDTH) * pairs);

    bf16_left_from_rows(ISA_PLAIN, a, bf16_tile_words(K), x, K, M, K);
    bf16_panels_from_rows(ISA_PLAIN, b, W, K, N, K);
    u->multiply(&(struct bf16_product){.c = c,
                                       .a = a,
                                       .b = b,
                                       .ldc = ldc,
                                       .tile = bf16_tile_words(K),
                                       .step = pairs * BF16_WIDTH,
                                       .M = M,
                                       .N = N,
                                       .K = K,
                                       .beta = beta,
                                       .past = past});
    free(b);
    free(a);
}

/* y beside its elements one by one; what lies between and behind rows is as it was. */
static void check_elements(int which, const float *y, const float *was, size_t ld,
                           const float *x, const float *W, size_t M, size_t N, size_t K,
                           float beta)
{
    for (size_t i = 0; i < (M + 1) * ld; i++) {
        const size_t m = i / ld, n = i % ld;
        const int in = m < M && n < N;
        const float want = in ? units[which].order(beta == 0 ? 0 : beta * was[i],
                                                   x + m * K, W + n * K, K)
                              : was[i];

        cr_assert_eq(y[i], want, "%s: %zu %zu %zu %g: %zu, %zu",
                     units[which].unit->name, M, N, K, (double)beta, m, n);
    }
}

/* The same of many rows: of an odd number of tiles and of an even one, with few rows in the
 * last; of more than go together, by one tile and by some; of panels, of the half of one, and of
 * one column more; in one block, and in two or three that end within a step. */
TheoryDataPoints(bf16, many_rows_are_summed_in_the_same_order) = {
    DataPoints(int, 0, 1),
    DataPoints(size_t, 129, 160, 270, 310, 545),
    DataPoints(size_t, 70, 97),
    DataPoints(size_t, 31, 200, 641, 1300),
    DataPoints(float, 0.0f, 1.0f, 2.0f),
};
Theory((int which, size_t M, size_t N, size_t K, float beta), bf16,
       many_rows_are_summed_in_the_same_order)
{
    const size_t ld = N + 5;

    /* emulation takes long: the deepest with one beta */
    if (M * N * K > (beta == 2 ? 17000000 : beta == 0 ? 8500000 : 4000000))
        return;
    float *x = normals(M * K, 1), *W = normals(N * K, 2), *y = normals((M + 1) * ld, 3);
    float *rx = rounded_copy(x, M * K), *rW = rounded_copy(W, N * K),
          *was = normals((M + 1) * ld, 3);

    for (size_t i = 0; beta == 0 && i < M * N; i++)
        y[i / N * ld + i % N] = NAN; /* need not be initialised */
    multiply_at_once(units[which].unit, y, ld, x, W, M, N, K, beta, 0);
    check_elements(which, y, was, ld, rx, rW, M, N, K, beta);
    float *const all[] = {x, W, y, rx, rW, was};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* So many rows, and so deep, that strips take turns: more of them than go together, the last one
 * narrow; just as many, where the last tile is not whole; by the processor's unit, too, which has to
 * do as each strip alone does. */
enum { TURN_M = 270, TURN_N = 140, TURN_K = 1060 };

TheoryDataPoints(bf16, strips_that_take_turns) = {
    DataPoints(int, 0, 1),
    DataPoints(size_t, TURN_M, 250),
};
Theory((int which, size_t M), bf16, strips_that_take_turns)
{
    const size_t N = TURN_N, K = TURN_K, ld = N + 4;
    float *x = normals(M * K, 1), *W = normals(N * K, 2),
          *was = normals((M + 1) * ld, 3);
    float *rx = rounded_copy(x, M * K), *rW = rounded_copy(W, N * K);

    float *y = normals((M + 1) * ld, 3);

    multiply_at_once(units[which].unit, y, ld, x, W, M, N, K, 1, 0);
    check_elements(which, y, was, ld, rx, rW, M, N, K, 1);
    float *const all[] = {x, W, y, rx, rW, was};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

Test(bf16, the_processor_s_strips_that_take_turns)
{
    static const enum isa sets[] = {ISA_AVX512_BF16, ISA_AMX};
    const size_t M = TURN_M, N = TURN_N, K = TURN_K, strip = BF16_STRIP;
    float *x = normals(M * K, 1), *W = normals(N * K, 2);

    for (size_t s = 0; s < 2; s++) {
        const struct bf16_unit *u = isa_has(sets[s]) ? bf16_unit_of(sets[s]) : NULL;
        float *y = zeros(M * N), *z = zeros(M * N);

        if (u) {
            multiply_at_once(u, y, N, x, W, M, N, K, 0, 0);
            for (size_t n = 0; n < N; n += strip)
                multiply_at_once(u, z + n, N, x, W + n * K, M, least(strip, N - n), K,
                                 0, 0);
            cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "%s", u->name);
        }
        free(y);
        free(z);
    }
    free(x);
    free(W);
}

/* The same bits past the caches, which is for whole tiles whose rows begin with a line. */
TheoryDataPoints(bf16, what_goes_past_the_caches) = {
    DataPoints(int, 0, 1),        DataPoints(size_t, 20, 129, 310),
    DataPoints(size_t, 70, 128),  DataPoints(size_t, 33, 700),
    DataPoints(size_t, 128, 133),
};
Theory((int which, size_t M, size_t N, size_t K, size_t ld), bf16,
       what_goes_past_the_caches)
{
    float *x = normals(M * K, 1), *W = normals(N * K, 2), *y = normals((M + 1) * ld, 3);
    float *rx = rounded_copy(x, M * K), *rW = rounded_copy(W, N * K),
          *was = normals((M + 1) * ld, 3);
    const size_t before = lines_past();

    multiply_at_once(units[which].unit, y, ld, x, W, M, N, K, 0, 1);
    const size_t lines = lines_past() - before;
    cr_expect(ld % 16 ? lines == 0 : lines >= M / 32 * 32 * (N / 64 * 4),
              "%s: %zu %zu %zu: %zu", units[which].unit->name, M, N, ld, lines);
    check_elements(which, y, was, ld, rx, rW, M, N, K, 0);
    float *const all[] = {x, W, y, rx, rW, was};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* A large gradient that is set does; one that is added to, a small one, and a result that is read
 * next do not. */
Test(bf16, gradients_go_past_the_caches)
{
    enum { N = 512, K = 520, M = 40 };

    for (size_t which = 0; which < 2; which++) {
        struct machine m;
        float *dy = normals(M * N, 1), *x = normals(M * K, 2), *dW = zeros(N * K);
        float *again = zeros(N * K);

        cr_assert(machine_new(
            &m, 2, &(struct kern_opts){.dtype = KERN_BF16, .unit = units[which].unit}));
        const size_t before = lines_past();
        gemm_tn(m.k, again, 512, dy, N, x, K, M, N, 512, 1);
        gemm_tn(m.k, dW, 256, dy, N, x, K, M, N, 256, 0);
        gemm_nt(m.k, dW, N, x, 32, dy, 32, N, N, 32, 0);
        cr_expect_eq(lines_past(), before, "%s", units[which].unit->name);
        gemm_tn(m.k, dW, K, dy, N, x, K, M, N, 512, 0);
        cr_expect_eq(lines_past(), before, "rows that do not begin with a line");
        gemm_tn(m.k, dW, 512, dy, N, x, K, M, N, 512, 0);
        cr_expect_eq(lines_past() - before, (size_t)N * 512 / 16);
        for (size_t i = 0; i < (size_t)N * 512; i++)
            cr_assert_eq(dW[i], again[i]);
        float *const all[] = {dy, x, dW, again};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
        machine_free(&m);
    }
}

/* ---- every way of bf16 arithmetic ------------------------------------------------------ */

static const struct kern_opts ways[] = {
    BF16_WAYS,
};
enum { WAYS = sizeof ways / sizeof *ways, WIDENED = 3 };

/* A product of M x N, K deep, of one number in row 0 and column 0 with ones elsewhere. */
struct odd {
    float x, w;
    float sum;  /* of row 0, column 0: x w + K - 1, NaN for NaN */
    float unit; /* the same by a unit */
};

static void check_odd(int way, const struct odd *o)
{
    enum { M = 19, N = 50, K = 37, AT = 35 };
    struct machine m;
    float x[M * K], W[N * K], y[M * N];

    if (!machine_new(&m, 1, &ways[way]))
        return;
    for (size_t i = 0; i < M * K; i++)
        x[i] = 1;
    for (size_t i = 0; i < N * K; i++)
        W[i] = 1;
    x[AT] = o->x;
    W[AT] = o->w;
    gemm_nt(m.k, y, N, x, K, W, K, M, N, K, 0);
    const float want = way < WIDENED ? o->sum : o->unit;
    cr_expect(isnan(want) ? isnan(y[0]) : y[0] == want, "way %d: %g * %g: %g", way,
              (double)o->x, (double)o->w, (double)y[0]);
    for (size_t i = N; i < M * N; i++) /* what is in no row or column of these */
        if (i % N)
            cr_expect_eq(y[i], K, "way %d: %zu, %zu: %g", way, i / N, i % N,
                         (double)y[i]);
    machine_free(&m);
}

Test(bf16, unusual_numbers)
{
    static const struct odd odd[] = {
        {INFINITY, 2, INFINITY, INFINITY},
        {INFINITY, -2, -INFINITY, -INFINITY},
        {INFINITY, 0, NAN, NAN},
        {NAN, 1, NAN, NAN},
        {1, NAN, NAN, NAN},
        {3e38f, 100, INFINITY, INFINITY},
        {0x1.fffp127f, 1, INFINITY, INFINITY}, /* rounds to infinity */
        {0x1p-130f, 0x1p127f, 36.125f, 36},    /* below 2^-126: 0 for a unit */
        {-0x1p-126f, 0x1p126f, 35, 35},
        {0x1.01p0f, 1, 37, 37},                /* a tie, to even */
        {0x1.03p0f, 1, 37.015625f, 37.015625f} /* a tie, to even, upwards */
    };

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (int way = 0; way < (int)WAYS; way++)
            check_odd(way, &odd[i]);
}

/* The processor's own beside the emulation of it. */
Test(bf16, emulation_is_near_the_processor)
{
    enum { M = 37, N = 131, K = 650 };
    static const int pairs[][2] = {{3, 5}, {4, 6}};

    for (int i = 0; i < 2; i++) {
        struct machine soft, real;
        float *x = normals(M * K, 1), *W = normals(N * K, 2);
        float *y = floats(M * N), *z = floats(M * N);

        cr_assert(machine_new(&soft, 1, &ways[pairs[i][0]]));
        if (machine_new(&real, 1, &ways[pairs[i][1]])) {
            gemm_nt(soft.k, y, N, x, K, W, K, M, N, K, 0);
            gemm_nt(real.k, z, N, x, K, W, K, M, N, K, 0);
            for (size_t j = 0; j < M * N; j++)
                cr_assert_float_eq(y[j], z[j], 60 * sqrtf(K) * 0x1p-23f);
            machine_free(&real);
        }
        machine_free(&soft);
        free(z);
        free(y);
        free(W);
        free(x);
    }
}

typedef void product(struct kern *, float *, size_t, const float *, size_t,
                     const float *, size_t, size_t, size_t, size_t, float);
static product *const products[] = {gemm_nt, gemm_nn, gemm_tn};

/* All three of a and b (n, n), each behind one of nothing but NaN, larger. */
static void three_products(struct kern *k, float *c, const float *a, const float *b,
                           size_t n, const float *none, size_t large)
{
    float *sink = floats(large * large);

    for (size_t i = 0; i < 3; i++) {
        gemm_nn(k, sink, large, none, large, none, large, large, large, large, 0);
        products[i](k, c + i * n * n, n, a, n, b, n, n, n, n, 0);
    }
    free(sink);
}

/* What the last product left in the scratch is in no padding of the next. */
Test(bf16, what_was_there_is_not_seen)
{
    enum { LARGE = 64, N = 33 };

    for (int way = 0; way < (int)WAYS; way++) {
        struct machine used, fresh;

        if (!machine_new(&used, 1, &ways[way]) || !machine_new(&fresh, 1, &ways[way]))
            continue;
        float *none = floats(LARGE * LARGE), *x = normals(N * N, 1);
        float *c = floats(3 * N * N), *d = floats(3 * N * N);

        for (size_t i = 0; i < LARGE * LARGE; i++)
            none[i] = NAN;
        three_products(used.k, c, x, x, N, none, LARGE);
        for (size_t i = 0; i < 3; i++)
            products[i](fresh.k, d + i * N * N, N, x, N, x, N, N, N, N, 0);
        cr_expect_eq(memcmp(c, d, 3 * N * N * sizeof *c), 0, "way %d", way);
        float *const all[] = {none, x, c, d};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
        machine_free(&fresh);
        machine_free(&used);
    }
}

/* More of x than the scratch holds at once: the same bits, by way of blocks. */
Test(bf16, deep_rows_are_batch_invariant)
{
    enum { M = 33, N = 3, K = 50001 };

    for (int way = 0; way < (int)WAYS; way++) {
        struct machine m;
        struct gemm_weight w;
        struct err e = {0};

        if (!machine_new(&m, 2, &ways[way]))
            continue;
        float *x = normals(M * K, 1), *W = normals(N * K, 2), y[M * N], alone[M * N];
        float *mem = floats(gemm_pack_bytes(m.k, N, K, KERN_BF16) / sizeof *mem);

        cr_assert_eq(gemm_pack(&w, m.k, mem, W, K, N, K, KERN_BF16, &e), 0);
        gemm_rows(m.k, y, N, x, K, M, &w);
        for (size_t r = 0; r < M; r++)
            gemm_rows(m.k, alone + r * N, N, x + r * K, K, 1, &w);
        cr_expect_eq(memcmp(y, alone, sizeof y), 0, "way %d", way);
        free(mem);
        free(W);
        free(x);
        machine_free(&m);
    }
}

/* The AMX unit as it was compiled, its instructions done in software where the processor has
 * none: what no emulation of its source sees, registers, addresses and the order of what
 * compilers move.  To the bit. */
TheoryDataPoints(bf16, the_compiled_tiles_do_what_they_should) = {
    DataPoints(size_t, 37, 128, 192, 275),
    DataPoints(float, 0.0f, 2.0f),
};
Theory((size_t M, float beta), bf16, the_compiled_tiles_do_what_they_should)
{
    (void)M;
    (void)beta;
#if ISA_BF16
    enum { N = 131, LINES_N = 128, K = 650 };

    if (!tiles_trap())
        return;
    float *x = normals(M * K, 1), *W = normals(N * K, 2);
    float *y = normals(M * N, 3), *z = normals(M * N, 3);

    multiply_at_once(&emulated_amx, y, N, x, W, M, N, K, beta, 0);
    multiply_at_once(&bf16_amx_unit, z, N, x, W, M, N, K, beta, 0);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "%zu %g", M, (double)beta);
    multiply_at_once(&bf16_amx_unit, z, LINES_N, x, W, M, LINES_N, K, 0, 1);
    multiply_at_once(&bf16_amx_unit, y, LINES_N, x, W, M, LINES_N, K, 0, 0);
    cr_expect_eq(memcmp(y, z, M * LINES_N * sizeof *y), 0, "past the caches: %zu", M);
    free(z);
    free(y);
    free(W);
    free(x);
#endif
}

/* ---- at start -------------------------------------------------------------------------- */

Test(bf16, a_unit_that_is_wrong_is_refused)
{
    struct kern *k;
    struct err e = {0};

    cr_expect_eq(bf16_check(&emulated_avx512, &e), 0);
    cr_expect_eq(bf16_check(&emulated_amx, &e), 0);
    cr_expect_eq(
        kern_new(&k, NULL,
                 &(struct kern_opts){.dtype = KERN_BF16, .unit = &emulated_wrong}, &e),
        ERR_NUMERIC);
    cr_expect(strstr(e.text, "(wrong)") && strstr(e.text, "CAGSR_ISA="), "%s", e.text);
    cr_expect_null(k);
}

static const char *name_of(const struct kern_opts *o)
{
    static char name[160];
    struct kern *k;
    struct err e = {0};

    if (kern_new(&k, NULL, o, &e) < 0)
        return strcpy(name, e.text);
    strcpy(name, kern_name(k));
    kern_free(k);
    return name;
}

Test(bf16, names_say_what_is_rounded_and_by_whom)
{
    cr_expect_str_eq(name_of(&(struct kern_opts){KERN_PACK, KERN_BF16, ISA_PLAIN}),
                     "bf16 pack/plain");
    cr_expect_str_eq(name_of(&ways[0]), "bf16 both pack/plain");
    cr_expect_str_eq(name_of(&ways[4]), "bf16 pack/emulated_amx");
    /* rounding is nothing that float32 does */
    cr_expect_str_eq(name_of(&(struct kern_opts){KERN_PACK, KERN_F32, ISA_PLAIN,
                                                 KERN_ROUND_BOTH, &emulated_amx}),
                     "f32 pack/plain");
    for (int way = 5; way < (int)WAYS; way++)
        if (isa_has(ways[way].isa))
            cr_expect(strstr(name_of(&ways[way]), isa_name(ways[way].isa)) != NULL);
}

Test(bf16, the_environment_holds_to_a_set)
{
    struct kern_opts o = {.backend = KERN_PACK};

    setenv("CAGSR_ISA", "plain", 1);
    cr_expect_str_eq(name_of(&o), "f32 pack/plain");
    o.isa = isa_best(); /* who says so in the program has the last word */
    cr_expect(strstr(name_of(&o), isa_name(isa_best())) != NULL);
    o.isa = ISA_AUTO;
    setenv("CAGSR_ISA", "sse9", 1);
    cr_expect_str_eq(name_of(&o), "CAGSR_ISA is 'sse9': none of auto, plain, avx2, "
                                  "avx512, avx512_bf16, amx");
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++)
        if (!isa_has((enum isa)isa)) {
            setenv("CAGSR_ISA", isa_name((enum isa)isa), 1);
            cr_expect(strstr(name_of(&o), "this processor has no") != NULL);
        }
    setenv("CAGSR_ISA", "", 1);
    cr_expect(strstr(name_of(&o), isa_name(isa_best())) != NULL);
    unsetenv("CAGSR_ISA");
}
