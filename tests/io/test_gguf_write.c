/* GGUF written and read again: every kind of value, tensors of every type in pieces of any
 * size, and what is refused. */
#include "io/gguf_write.h"

#include "../support/files.h"
#include "../support/gradcheck.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int create(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    cr_assert_geq(fd, 0);
    return fd;
}

static void put_all(struct gguf_meta *m)
{
    gguf_put_str(m, "general.architecture", "test", 4);
    gguf_put_str(m, "a.string", "a\0b", 3);
    gguf_put_str(m, "an.empty", NULL, 0);
    gguf_put_size(m, "a.u32", UINT32_MAX);
    gguf_put_size(m, "a.u64", (size_t)UINT32_MAX + 1);
    gguf_put_f32(m, "a.f32", 0.1);
    gguf_put_f64(m, "a.f64", 0.1);
    gguf_put_bool(m, "a.true", 7);
    gguf_put_array(m, "some.strings", GGUF_STRING, 2);
    gguf_add_str(m, "one", 3);
    gguf_add_str(m, "", 0);
    gguf_put_array(m, "some.integers", GGUF_I32, 3);
    for (int i = -1; i < 2; i++)
        gguf_add_i32(m, i);
    gguf_put_array(m, "no.numbers", GGUF_F32, 0);
    gguf_put_array(m, "some.numbers", GGUF_F32, 1);
    gguf_add_f32(m, 1.5f);
}

static void check_all(const struct gguf *g)
{
    struct gguf_array list;
    struct gguf_str s;
    struct err e = {0};
    int64_t n;
    double x;
    size_t v;
    int b;

    cr_assert_eq(g->nkv, 12);
    cr_assert_eq(gguf_get_str(&s, g, "a.string", &e), 1);
    cr_expect(s.n == 3 && memcmp(s.s, "a\0b", 3) == 0);
    cr_expect(gguf_get_str(&s, g, "an.empty", &e) == 1 && s.n == 0);
    cr_expect_eq(gguf_find(g, "a.u32")->type, GGUF_U32);
    cr_expect(gguf_get_size(&v, g, "a.u32", 0, SIZE_MAX, &e) == 1 && v == UINT32_MAX);
    cr_expect_eq(gguf_find(g, "a.u64")->type, GGUF_U64);
    cr_expect(gguf_get_size(&v, g, "a.u64", 0, SIZE_MAX, &e) == 1 && v == 1ull << 32);
    cr_expect(gguf_get_double(&x, g, "a.f32", &e) == 1 && x == 0.1f);
    cr_expect(gguf_get_double(&x, g, "a.f64", &e) == 1 && x == 0.1);
    cr_expect(gguf_get_bool(&b, g, "a.true", &e) == 1 && b == 1);
    cr_assert_eq(gguf_get_array(&list, g, "some.strings", GGUF_STRING, &e), 1);
    cr_expect(gguf_next_str(&list, &s) && s.n == 3 && memcmp(s.s, "one", 3) == 0);
    cr_expect(gguf_next_str(&list, &s) && s.n == 0 && !gguf_next_str(&list, &s));
    cr_assert_eq(gguf_get_array(&list, g, "some.integers", GGUF_I32, &e), 1);
    for (int i = -1; i < 2; i++)
        cr_expect(gguf_next_int(&list, &n) && n == i);
    cr_assert_eq(gguf_get_array(&list, g, "no.numbers", GGUF_F32, &e), 1);
    cr_expect_eq(list.n, 0);
    cr_assert_eq(gguf_get_array(&list, g, "some.numbers", GGUF_F32, &e), 1);
    cr_expect(gguf_next_double(&list, &x) && x == 1.5);
}

/* Two dimensions and more, one, an empty tensor, odd sizes that want padding. */
static const struct gguf_decl decl[] = {
    {"f32.weight", QUANT_F32, 2, {3, 5}},
    {"empty", QUANT_F32, 1, {0}},
    {"f16", QUANT_F16, 1, {7}},
    {"bf16", QUANT_BF16, 3, {2, 3, 1}},
    {"q8_0", QUANT_Q8_0, 2, {3, 64}},
    {"q4_0", QUANT_Q4_0, 4, {2, 1, 3, 32}},
    {"large", QUANT_Q8_0, 2, {300, 32 * 40}},
};
enum { TENSORS = sizeof decl / sizeof *decl };

static size_t count(const struct gguf_decl *d)
{
    size_t n = 1;

    for (size_t i = 0; i < d->rank; i++)
        n *= d->dims[i];
    return n;
}

static void put_tensor(struct gguf_writer *w, const struct gguf_decl *d, const float *x,
                       size_t piece)
{
    const size_t block = quant_block(d->type), n = count(d);
    struct err e = {0};

    for (size_t i = 0, k; i < n; i += k) {
        k = piece * block < n - i ? piece * block : n - i;
        cr_assert_eq(gguf_writer_put(w, x + i, k, &e), 0, "%s", e.text);
    }
}

static void check_tensor(const struct gguf *g, const struct gguf_decl *d,
                         const float *x)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, d->name);
    const size_t n = count(d);
    unsigned char *want = malloc(4 * n + 1);

    cr_assert(t && want);
    cr_expect_eq(t->type, d->type);
    cr_expect_eq(t->rank, d->rank);
    cr_expect_eq(memcmp(t->dims, d->dims, d->rank * sizeof *t->dims), 0);
    cr_assert_eq(quant_narrow(want, x, d->type, n), 0);
    cr_expect_eq(memcmp(t->data, want, quant_bytes(d->type, n)), 0, "%s", d->name);
    free(want);
}

