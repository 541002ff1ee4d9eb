#include "kern/gemm.h"

#include "../support/machine.h"
#include "../support/products.h"
#include "kern/ordered.h"
#include "tensor/dims.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <stdlib.h>
#include <string.h>

/*
 * Products whose result is handed on in pieces, and those whose operands are in order.
 */

/* ---- pieces -------------------------------------------------------------------------- */

/* Where pieces are put together again: y (M, halves F), and how often each element or pair came. */
struct joined {
    float *y;
    unsigned char *times;
    size_t M, F, halves;
    int ordered; /* rows begin where operands in order can */
};

static void join(void *ctx, const struct gemm_piece *p)
{
    const struct joined *j = ctx;

    cr_assert(p->row + p->rows <= j->M && p->col + p->cols <= j->F && p->cols > 0);
    cr_assert(!j->ordered ||
              (p->row % ORDERED_ROWS == 0 && p->col % ORDERED_COLUMNS == 0 &&
               (p->rows % ORDERED_ROWS == 0 || p->row + p->rows == j->M)));
    for (size_t r = 0; r < p->rows; r++)
        for (size_t half = 0; half < j->halves; half++) {
            float *x = p->x + r * p->ld + half * p->across;

            memcpy(j->y + ((p->row + r) * j->halves + half) * j->F + p->col, x,
                   p->cols * sizeof *x);
            memset(x, 0xff, p->cols * sizeof *x); /* it is ours */
        }
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->cols; c++)
            j->times[(p->row + r) * j->F + p->col + c]++;
}

static struct joined joined(const struct kern *k, size_t M, size_t F, size_t halves)
{
    return (struct joined){floats(M * halves * F),
                           calloc(M, F),
                           M,
                           F,
                           halves,
                           ordered_wanted(k) && F % ORDERED_COLUMNS == 0};
}

/* Each came as often as `done` says, and y is that of j. */
static void check_joined(struct joined *j, const float *y, int done, int way)
{
    for (size_t i = 0; i < j->M * j->F; i++)
        cr_assert_eq(j->times[i], done, "way %d, %zu x %zu: %zu", way, j->M, j->F, i);
    cr_expect(!done || memcmp(y, j->y, j->M * j->halves * j->F * sizeof *y) == 0,
              "way %d, %zu x %zu", way, j->M, j->F);
    free(j->times);
    free(j->y);
}

/* Is it handed on?  OpenBLAS has no panels. */
static int has_pieces(int way)
{
    return ways[way].backend != KERN_OPENBLAS &&
           (ways[way].backend == KERN_PACK || isa_best() > ISA_PLAIN);
}

/* Each returns whether pieces were handed on; -1: not tried. */

static int check_rows(int way, size_t M, size_t F, size_t K)
{
    struct machine m;

    if (is_too_long(way, M, 2 * F, K) || !machine_new(&m, 3, &ways[way]))
        return -1;
    struct packed p = weight(m.k, 2 * F, K, 1);
    const size_t ldx = K + 3;
    float *x = normals((M + 1) * ldx, 2), *y = floats(M * 2 * F);
    struct joined j = joined(m.k, M, F, 2);
    const struct gemm_pieces to = {join, &j};

    gemm_rows(m.k, y, 2 * F, x, ldx, M, &p.w);
    cr_expect_eq(gemm_rows_pairs(m.k, &to, x, ldx, 0, &p.w), 0, "no rows");
    const int done = gemm_rows_pairs(m.k, &to, x, ldx, M, &p.w);
    check_joined(&j, y, done, way);
    free(y);
    free(x);
    weight_free(&p);
    machine_free(&m);
    return done;
}

/* gemm_nt in pairs, gemm_nn in pieces; with OpenBLAS's bits there is nothing to compare. */
static int check_free(int way, int back, size_t M, size_t F, size_t K)
{
    const size_t halves = back ? 1 : 2, N = halves * F;
    struct machine m;

    if (is_too_long(way, M, N, K) || !machine_new(&m, 3, &ways[way]))
        return -1;
    const size_t ldx = K + 3, ldw = (back ? F : K) + 1;
    float *x = normals((M + 1) * ldx, 2), *y = floats(M * N);
    float *W = normals(((back ? K : N) + 1) * ldw, 3);
    struct joined j = joined(m.k, M, F, halves);
    const struct gemm_pieces to = {join, &j};
    int done;

    if (back) {
        gemm_nn(m.k, y, N, x, ldx, W, ldw, M, K, N, 0);
        done = gemm_nn_pieces(m.k, &to, x, ldx, W, ldw, M, K, N);
        cr_expect_eq(gemm_nn_pieces(m.k, &to, x, ldx, W, ldw, M, 0, N), 0, "no depth");
    } else {
        gemm_nt(m.k, y, N, x, ldx, W, ldw, M, N, K, 0);
        done = gemm_nt_pairs(m.k, &to, x, ldx, W, ldw, M, N, K);
        cr_expect_eq(gemm_nt_pairs(m.k, &to, x, ldx, W, ldw, M, N - 1, K), 0, "odd");
    }
    check_joined(&j, y, done, way);
    free(W);
    free(y);
    free(x);
    machine_free(&m);
    return done;
}

