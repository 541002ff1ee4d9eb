/* Pieces of parameters by any number of threads: hashed as one, packed as one, and the first
 * that is not a number is told. */
#include "../support/machine.h"
#include "model/load_pieces.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5 * GEMM_PIECE + 17, COLS = 40, MATRICES = 7, ALL = ROWS * COLS };

/* Matrices of different numbers of rows, where they lie and as float32 in a file. */
struct fixture {
    float *x[MATRICES];
    size_t rows[MATRICES];
    struct weights_tensor t[MATRICES];
};

static void fixture_new(struct fixture *f)
{
    static const char *const names[MATRICES] = {"a", "b", "c", "d", "e", "f", "g"};

    for (size_t i = 0; i < MATRICES; i++) {
        f->rows[i] = i == 0 ? ROWS : 1 + i * 97;
        f->x[i] = normals(f->rows[i] * COLS, i + 1);
        f->t[i] = (struct weights_tensor){.name = names[i],
                                          .file = "file",
                                          .rows = f->rows[i],
                                          .cols = COLS,
                                          .code = DTYPE_F32,
                                          .data = (const void *)f->x[i]};
    }
}

static void fixture_free(struct fixture *f)
{
    for (size_t i = 0; i < MATRICES; i++)
        free(f->x[i]);
}

/* Every other matrix is read to `to`, the others lie there. */
static int run(const struct fixture *f, struct kern *k, struct hasher *h, float *to,
               struct err *e)
{
    struct pieces p = {0};

    for (size_t i = 0; i < MATRICES; i++) {
        const struct piece x = {.t = &f->t[i],
                                .there = i % 2 ? f->x[i] : NULL,
                                .to = to,
                                .rows = f->rows[i],
                                .cols = COLS};

        cr_assert_eq(pieces_add(&p, &x, e), 0);
        to += i % 2 ? 0 : f->rows[i] * COLS;
    }
    const int rc = pieces_run(&p, k, h, e);
    cr_expect_eq(p.n, 0);
    cr_expect_eq(pieces_run(&p, k, h, e), 0, "none is left");
    pieces_release(&p);
    return rc;
}

Test(load_pieces, hashed_in_order)
{
    struct fixture f;
    struct hasher *want = hasher_new(), *got = hasher_new();
    float *to = floats(MATRICES * ALL);

    fixture_new(&f);
    for (size_t i = 0; i < MATRICES; i++)
        hasher_add(want, f.x[i], f.rows[i] * COLS * sizeof(float));
    for (size_t threads = 1; threads <= 4; threads++)
        for (int turn = 0; turn < 20; turn++) {
            struct machine m;
            struct err e = {0};

            machine_new(&m, threads, NULL);
            hasher_reset(got);
            memset(to, 0xff, MATRICES * ALL * sizeof *to);
            cr_assert_eq(run(&f, m.k, got, to, &e), 0, "%s", e.text);
            cr_assert_eq(hasher_value(got), hasher_value(want), "%zu threads", threads);
            cr_assert_eq(memcmp(to, f.x[0], ALL * sizeof *to), 0);
            cr_assert_eq(run(&f, m.k, NULL, to, &e), 0, "none is wanted");
            machine_free(&m);
        }
    free(to);
    hasher_free(want);
    hasher_free(got);
    fixture_free(&f);
}

/* Many small ones: whoever hashes is met by the others at every moment. */
Test(load_pieces, none_is_left_out)
{
    enum { SMALL = 3000, NUMBERS = 4 };
    float *x = normals(SMALL * NUMBERS, 1);
    const uint64_t want = hash64(x, SMALL * NUMBERS * sizeof *x);
    struct hasher *h = hasher_new();
    struct machine m;
    struct err e = {0};

    machine_new(&m, 4, NULL);
    for (int turn = 0; turn < 200; turn++) {
        struct pieces p = {0};

        hasher_reset(h);
        for (size_t i = 0; i < SMALL; i++)
            cr_assert_eq(pieces_add(&p,
                                    &(struct piece){.there = x + i * NUMBERS,
                                                    .rows = 1,
                                                    .cols = NUMBERS},
                                    &e),
                         0);
        cr_assert_eq(pieces_run(&p, m.k, h, &e), 0);
        cr_assert_eq(hasher_value(h), want, "turn %d", turn);
        pieces_release(&p);
    }
    machine_free(&m);
    hasher_free(h);
    free(x);
}

Test(load_pieces, first_strange_number_is_told)
{
    struct fixture f;
    struct machine m;
    float *to = floats(MATRICES * ALL);

    fixture_new(&f);
    machine_new(&m, 3, NULL);
    for (size_t i = MATRICES; i-- > 0;) {
        struct err e = {0};
        char want[64];

        f.x[i][f.rows[i] * COLS - 1] = i % 3 ? NAN : INFINITY;
        snprintf(want, sizeof want, "file: '%s' holds what is not a finite number",
                 f.t[i].name);
        cr_expect_eq(run(&f, m.k, NULL, to, &e), ERR_NUMERIC);
        cr_expect_str_eq(e.text, want);
    }
    machine_free(&m);
    free(to);
    fixture_free(&f);
}

/* A weight packed in pieces is that packed at once; and what is read is what was taken off. */
Test(load_pieces, packed_as_one)
{
    for (int type = KERN_F32; type <= KERN_BF16; type++) {
        struct fixture f;
        struct machine m;
        struct gemm_weight a, b;
        struct err e = {0};

        fixture_new(&f);
        machine_new(&m, 3, NULL);
        const size_t bytes = gemm_pack_bytes(m.k, ROWS, COLS, (enum kern_dtype)type);
        float *mem[2] = {zeros(bytes / 4), zeros(bytes / 4)}, *less = floats(ALL);
        struct pieces p = {0};

        if (bytes > 0) {
            for (size_t i = 0; i < ALL; i++)
                less[i] = f.x[0][i] - 0.5f;
            cr_assert_eq(gemm_pack(&a, m.k, mem[0], less, COLS, ROWS, COLS,
                                   (enum kern_dtype)type, &e),
                         0);
            gemm_pack_begin(&b, mem[1], ROWS, COLS, (enum kern_dtype)type);
            cr_assert_eq(pieces_add(&p,
                                    &(struct piece){.t = &f.t[0],
                                                    .to = less,
                                                    .rows = ROWS,
                                                    .cols = COLS,
                                                    .less = 0.5f,
                                                    .w = &b},
                                    &e),
                         0);
            cr_assert_eq(pieces_run(&p, m.k, NULL, &e), 0);
            cr_expect_eq(memcmp(mem[0], mem[1], bytes), 0);
        }
        pieces_release(&p);
        free(mem[0]);
        free(mem[1]);
        free(less);
        machine_free(&m);
        fixture_free(&f);
    }
}