Test(gguf_write, what_is_written_is_read)
{
    static const size_t pieces[] = {1, 3, 1000000};
    char *dir = scratch_make();

    for (size_t k = 0; k < 3; k++) {
        const char *path = path_in(dir, k ? "b.gguf" : "a.gguf");
        const int fd = create(path);
        struct gguf_meta m = {0};
        struct gguf_writer *w;
        struct err e = {0};
        struct gguf g;
        float *x[TENSORS];

        put_all(&m);
        cr_assert_eq(gguf_writer_open(&w, fd, path, &m, decl, TENSORS, &e), 0, "%s",
                     e.text);
        for (size_t i = 0; i < TENSORS; i++) {
            x[i] = malloc((count(&decl[i]) + 1) * sizeof **x);
            cr_assert(x[i]);
            fill_normal(x[i], count(&decl[i]), 1, i);
            put_tensor(w, &decl[i], x[i], pieces[k]);
        }
        cr_assert_eq(gguf_writer_close(w, 0, &e), 0, "%s", e.text);
        close(fd);
        gguf_meta_release(&m);
        cr_assert_eq(gguf_open(&g, path, &e), 0, "%s", e.text);
        check_all(&g);
        cr_expect_eq(g.ntensors, TENSORS);
        for (size_t i = 0; i < TENSORS; i++) {
            check_tensor(&g, &decl[i], x[i]);
            free(x[i]);
        }
        gguf_close(&g);
    }
    scratch_remove(dir);
}

/* All metadata of a file, copied value by value, is that of the copy. */
Test(gguf_write, copies_of_metadata)
{
    static const char *const names[] = {"gguf/q_f32.gguf", "gguf/llama-q4_1.gguf"};
    char *dir = scratch_make();

    for (size_t k = 0; k < 2; k++) {
        const char *path = path_in(dir, "copy.gguf");
        const int fd = create(path);
        struct gguf_meta m = {0};
        struct gguf_writer *w;
        struct err e = {0};
        struct gguf a, b;

        cr_assert_eq(gguf_open(&a, golden_file(names[k]), &e), 0, "%s", e.text);
        for (size_t i = 0; i < a.nkv; i++)
            gguf_put_kv(&m, &a.kv[i]);
        cr_assert_eq(gguf_writer_open(&w, fd, path, &m, NULL, 0, &e), 0, "%s", e.text);
        cr_assert_eq(gguf_writer_close(w, 0, &e), 0);
        close(fd);
        gguf_meta_release(&m);
        cr_assert_eq(gguf_open(&b, path, &e), 0, "%s", e.text);
        cr_assert(a.nkv == b.nkv && a.nkv > 3);
        for (size_t i = 0; i < a.nkv; i++) {
            cr_expect_eq(a.kv[i].type, b.kv[i].type);
            cr_expect_eq(a.kv[i].is_array, b.kv[i].is_array);
            cr_expect_eq(a.kv[i].n, b.kv[i].n);
            cr_assert_eq(a.kv[i].size, b.kv[i].size);
            cr_expect_eq(memcmp(a.kv[i].data, b.kv[i].data, a.kv[i].size), 0);
        }
        gguf_close(&a);
        gguf_close(&b);
    }
    scratch_remove(dir);
}

/* What may not be declared or put. */
Test(gguf_write, refusals)
{
    static const struct gguf_decl bad[] = {
        {"blocks", QUANT_Q8_0, 2, {4, 40}},
        {"type", QUANT_Q4_1, 2, {4, 32}},
        {"rank", QUANT_F32, 0, {0}},
        {"large", QUANT_F32, 3, {1ull << 30, 1ull << 30, 1ull << 30}},
    };
    const struct gguf_decl one = {"one", QUANT_Q8_0, 2, {2, 32}};
    const struct gguf_meta m = {0};
    struct gguf_writer *w;
    float x[96] = {0};
    struct err e = {0};
    const int fd = open("/dev/null", O_WRONLY);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(gguf_writer_open(&w, fd, "null", &m, &bad[i], 1, &e), ERR_USAGE);
        cr_expect(strstr(e.text, bad[i].name), "%s", e.text);
    }
    cr_assert_eq(gguf_writer_open(&w, fd, "null", &m, &one, 1, &e), 0);
    cr_expect_eq(gguf_writer_put(w, x, 96, &e), ERR_USAGE, "too many");
    cr_expect_eq(gguf_writer_put(w, x, 31, &e), ERR_USAGE, "no whole block");
    cr_expect_eq(gguf_writer_put(w, x, 32, &e), 0);
    x[3] = 1e30f;
    cr_expect_eq(gguf_writer_put(w, x, 32, &e), ERR_NUMERIC);
    cr_expect(strstr(e.text, "'one'"), "%s", e.text);
    cr_expect_eq(gguf_writer_close(w, 0, &e), ERR_USAGE, "values are missing");
    cr_expect_eq(
        gguf_writer_open(&w, fd, "null", &(struct gguf_meta){.failed = 1}, &one, 1, &e),
        ERR_NOMEM);
    close(fd);
}

Test(gguf_write, a_full_disk)
{
    const struct gguf_decl one = {"one", QUANT_F32, 1, {1 << 20}};
    const struct gguf_meta m = {0};
    const int fd = open("/dev/full", O_WRONLY);
    struct gguf_writer *w;
    struct err e = {0};

    if (fd < 0)
        cr_skip_test("no /dev/full");
    cr_expect_eq(gguf_writer_open(&w, fd, "/dev/full", &m, &one, 1, &e), ERR_IO);
    cr_expect_null(w);
    close(fd);
}
