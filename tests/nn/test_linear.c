#include "nn/linear.h"

#include "../support/gradcheck.h"
#include "../support/machine.h"
#include "nn/embed.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct machine m;
    float *x, *W, *b, *a, *y;
    size_t M, N, K, ldx, ldy;
};

static struct fixture fixture(size_t threads, size_t M, size_t N, size_t K)
{
    struct fixture f = {.M = M, .N = N, .K = K, .ldx = K + 2, .ldy = N + 3};

    machine_new(&f.m, threads, NULL);
    f.x = normals(M * f.ldx, 1);
    f.W = normals(N * K, 2);
    f.b = normals(N, 3);
    f.a = normals(M * f.ldy, 4);
    f.y = zeros(M * f.ldy);
    return f;
}

static void fixture_free(struct fixture *f)
{
    free(f->x);
    free(f->W);
    free(f->b);
    free(f->a);
    free(f->y);
    machine_free(&f->m);
}

static void forward(struct fixture *f)
{
    linear_forward(f->m.k, f->y, f->ldy, f->x, f->ldx, f->W, f->b, f->M, f->N, f->K);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;
    double s = 0;

    forward(f);
    for (size_t m = 0; m < f->M; m++)
        s += dot_double(f->a + m * f->ldy, f->y + m * f->ldy, f->N);
    return s;
}

TheoryDataPoints(linear, gradient) = {
    DataPoints(size_t, 0, 1, 6, 70),
    DataPoints(size_t, 1, 19),
    DataPoints(size_t, 1, 33),
};
Theory((size_t M, size_t N, size_t K), linear, gradient)
{
    struct fixture f = fixture(2, M, N, K);
    float *dx = zeros(M * f.ldx), *dW = zeros(N * K), *db = zeros(N);

    linear_backward(f.m.k, dx, f.ldx, dW, 1, db, f.a, f.ldy, f.x, f.ldx, f.W, M, N, K);
    cr_expect_lt(gradcheck(f.x, dx, M * f.ldx, 1e-1f, loss, &f), 1e-4);
    cr_expect_lt(gradcheck(f.W, dW, N * K, 1e-1f, loss, &f), 1e-4);
    cr_expect_lt(gradcheck(f.b, db, N, 1e-1f, loss, &f), 1e-4);
    free(dx);
    free(dW);
    free(db);
    fixture_free(&f);
}

/* The packed path computes the same layer, and no bias is a bias of zero. */
Test(linear, rows_are_the_same_layer)
{
    struct fixture f = fixture(2, 11, 70, 45);
    struct gemm_weight w;
    struct err e = {0};
    float *mem = floats(gemm_pack_bytes(f.m.k, 70, 45, KERN_F32) / sizeof *mem);
    float *y = zeros(11 * f.ldy);

    cr_assert_eq(gemm_pack(&w, f.m.k, mem, f.W, 45, 70, 45, KERN_F32, &e), 0);
    for (int bias = 0; bias < 2; bias++) {
        const float *b = bias ? f.b : NULL;

        linear_forward(f.m.k, f.y, f.ldy, f.x, f.ldx, f.W, b, 11, 70, 45);
        linear_rows(f.m.k, y, f.ldy, f.x, f.ldx, &w, b, 11);
        for (size_t i = 0; i < 11 * f.ldy; i++)
            cr_expect_float_eq(y[i], f.y[i], 2e-5);
    }
    gemm_weight_release(&w);
    free(mem);
    free(y);
    fixture_free(&f);
}

Test(linear, unwanted_gradients_are_left_out)
{
    struct fixture f = fixture(1, 5, 6, 7);
    float *dx = zeros(5 * f.ldx), *dW = zeros(42), *db = zeros(6);
    float *ex = zeros(5 * f.ldx), *eW = zeros(42), *eb = zeros(6);

    linear_backward(f.m.k, dx, f.ldx, dW, 1, db, f.a, f.ldy, f.x, f.ldx, f.W, 5, 6, 7);
    linear_backward(f.m.k, ex, f.ldx, NULL, 0, NULL, f.a, f.ldy, f.x, f.ldx, f.W, 5, 6,
                    7);
    linear_backward(f.m.k, NULL, 0, eW, 1, NULL, f.a, f.ldy, f.x, f.ldx, f.W, 5, 6, 7);
    linear_backward(f.m.k, NULL, 0, NULL, 0, eb, f.a, f.ldy, f.x, f.ldx, f.W, 5, 6, 7);
    cr_expect_eq(memcmp(dx, ex, 5 * f.ldx * sizeof *dx), 0);
    cr_expect_eq(memcmp(dW, eW, 42 * sizeof *dW), 0);
    cr_expect_eq(memcmp(db, eb, 6 * sizeof *db), 0);
    free(dx);
    free(dW);
    free(db);
    free(ex);
    free(eW);
    free(eb);
    fixture_free(&f);
}

Test(linear, add_is_the_sum)
{
    struct machine m;
    enum { N = 130, C = 201 };
    float *y = normals(N * C, 1), *x = normals(N * C, 2), *y0 = normals(N * C, 1);

    machine_new(&m, 2, NULL);
    add_forward(m.k, y, x, N, C);
    for (size_t i = 0; i < N * C; i++)
        cr_expect_eq(y[i], y0[i] + x[i]);
    free(y);
    free(x);
    free(y0);
    machine_free(&m);
}

/* ---- embed ----------------------------------------------------------------------- */

enum { VOCAB = 11, PLACES = 40 };

struct embed {
    struct machine m;
    float *wte, *wpe, *a, *y;
    int32_t *ids, *pos; /* pos NULL: no positions */
    size_t N, C;
    float scale;
};

static double embed_loss(void *ctx)
{
    struct embed *f = ctx;

    embed_forward(f->m.k, f->y, f->ids, f->pos, f->wte, f->pos ? f->wpe : NULL, f->N,
                  f->C, f->scale);
    return dot_double(f->a, f->y, f->N * f->C);
}

TheoryDataPoints(embed, gradient) = {
    DataPoints(size_t, 0, 1, 40),
    DataPoints(size_t, 1, 16, 37),
    DataPoints(int, 0, 1),
};
Theory((size_t N, size_t C, int positions), embed, gradient)
{
    int32_t ids[PLACES], pos[PLACES];
    struct embed f = {
        .ids = ids, .pos = positions ? pos : NULL, .N = N, .C = C, .scale = 1.7f};
    float *dwte = zeros(VOCAB * C), *dwpe = zeros(PLACES * C);

    machine_new(&f.m, 2, NULL);
    f.wte = normals(VOCAB * C, 1);
    f.wpe = normals(PLACES * C, 2);
    f.a = normals(N * C, 3);
    f.y = floats(N * C);
    for (size_t n = 0; n < PLACES; n++) {
        ids[n] = (int32_t)(n * n % VOCAB); /* again and again the same */
        pos[n] = (int32_t)(n % 17);
    }
    embed_backward(f.m.k, dwte, positions ? dwpe : NULL, f.a, ids, f.pos, N, C,
                   f.scale);
    cr_expect_lt(gradcheck(f.wte, dwte, VOCAB * C, 1e-1f, embed_loss, &f), 1e-5);
    cr_expect_lt(gradcheck(f.wpe, dwpe, PLACES * C, 1e-1f, embed_loss, &f), 1e-5);
    free(dwte);
    free(dwpe);
    free(f.wte);
    free(f.wpe);
    free(f.a);
    free(f.y);
    machine_free(&f.m);
}