TheoryDataPoints(pieces, are_those_of_rows) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 1, 9, 128, 129, 300),
    DataPoints(size_t, 384, 100),
    DataPoints(size_t, 5, 577),
};
Theory((int way, size_t M, size_t F, size_t K), pieces, are_those_of_rows)
{
    const int done = check_rows(way, M, F, K);

    if (done >= 0 && F == 384) /* whole panels of every set */
        cr_expect_eq(done, has_pieces(way), "way %d, %zu x %zu", way, M, F);
}

TheoryDataPoints(pieces, are_those_of_free_order) = {
    DataPoints(int, 0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14),
    DataPoints(int, 0, 1),
    DataPoints(size_t, 1, 9, 128, 300),
    DataPoints(size_t, 384, 100),
    DataPoints(size_t, 5, 577),
};
Theory((int way, int back, size_t M, size_t F, size_t K), pieces,
       are_those_of_free_order)
{
    const int done = check_free(way, back, M, F, K);

    if (done >= 0 && (F == 384 || back))
        cr_expect_eq(done, has_pieces(way), "way %d, %d, %zu x %zu", way, back, M, F);
}

/* More rows and columns than there are in a part. */
Test(pieces, of_many_parts)
{
    for (int way = 0; way < WAYS; way++) {
        const int done[] = {
            check_rows(way, 1700, 192, 5), check_rows(way, 130, 3840, 5),
            check_free(way, 0, 130, 3840, 5), check_free(way, 1, 1700, 192, 5),
            check_free(way, 1, 130, 3840, 5)};

        for (size_t i = 0; i < sizeof done / sizeof *done; i++)
            cr_expect(done[i] < 0 || done[i] == has_pieces(way), "way %d: %zu", way, i);
    }
}

/* The scratch holds no 1,536 rows of that depth. */
Test(pieces, not_where_rows_are_too_deep)
{
    enum { M = 1536, F = 64, K = 6000 };
    float *x = floats((size_t)M * K), *W = floats((size_t)2 * F * K);
    const struct gemm_pieces to = {NULL, NULL};
    struct machine m;

    for (int way = 0; way < WAYS; way++)
        if (machine_new(&m, 2, &ways[way])) {
            struct packed p = weight(m.k, 2 * F, K, 1);

            cr_expect_eq(gemm_rows_pairs(m.k, &to, x, K, M, &p.w), 0);
            cr_expect_eq(gemm_nt_pairs(m.k, &to, x, K, W, K, M, 2 * F, K), 0);
            weight_free(&p);
            machine_free(&m);
        }
    free(W);
    free(x);
}

/* So deep that a part is some columns only. */
Test(pieces, of_narrow_parts)
{
    for (int way = 1; way < 4; way++) {
        const int done = check_free(way, 0, 300, 960, 2000);

        cr_expect(done != 0, "way %d", way);
    }
}

/* ---- in order ------------------------------------------------------------------------ */

static uint32_t *some_words(size_t M, size_t K)
{
    uint32_t *w = (void *)floats(ordered_bytes(M, K) / sizeof(float));

    memset(w, 0xff, ordered_bytes(M, K));
    return w;
}

/* X (M, K) in all orders, put in pieces: rows from the end, columns in turn. */
static struct ordered put(const struct kern *k, const float *x, size_t ld, size_t M,
                          size_t K)
{
    const struct ordered o = {M, K, some_words(M, K), some_words(M, K),
                              some_words(M, K)};
    const size_t high = 3 * ORDERED_ROWS, wide = 2 * ORDERED_COLUMNS;

    for (size_t r = round_up(M, high); r > 0; r -= high)
        for (size_t c = 0; c < K; c += wide)
            if (r - high < M)
                ordered_put(&o, k, x + (r - high) * ld + c, ld, r - high,
                            least(high, M - (r - high)), c, least(wide, K - c));
    return o;
}

static void ordered_free(struct ordered *o)
{
    free(o->rows);
    free(o->columns);
    free(o->panels);
}

/* Y (rows, cols) twice: with rubbish for beta 0, else the same numbers. */
struct twice {
    float *y, *z;
    size_t n;
    float beta;
};

static struct twice twice(size_t rows, size_t cols, float beta)
{
    const size_t n = rows * cols;
    struct twice t = {normals(n, 7), normals(n, beta == 0 ? 8 : 7), n, beta};

    return t;
}

static void expect_same(struct twice *t, const char *what, size_t M, size_t N, size_t K)
{
    cr_expect_eq(memcmp(t->y, t->z, t->n * sizeof *t->y), 0, "%s: %zu %zu %zu, beta %g",
                 what, M, N, K, (double)t->beta);
    free(t->y);
    free(t->z);
}

