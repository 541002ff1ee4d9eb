#include "nn/gated.h"

#include "../support/act_case.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"
#include "../support/products.h"
#include "kern/bf16.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <stdlib.h>
#include <string.h>

/* ---- whole matrices ------------------------------------------------------------------ */

static double loss(void *ctx)
{
    struct act_case *f = ctx;

    gated_forward(f->m.k, f->y, f->x, f->N, f->F, f->act);
    return dot_double(f->a, f->y, f->N * f->F);
}

TheoryDataPoints(gated, gradient) = {
    DataPoints(int, ISA_PLAIN, ISA_AVX2, ISA_AVX512),
    DataPoints(size_t, 0, 1, 7),
    DataPoints(size_t, 1, 16, 43),
    DataPoints(int, ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_RELU),
};
Theory((int isa, size_t N, size_t F, int act), gated, gradient)
{
    struct act_case f = act_case((enum isa)isa, N, F, 2, (enum act)act);

    if (!f.m.k)
        return;
    float *dx = normals(N * 2 * F, 6); /* overwritten */

    gated_backward(f.m.k, dx, f.a, f.x, N, F, f.act);
    cr_expect_lt(gradcheck(f.x, dx, N * 2 * F, 3e-2f, loss, &f), 1e-3);
    free(dx);
    act_case_free(&f);
}

TheoryDataPoints(gated, rows_are_independent) = {
    DataPoints(int, ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_RELU),
};
Theory((int act), gated, rows_are_independent)
{
    enum { ROWS = 100, F = 67 };
    struct act_case f = act_case(ISA_AUTO, ROWS, F, 2, (enum act)act);
    float y[F];

    gated_forward(f.m.k, f.y, f.x, ROWS, F, f.act);
    for (size_t n = 0; n < ROWS; n++) {
        gated_forward(f.m.k, y, f.x + n * 2 * F, 1, F, f.act);
        cr_expect_eq(memcmp(y, f.y + n * F, sizeof y), 0, "row %zu", n);
    }
    act_case_free(&f);
}

/* ---- with the product ---------------------------------------------------------------- */

/* What a matrix (M, K) is, in whatever form: float32, or that times a matrix of N columns by each
 * order that there is, one behind the other. */
enum { N_SEEN = 33 };

static float *seen(struct kern *k, const float *x, size_t M, size_t K)
{
    float *W = normals(N_SEEN * K, 11), *d = normals(M * N_SEEN, 12);
    float *y = floats((M + 2 * K) * N_SEEN);

    gemm_nt(k, y, N_SEEN, x, K, W, K, M, N_SEEN, K, 0);
    gemm_tn(k, y + M * N_SEEN, N_SEEN, x, K, d, N_SEEN, M, K, N_SEEN, 0);
    gemm_tn(k, y + (M + K) * N_SEEN, K, d, N_SEEN, x, K, M, N_SEEN, K, 0);
    free(d);
    free(W);
    return y;
}

static float *seen_ordered(struct kern *k, const struct ordered *o)
{
    const size_t M = o->M, K = o->K;
    float *W = normals(N_SEEN * K, 11), *d = normals(M * N_SEEN, 12);
    float *y = floats((M + 2 * K) * N_SEEN);

    ordered_nt(k, y, N_SEEN, o, W, K, N_SEEN, 0);
    ordered_tn_left(k, y + M * N_SEEN, N_SEEN, o, d, N_SEEN, N_SEEN, 0);
    ordered_tn_right(k, y + (M + K) * N_SEEN, K, d, N_SEEN, o, N_SEEN, 0);
    free(d);
    free(W);
    return y;
}

static struct ordered room(size_t M, size_t K)
{
    const size_t n = ordered_bytes(M, K) / sizeof(float);

    return (struct ordered){M, K, (void *)floats(n), (void *)floats(n),
                            (void *)floats(n)};
}

/* x (M, K) is what o has, which is freed. */
static void expect_ordered(struct kern *k, const float *x, struct ordered *o,
                           const char *what)
{
    float *a = seen(k, x, o->M, o->K), *b = seen_ordered(k, o);

    cr_expect_eq(memcmp(a, b, (o->M + 2 * o->K) * N_SEEN * sizeof *a), 0,
                 "%s: %zu x %zu", what, o->M, o->K);
    free(a);
    free(b);
    free(o->rows);
    free(o->columns);
    free(o->panels);
}

struct product {
    struct kern *k;
    size_t N, F, K; /* of h W^T; K again of what comes after the gate */
    enum act act;
    float *h, *up, *down, *dout, *x, *y, *dx; /* x, y as they are made one by one */
};

static struct product product(struct kern *k, size_t N, size_t F, size_t K,
                              enum act act)
{
    struct product p = {k, N, F, K, act};

    p.h = normals(N * K, 1);
    p.up = normals(2 * F * K, 2);
    p.down = normals(K * F, 3);
    p.dout = normals(N * K, 4);
    p.x = floats(N * 2 * F);
    p.y = floats(N * F);
    p.dx = floats(N * 2 * F);
    gemm_nt(k, p.x, 2 * F, p.h, K, p.up, K, N, 2 * F, K, 0);
    gated_forward(k, p.y, p.x, N, F, act);
    return p;
}

