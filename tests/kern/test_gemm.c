#include "kern/gemm.h"

#include "../support/machine.h"
#include "../support/products.h"
#include "kern/ref.h"
#include "tensor/dims.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The largest error over sqrt(K), in units of float's epsilon: sums of K products of
 * normals are of that size, and their rounding errors add up like a random walk. */
static double distance(const float *a, const float *b, size_t n, size_t K)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst / (sqrt((double)K + 1) * 0x1p-23);
}

enum { FAR = 60 };

TheoryDataPoints(gemm, rows_agree_with_ref) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 0, 1, 3, 8, 13, 33),
    DataPoints(size_t, 1, 17, 48, 100, 530),
    DataPoints(size_t, 0, 1, 5, 64, 577),
};
Theory((int way, size_t M, size_t N, size_t K), gemm, rows_agree_with_ref)
{
    struct machine m;

    if (!machine_new(&m, 2, &ways[way]))
        return;
    struct packed p = weight(m.k, N, K, 1);
    const size_t ldx = K + 3, ldy = N + 5;
    float *x = normals((M + 1) * ldx, 2), *y = normals((M + 1) * ldy, 3);
    float *want = floats((M + 1) * ldy), *seen = as_seen(way, x, (M + 1) * ldx);

    memcpy(want, y, (M + 1) * ldy * sizeof *y); /* what lies between rows is kept */
    ref_gemm_nt(want, ldy, seen, ldx, p.W, K, M, N, K, 0);
    gemm_rows(m.k, y, ldy, x, ldx, M, &p.w);
    cr_expect_lt(distance(y, want, (M + 1) * ldy, K), FAR, "way %d, %zu %zu %zu", way,
                 M, N, K);
    free(seen);
    free(want);
    free(y);
    free(x);
    weight_free(&p);
    machine_free(&m);
}

/*
 * The law of the sampling path: a row alone has the bits it has anywhere, among any
 * neighbours, at any alignment, with any number of threads.
 */
TheoryDataPoints(gemm, rows_are_batch_invariant) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 1, 100, 576, 1030),
    DataPoints(size_t, 1, 63, 576, 1537),
};
Theory((int way, size_t N, size_t K), gemm, rows_are_batch_invariant)
{
    enum { ROWS = 71 };
    struct machine one, two;

    if (is_too_long(way, ROWS, N, K) || !machine_new(&one, 1, &ways[way]) ||
        !machine_new(&two, 2, &ways[way]))
        return;
    struct packed p = weight(one.k, N, K, 4), q = weight(two.k, N, K, 4);
    float *x = normals(ROWS * K, 5), *alone = floats(ROWS * N),
          *y = floats(ROWS * N + 1);

    for (size_t m = 0; m < ROWS; m++)
        gemm_rows(one.k, alone + m * N, N, x + m * K, K, 1, &p.w);
    static const size_t cuts[] = {1, 2, 3, 5, 7, 8, 9, 16, 31, 32, 33, 64, ROWS};
    const size_t few = ways[way].unit ? 4 : 1;
    for (size_t c = few / 2; c < sizeof cuts / sizeof *cuts; c += few)
        for (size_t threads = 1; threads <= 2; threads++) {
            struct machine *mc = threads == 1 ? &one : &two;
            const struct gemm_weight *w = threads == 1 ? &p.w : &q.w;

            for (size_t m = 0; m < ROWS; m += cuts[c])
                gemm_rows(mc->k, y + 1 + m * N, N, x + m * K, K,
                          ROWS - m < cuts[c] ? ROWS - m : cuts[c], w);
            cr_expect_eq(memcmp(y + 1, alone, ROWS * N * sizeof *y), 0,
                         "way %d, N %zu, K %zu, %zu rows at a time, %zu threads", way,
                         N, K, cuts[c], threads);
        }
    free(y);
    free(alone);
    free(x);
    weight_free(&q);
    weight_free(&p);
    machine_free(&two);
    machine_free(&one);
}