/* X (M, K) in order and as float32, times matrices of N rows or columns. */
static void check_ordered(struct kern *k, size_t M, size_t N, size_t K, float beta)
{
    const size_t ld = K + 2;
    float *x = normals((M + 1) * ld, 1), *W = normals(N * K, 2), *d = normals(M * N, 3);
    struct ordered o = put(k, x, ld, M, K);
    struct packed p = weight(k, N, K, 4);
    struct twice rows = twice(M, N, 0), nt = twice(M, N, beta), nn = twice(M, N, beta),
                 left = twice(K, N, beta), right = twice(N, K, beta);

    gemm_rows(k, rows.y, N, x, ld, M, &p.w);
    ordered_rows(k, rows.z, N, &o, &p.w);
    expect_same(&rows, "rows", M, N, K);
    gemm_nt(k, nt.y, N, x, ld, W, K, M, N, K, beta);
    ordered_nt(k, nt.z, N, &o, W, K, N, beta);
    expect_same(&nt, "nt", M, N, K);
    gemm_nn(k, nn.y, N, x, ld, W, N, M, K, N, beta);
    ordered_nn(k, nn.z, N, &o, W, N, N, beta);
    expect_same(&nn, "nn", M, N, K);
    gemm_tn(k, left.y, N, x, ld, d, N, M, K, N, beta);
    ordered_tn_left(k, left.z, N, &o, d, N, N, beta);
    expect_same(&left, "tn, left", M, N, K);
    gemm_tn(k, right.y, K, d, N, x, ld, M, N, K, beta);
    ordered_tn_right(k, right.z, K, d, N, &o, N, beta);
    expect_same(&right, "tn, right", M, N, K);
    ordered_free(&o);
    weight_free(&p);
    free(d);
    free(W);
    free(x);
}

/* X (M, K)^T times a matrix of N columns, both in order. */
static void check_both(struct kern *k, size_t M, size_t N, size_t K, float beta)
{
    const size_t ld = K + 2;
    float *x = normals((M + 1) * ld, 1), *d = normals(M * N, 3);
    struct ordered o = put(k, x, ld, M, K), right = put(k, d, N, M, N);
    struct twice both = twice(K, N, beta);

    gemm_tn(k, both.y, N, x, ld, d, N, M, K, N, beta);
    ordered_tn(k, both.z, N, &o, &right, beta);
    expect_same(&both, "tn, both", M, N, K);
    ordered_free(&right);
    ordered_free(&o);
    free(d);
    free(x);
}

TheoryDataPoints(ordered, products_have_the_bits_of_float32) = {
    DataPoints(int, 11, 12, 13, 14),     DataPoints(size_t, 1, 31, 33, 160),
    DataPoints(size_t, 1, 70),           DataPoints(size_t, 64, 192),
    DataPoints(float, 0.0f, 1.0f, 2.0f),
};
Theory((int way, size_t M, size_t N, size_t K, float beta), ordered,
       products_have_the_bits_of_float32)
{
    struct machine m;

    if (is_too_long(way, M, N, K) || !machine_new(&m, 2, &ways[way]))
        return;
    if (ordered_wanted(m.k)) {
        check_ordered(m.k, M, N, K, beta);
        check_both(m.k, M, round_up(N, ORDERED_COLUMNS), K, beta);
    }
    machine_free(&m);
}

/* Deeper than a part: the scratch is of 2,211,840 floats. */
Test(ordered, of_deep_parts)
{
    enum { M = 1, N = 3072, K = 1472 };
    struct machine m;

    for (int way = 11; way < WAYS; way++) {
        if (!machine_new(&m, 2, &ways[way]))
            continue;
        float *x = normals(K, 1), *W = normals((size_t)N * K, 2);
        struct ordered o = put(m.k, x, K, M, K);
        struct twice nn = twice(M, N, 1);

        gemm_nn(m.k, nn.y, N, x, K, W, N, M, K, N, 1);
        ordered_nn(m.k, nn.z, N, &o, W, N, N, 1);
        expect_same(&nn, "nn", M, N, K);
        ordered_free(&o);
        free(W);
        free(x);
        machine_free(&m);
    }
}

/* More rows of the result than there are in a part. */
Test(ordered, of_many_rows)
{
    struct machine m;

    for (int way = 11; way < WAYS; way++)
        if (machine_new(&m, 2, &ways[way])) {
            check_both(m.k, 33, 64, 1536 + 64, 1);
            machine_free(&m);
        }
}

/* Only a unit reads them. */
Test(ordered, is_wanted_by_units)
{
    struct machine m;

    for (int way = 0; way < WAYS; way++)
        if (machine_new(&m, 1, &ways[way])) {
            const int unit =
                ways[way].unit || ways[way].isa >= ISA_AVX512_BF16 ||
                (ways[way].dtype == KERN_BF16 && ways[way].isa == ISA_AUTO &&
                 isa_best_bf16() >= ISA_AVX512_BF16);

            cr_expect_eq(ordered_wanted(m.k), unit, "way %d", way);
            machine_free(&m);
        }
}