static void product_free(struct product *p)
{
    float *const all[] = {p->h, p->up, p->down, p->dout, p->x, p->y, p->dx};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* x as it is kept: the same numbers as float32 take its place. */
static uint16_t *keep(float *x, size_t n)
{
    uint16_t *h = malloc(n * sizeof *h);

    cr_assert_not_null(h);
    bf16_narrow(ISA_PLAIN, h, n, x, n, 1, n);
    bf16_widen(ISA_PLAIN, x, h, n);
    return h;
}

/* Forward in order, x kept or not. */
static void check_forward(const struct product *p, int kept)
{
    const size_t n = 2 * p->N * p->F;
    struct ordered y = room(p->N, p->F);
    uint16_t *x = kept ? calloc(n, sizeof *x) : NULL, *want = keep(p->x, n);

    cr_assert(gated_product(p->k, &y, x, (struct gated_from){.x = p->h, .ld = p->K},
                            p->up, p->K, p->N, p->F, p->K, p->act));
    expect_ordered(p->k, p->y, &y, "y");
    cr_expect(!x || memcmp(x, want, n * sizeof *x) == 0, "x: %zu x %zu", p->N, p->F);
    free(want);
    free(x);
}

/* And back, from x that was kept. */
static void check_back(const struct product *p)
{
    struct ordered y = room(p->N, p->F), dx = room(p->N, 2 * p->F);
    uint16_t *x = keep(p->x, 2 * p->N * p->F);
    float *dy = floats(p->N * p->F);

    gated_forward(p->k, p->y, p->x, p->N, p->F, p->act);
    gemm_nn(p->k, dy, p->F, p->dout, p->K, p->down, p->F, p->N, p->K, p->F, 0);
    gated_backward(p->k, p->dx, dy, p->x, p->N, p->F, p->act);
    cr_assert(gated_product_backward(p->k, &dx, &y, x, p->dout, p->K, p->down, p->F,
                                     p->N, p->F, p->K, p->act));
    expect_ordered(p->k, p->y, &y, "again");
    expect_ordered(p->k, p->dx, &dx, "dx");
    free(dy);
    free(x);
}

/* By packed weights. */
static int check_packed(const struct product *p)
{
    struct packed w = weight(p->k, 2 * p->F, p->K, 2);
    float *x = floats(p->N * 2 * p->F), *y = floats(p->N * p->F),
          *z = floats(p->N * p->F);

    gemm_rows(p->k, x, 2 * p->F, p->h, p->K, p->N, &w.w);
    gated_forward(p->k, y, x, p->N, p->F, p->act);
    const int done = gated_rows_product(p->k, (struct gated_to){.floats = z},
                                        (struct gated_from){.x = p->h, .ld = p->K},
                                        p->N, &w.w, p->act);
    if (done)
        cr_expect_eq(memcmp(y, z, p->N * p->F * sizeof *y), 0, "%zu x %zu", p->N, p->F);
    if (done && ordered_wanted(p->k)) {
        struct ordered o = room(p->N, p->F);

        cr_expect(gated_rows_product(p->k, (struct gated_to){.ordered = &o},
                                     (struct gated_from){.x = p->h, .ld = p->K}, p->N,
                                     &w.w, p->act));
        expect_ordered(p->k, y, &o, "packed");
    }
    free(z);
    free(y);
    free(x);
    weight_free(&w);
    return done;
}

/* The same of what is in order already: by packed weights, and by others. */
static void check_from_order(const struct product *p)
{
    uint32_t *words = (void *)floats(ordered_bytes(p->N, p->K) / sizeof(float));
    const struct ordered h = {p->N, p->K, .rows = words};
    const struct gated_from from = {.ordered = &h};
    struct packed w = weight(p->k, 2 * p->F, p->K, 2);
    struct ordered y = room(p->N, p->F), z = room(p->N, p->F);

    ordered_put(&h, p->k, p->h, p->K, 0, p->N, 0, p->K);
    cr_assert(
        gated_product(p->k, &y, NULL, from, p->up, p->K, p->N, p->F, p->K, p->act));
    expect_ordered(p->k, p->y, &y, "from order");
    gemm_rows(p->k, p->x, 2 * p->F, p->h, p->K, p->N, &w.w);
    gated_forward(p->k, p->y, p->x, p->N, p->F, p->act);
    cr_assert(gated_rows_product(p->k, (struct gated_to){.ordered = &z}, from, p->N,
                                 &w.w, p->act));
    expect_ordered(p->k, p->y, &z, "from order, packed");
    weight_free(&w);
    free(words);
}

TheoryDataPoints(gated, products_in_pieces) = {
    DataPoints(int, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
    DataPoints(size_t, 1, 20, 33, 200),
    DataPoints(size_t, 64, 192, 96, 20),
    DataPoints(int, ACT_GELU, ACT_SILU),
};
Theory((int way, size_t N, size_t F, int act), gated, products_in_pieces)
{
    enum { K = 33 };
    struct machine m;

    if (is_too_long(way, N, F, K) || !machine_new(&m, 2, &ways[way]))
        return;
    struct product p = product(m.k, N, F, K, (enum act)act);
    const int whole = F % ORDERED_COLUMNS == 0; /* panels of all ways */
    const int pieces = kern_backend(m.k) != KERN_OPENBLAS;

    const int packed = check_packed(&p);
    cr_expect(!whole || packed == pieces, "way %d: %zu x %zu, packed", way, N, F);
    if (whole && ordered_wanted(m.k)) {
        check_forward(&p, 0);
        check_forward(&p, 1);
        check_back(&p);
        struct product q = product(m.k, N, F, ORDERED_COLUMNS, (enum act)act);
        check_from_order(&q);
        product_free(&q);
    }
    product_free(&p);
    machine_free(&m);
}