/* Weights in bfloat16 give the bits of the same numbers in float32, for few rows and many. */
TheoryDataPoints(gemm, narrow_weights_lose_nothing) = {
    DataPoints(int, 5, 6, 7),
    DataPoints(size_t, 1, 4, 8, 9, 13, 24, 25, 128, 129, 200),
    DataPoints(size_t, 1, 31, 96, 3100),
    DataPoints(size_t, 1, 2, 319, 577, 1000),
};
Theory((int way, size_t M, size_t N, size_t K), gemm, narrow_weights_lose_nothing)
{
    struct machine m;

    if (!machine_new(&m, 2, &ways[way]))
        return;
    struct packed half = weight(m.k, N, K, 21);
    struct packed whole = pack_as(m.k, half.W, N, K, KERN_F32);
    float *x = normals(M * K, 22), *y = floats(M * N), *z = floats(M * N);

    gemm_rows(m.k, y, N, x, K, M, &half.w);
    gemm_rows(m.k, z, N, x, K, M, &whole.w);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "way %d: %zu %zu %zu", way, M, N,
                 K);
    free(z);
    free(y);
    free(x);
    free(whole.mem);
    weight_free(&half);
    machine_free(&m);
}

/* What was packed comes back, whole or in pieces, whatever was packed in pieces. */
TheoryDataPoints(gemm, weights_come_back) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14),
    DataPoints(size_t, 1, 17, 500),
    DataPoints(size_t, 1, 33, 641),
};
Theory((int way, size_t N, size_t K), gemm, weights_come_back)
{
    struct machine m;

    if (!machine_new(&m, 2, &ways[way]))
        return;
    struct packed p = weight(m.k, N, K, 23);
    const size_t from = N / 3, n = N - from, ld = K + 2;
    float *out = zeros(n * ld);

    if (p.w.W == NULL) { /* once more, in pieces */
        const size_t piece = 2 * GEMM_PIECE;

        memset(p.mem, 0xff, gemm_pack_bytes(m.k, N, K, kern_dtype(m.k)));
        gemm_pack_begin(&p.w, p.mem, N, K, kern_dtype(m.k));
        for (size_t r = 0; r < N; r += piece)
            gemm_pack_rows(&p.w, m.k, p.W + r * K, K, r, N - r < piece ? N - r : piece);
    }
    gemm_unpack(&p.w, m.k, out, ld, from, n);
    for (size_t r = 0; r < n; r++)
        cr_expect_eq(memcmp(out + r * ld, p.W + (from + r) * K, K * sizeof *out), 0,
                     "way %d: %zu %zu: row %zu", way, N, K, from + r);
    free(out);
    weight_free(&p);
    machine_free(&m);
}

/* Every float is rounded as files are written (tensor/dtype.h): all upper halves with lower
 * ones about the tie. */
Test(gemm, rounding_is_that_of_files)
{
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { K = 1 << 16, N = sizeof low / sizeof *low };
    float *W = floats((size_t)N * K), *row = floats(K);

    for (uint32_t n = 0; n < N; n++)
        for (uint32_t k = 0; k < K; k++) {
            const uint32_t u = k << 16 | low[n];

            memcpy(W + n * K + k, &u, sizeof u);
        }
    for (int way = 5; way < (int)WAYS; way++) {
        struct machine m;

        if (!machine_new(&m, 1, &ways[way]))
            continue;
        struct packed p = pack_as(m.k, W, N, K, KERN_BF16);

        for (size_t n = 0; n < N; n++) {
            gemm_unpack(&p.w, m.k, row, K, n, 1);
            for (size_t k = 0; k < K; k++) {
                const float want = f32_from_bf16(bf16_from_f32(W[n * K + k]));

                cr_assert(isnan(want) ? isnan(row[k]) : want == row[k], "%g: %g",
                          (double)want, (double)row[k]);
            }
        }
        free(p.mem);
        machine_free(&m);
    }
    free(row);
    free(W);
}

/* AVX2 and AVX-512 run the same chains of fma. */
Test(gemm, instruction_sets_agree_to_the_bit)
{
    enum { M = 9, N = 131, K = 577 };
    struct machine a, b;

    if (!machine_new(&a, 1, &ways[2]))
        return;
    if (!machine_new(&b, 1, &ways[3])) {
        machine_free(&a);
        return;
    }
    struct packed p = weight(a.k, N, K, 6), q = weight(b.k, N, K, 6);
    float *x = normals(M * K, 7), *y = floats(M * N), *z = floats(M * N);

    gemm_rows(a.k, y, N, x, K, M, &p.w);
    gemm_rows(b.k, z, N, x, K, M, &q.w);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0);
    free(z);
    free(y);
    free(x);
    weight_free(&q);
    weight_free(&p);
    machine_free(&b);
    machine_free(&a);
}

/* ---- free order ---------------------------------------------------------------------- */

typedef void product(struct kern *, float *, size_t, const float *, size_t,
                     const float *, size_t, size_t, size_t, size_t, float);
typedef void reference(float *, size_t, const float *, size_t, const float *, size_t,
                       size_t, size_t, size_t, float);
static product *const products[] = {gemm_nt, gemm_nn, gemm_tn};
static reference *const references[] = {ref_gemm_nt, ref_gemm_nn, ref_gemm_tn};

/* c of at least one row and column: a product of the three, by beta, against ref. */
static void check_product(int way, int which, size_t M, size_t N, size_t K, float beta)
{
    /* Rows and columns of the output and of the two inputs; the depth. */
    const size_t shape[3][7] = {
        {M, N, M, K, N, K, K}, {M, K, M, N, N, K, N}, {N, K, M, N, M, K, M}};
    const size_t *s = shape[which];
    struct machine one, two;

    if (is_too_long(way, M, N, K) || !machine_new(&one, 1, &ways[way]) ||
        !machine_new(&two, 2, &ways[way]))
        return;
    const size_t ldc = s[1] + 2, lda = s[3] + 1, ldb = s[5] + 3;
    const size_t n = (s[0] + 1) * ldc;
    float *c = normals(n, 1), *want = normals(n, 1), *again = normals(n, 1);
    float *a = normals((s[2] + 1) * lda, 2), *b = normals((s[4] + 1) * ldb, 3);
    float *a_seen = as_seen(way, a, (s[2] + 1) * lda);
    float *b_seen = as_seen(way, b, (s[4] + 1) * ldb);

    if (beta == 0)
        for (size_t r = 0; r < s[0]; r++)
            for (size_t i = 0; i < s[1]; i++)
                c[r * ldc + i] = again[r * ldc + i] = NAN; /* need not be initialised */
    references[which](want, ldc, a_seen, lda, b_seen, ldb, M, N, K, beta);
    products[which](one.k, c, ldc, a, lda, b, ldb, M, N, K, beta);
    products[which](two.k, again, ldc, a, lda, b, ldb, M, N, K, beta);
    cr_expect_lt(distance(c, want, n, s[6]), FAR, "%d: %zu %zu %zu %g", which, M, N, K,
                 (double)beta);
    cr_expect_eq(memcmp(c, again, n * sizeof *c), 0, "threads: %d: %zu %zu %zu", which,
                 M, N, K);
    free(b_seen);
    free(a_seen);
    free(b);
    free(a);
    free(again);
    free(want);
    free(c);
    machine_free(&two);
    machine_free(&one);
}

TheoryDataPoints(gemm, free_order_agrees_with_ref) = {
    DataPoints(int, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14),
    DataPoints(int, 0, 1, 2),
    DataPoints(size_t, 0, 1, 7, 150),
    DataPoints(size_t, 0, 1, 33, 420),
    DataPoints(size_t, 0, 1, 19, 300),
    DataPoints(float, 0.0f, 1.0f, -0.5f),
};
Theory((int way, int which, size_t M, size_t N, size_t K, float beta), gemm,
       free_order_agrees_with_ref)
{
    check_product(way, which, M, N, K, beta);
}

/* Larger than what is packed at once, in one direction after the other. */
TheoryDataPoints(gemm, parts_make_a_whole) = {
    DataPoints(int, 1, 2, 3, 9, 10, 11, 12, 13, 14),
    DataPoints(int, 0, 1, 2),
    DataPoints(int, 0, 1, 2),
};
Theory((int way, int which, int longest), gemm, parts_make_a_whole)
{
    static const size_t far[] = {3110, 3110, 700};
    size_t n[3] = {37, 29, 11};

    n[longest] = far[longest];
    check_product(way, which, n[0], n[1], n[2], 1);
    check_product(way, which, n[0], n[1], n[2], 0);
}

/* One of the sizes where operands are cut, and up to 15 less or 3 more. */
static size_t drawn(uint32_t *state)
{
    static const size_t edges[] = {16, 64, 256, 512, 576, 1072};

    *state = *state * 1664525 + 1013904223;
    return edges[(*state >> 24) % (sizeof edges / sizeof *edges)] + 3 -
           (*state >> 16) % 19;
}

/* Matrices with room for all drawn shapes. */
enum { DRAWN_LD = 1088, DRAWN_FLOATS = 1080 * DRAWN_LD };

struct drawing {
    struct kern_opts o;
    int which;
    float *a, *b, *was;
};

/* Some product by so many threads, added to what c was. */
static float *draw(const struct drawing *d, size_t threads, const size_t n[3])
{
    struct machine m;
    float *c = floats(DRAWN_FLOATS);

    memcpy(c, d->was, DRAWN_FLOATS * sizeof *c);
    cr_assert(machine_new(&m, threads, &d->o));
    products[d->which](m.k, c, DRAWN_LD, d->a, DRAWN_LD, d->b, DRAWN_LD, n[0], n[1],
                       n[2], 1);
    machine_free(&m);
    return c;
}

/* One thread, two and three cut products elsewhere. */
TheoryDataPoints(gemm, drawn_shapes_by_any_number_of_threads) = {
    DataPoints(int, ISA_AVX512, ISA_AVX512_BF16, ISA_AMX),
    DataPoints(int, 0, 1, 2),
};
Theory((int isa, int which), gemm, drawn_shapes_by_any_number_of_threads)
{
    const struct drawing d = {
        {.isa = (enum isa)isa, .dtype = isa > ISA_AVX512 ? KERN_BF16 : KERN_F32},
        which,
        normals(DRAWN_FLOATS, 1),
        normals(DRAWN_FLOATS, 2),
        normals(DRAWN_FLOATS, 3)};
    uint32_t state = 7 + (uint32_t)which;

    for (size_t i = 0; i < 24 && isa_has(d.o.isa); i++) {
        size_t n[3];

        for (size_t j = 0; j < 3; j++)
            n[j] = drawn(&state);
        float *one = draw(&d, 1, n);

        for (size_t threads = 2; threads <= 3; threads++) {
            float *c = draw(&d, threads, n);

            cr_expect_eq(memcmp(one, c, DRAWN_FLOATS * sizeof *c), 0,
                         "%d, %zu threads: %zu %zu %zu", which, threads, n[0], n[1],
                         n[2]);
            free(c);
        }
        free(one);
    }
    free(d.was);
    free(d.b);
    free(d.a);
}

/* A few rows at a time, as when sampling; then all. */
static void check_scoring(int way, size_t M, size_t N, size_t K)
{
    struct machine m;

    if (is_too_long(way, M, N, K) || !machine_new(&m, 2, &ways[way]))
        return;
    struct packed p = weight(m.k, N, K, 6);
    float *x = normals(M * K, 7), *y = floats(M * N), *z = floats(M * N);

    for (size_t i = 0; i < M; i += 5)
        gemm_rows(m.k, y + i * N, N, x + i * K, K, M - i < 5 ? M - i : 5, &p.w);
    gemm_nt(m.k, z, N, x, K, p.W, K, M, N, K, 0);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "nt: way %d: %zu %zu %zu", way, M,
                 N, K);
    memset(z, 0, M * N * sizeof *z);
    gemm_rows(m.k, z, N, x, K, M, &p.w);
    cr_expect_eq(memcmp(y, z, M * N * sizeof *y), 0, "rows: way %d: %zu %zu %zu", way,
                 M, N, K);
    free(z);
    free(y);
    free(x);
    weight_free(&p);
    machine_free(&m);
}

/* Our kernels make no difference between few rows and many: what was sampled is scored
 * with the same bits. */
TheoryDataPoints(gemm, scoring_has_the_bits_of_sampling) = {
    DataPoints(int, 1, 2, 3, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 1, 50, 401, 1550),
    DataPoints(size_t, 33, 100, 3100),
    DataPoints(size_t, 7, 650),
};
Theory((int way, size_t M, size_t N, size_t K), gemm, scoring_has_the_bits_of_sampling)
{
    check_scoring(way, M, N, K);
}

/* Deeper than the scratch holds that many rows. */
TheoryDataPoints(gemm, parts_of_packed_weights) = {
    DataPoints(int, 1, 2, 3, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 33),
};
Theory((int way, size_t N), gemm, parts_of_packed_weights)
{
    check_scoring(way, 1550, N, 3700);
}

Test(gemm, unknown_ways_are_refused)
{
    struct kern *k;
    struct err e = {0};

    if (!isa_has(ISA_AVX512))
        cr_expect_eq(kern_new(&k, NULL, &(struct kern_opts){.isa = ISA_AVX512}, &e),
                     ERR_USAGE);
    cr_assert_eq(kern_new(&k, NULL, NULL, &e), 0);
    cr_expect(strstr(kern_name(k), isa_name(isa_best())) != NULL, "%s", kern_name(k));
    kern_free(k);
    cr_assert_eq(kern_new(&k, NULL, &(struct kern_opts){.backend = KERN_OPENBLAS}, &e),
                 0);
    cr_expect(strstr(kern_name(k), "openblas") != NULL, "%s", kern_name(k));
    kern_free(k);
}
