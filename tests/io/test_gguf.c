/* GGUF: metadata of every type, every cut, lengths that lie, version 2. */
#include "io/gguf.h"

#include "../support/files.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int is_refusal(int rc)
{
    return rc == ERR_FILE || rc == ERR_SHAPE;
}

/* ---- metadata ------------------------------------------------------------------------- */

static void open_golden(struct gguf *g, const char *name)
{
    struct err e = {0};

    cr_assert_eq(gguf_open(g, golden_file(name), &e), 0, "%s", e.text);
}

Test(gguf, numbers_of_every_type)
{
    struct gguf g;
    struct err e = {0};
    size_t u = 0;
    double d = 0;
    int b = 0;

    open_golden(&g, "gguf/q_f32.gguf");
    cr_expect_eq(gguf_get_size(&u, &g, "test.u8", 0, SIZE_MAX, &e), 1);
    cr_expect_eq(u, 250);
    cr_expect_eq(gguf_get_size(&u, &g, "test.u16", 0, SIZE_MAX, &e), 1);
    cr_expect_eq(u, 65000);
    cr_expect_eq(gguf_get_size(&u, &g, "test.u32", 0, SIZE_MAX, &e), 1);
    cr_expect_eq(u, 4000000000);
    cr_expect_eq(gguf_get_size(&u, &g, "test.u64", 0, SIZE_MAX, &e), 1);
    cr_expect_eq(u, 1099511627776);
    cr_expect_eq(gguf_get_double(&d, &g, "test.i8", &e), 1);
    cr_expect_eq(d, -5);
    cr_expect_eq(gguf_get_double(&d, &g, "test.i16", &e), 1);
    cr_expect_eq(d, -30000);
    cr_expect_eq(gguf_get_double(&d, &g, "test.i32", &e), 1);
    cr_expect_eq(d, -2000000000);
    cr_expect_eq(gguf_get_double(&d, &g, "test.i64", &e), 1);
    cr_expect_eq(d, -1099511627776);
    cr_expect_eq(gguf_get_double(&d, &g, "test.f32", &e), 1);
    cr_expect_eq(d, (double)0.1f);
    cr_expect_eq(gguf_get_double(&d, &g, "test.f64", &e), 1);
    cr_expect_eq(d, 0.1);
    cr_expect_eq(gguf_get_bool(&b, &g, "test.bool", &e), 1);
    cr_expect_eq(b, 1);
    gguf_close(&g);
}

Test(gguf, strings_and_arrays)
{
    static const char *const want[] = {"a", "", "\xc3\xa9"};
    static const int64_t ints[] = {1, -2, 3};
    struct gguf g;
    struct err e = {0};
    struct gguf_str s;
    struct gguf_array a;
    int64_t v;
    double d;
    size_t n = 0;

    open_golden(&g, "gguf/q_q8_0.gguf");
    cr_expect_eq(gguf_get_str(&s, &g, "test.text", &e), 1);
    cr_expect(s.n == strlen("grüß 你好") && memcmp(s.s, "grüß 你好", s.n) == 0);
    cr_assert_eq(gguf_get_array(&a, &g, "test.arr_str", GGUF_STRING, &e), 1);
    while (gguf_next_str(&a, &s)) {
        cr_assert(s.n == strlen(want[n]) && memcmp(s.s, want[n], s.n) == 0);
        n++;
    }
    cr_expect_eq(n, 3);
    cr_assert_eq(gguf_get_array(&a, &g, "test.arr_i32", GGUF_I32, &e), 1);
    for (n = 0; gguf_next_int(&a, &v); n++)
        cr_assert_eq(v, ints[n]);
    cr_expect_eq(n, 3);
    cr_assert_eq(gguf_get_array(&a, &g, "test.arr_i32", GGUF_F32, &e), 1);
    for (n = 0; gguf_next_double(&a, &d); n++)
        cr_assert_eq(d, (double)ints[n]);
    gguf_close(&g);
}

Test(gguf, wrong_types_and_absent_keys)
{
    struct gguf g;
    struct err e = {0};
    size_t u = 42;
    double d = 4.5;
    int b = 7;
    struct gguf_str s;
    struct gguf_array a;

    open_golden(&g, "gguf/q_f16.gguf");
    cr_expect_eq(gguf_get_size(&u, &g, "absent", 0, 9, &e), 0);
    cr_expect_eq(gguf_get_double(&d, &g, "test", &e), 0);
    cr_expect_eq(gguf_get_bool(&b, &g, "", &e), 0);
    cr_expect(u == 42 && d == 4.5 && b == 7, "defaults stay");
    cr_expect_eq(gguf_get_size(&u, &g, "test.i8", 0, SIZE_MAX, &e), ERR_FILE);
    cr_expect(strstr(e.text, "'test.i8' is -5, expected 0 to"), "%s", e.text);
    cr_expect_eq(gguf_get_size(&u, &g, "test.u8", 0, 249, &e), ERR_FILE);
    cr_expect_eq(gguf_get_size(&u, &g, "test.text", 0, 9, &e), ERR_FILE);
    cr_expect(strstr(e.text, "q_f16.gguf: 'test.text' is not an integer"), "%s",
              e.text);
    cr_expect_eq(gguf_get_str(&s, &g, "test.u8", &e), ERR_FILE);
    cr_expect_eq(gguf_get_str(&s, &g, "test.arr_str", &e), ERR_FILE);
    cr_expect_eq(gguf_get_double(&d, &g, "test.bool", &e), ERR_FILE);
    cr_expect_eq(gguf_get_bool(&b, &g, "test.u8", &e), ERR_FILE);
    cr_expect_eq(gguf_get_array(&a, &g, "test.arr_str", GGUF_I32, &e), ERR_FILE);
    cr_expect_eq(gguf_get_array(&a, &g, "test.u8", GGUF_I32, &e), ERR_FILE);
    gguf_close(&g);
}

/* ---- cuts and changes ----------------------------------------------------------------- */

static int open_exact(struct gguf *g, const char *data, size_t n, struct err *e)
{
    char *exact = malloc(n + 1); /* so that asan sees a read behind the end */
    int rc;

    memcpy(exact, data, n);
    rc = gguf_open_mem(g, "cut", exact, n, e);
    if (rc == 0) /* walk what was found, then forget it: its bytes go now */
        gguf_close(g);
    free(exact);
    return rc;
}

static void cut_everywhere(const char *name, size_t step_in_values)
{
    size_t size;
    char *data = file_slurp(golden_file(name), &size);
    struct gguf g;
    struct err e = {0};

    cr_assert_eq(gguf_open_mem(&g, "whole", data, size, &e), 0, "%s", e.text);
    size_t first = size, end = 0;
    for (size_t i = 0; i < g.ntensors; i++) {
        const size_t at = (size_t)(g.tensors[i].data - data);
        const size_t to = at + quant_bytes(g.tensors[i].type, g.tensors[i].count);

        first = at < first ? at : first;
        end = to > end ? to : end;
    }
    gguf_close(&g);
    /* Behind the last value there may be padding: its loss is none. */
    for (size_t n = 0; n < end; n += n < first ? 1 : step_in_values) {
        cr_assert(is_refusal(open_exact(&g, data, n, &e)), "%s: %zu of %zu bytes taken",
                  name, n, size);
        cr_assert(strncmp(e.text, "cut: ", 5) == 0, "%s", e.text);
        cr_assert_null(g.tensors);
    }
    free(data);
}

Test(gguf, every_cut_is_refused)
{
    cut_everywhere("gguf/q_q4_k.gguf", 1);
    cut_everywhere("gguf/llama-q8_0.gguf", 509);
}

Test(gguf, any_changed_header_byte_is_survived)
{
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    size_t size;
    char *data = file_slurp(golden_file("gguf/q_q4_1.gguf"), &size);

    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof masks; k++) {
            struct gguf g;
            struct err e = {0};

            data[i] = (char)(data[i] ^ masks[k]);
            if (open_exact(&g, data, size, &e) < 0)
                cr_assert_neq(e.text[0], 0);
            data[i] = (char)(data[i] ^ masks[k]);
        }
    free(data);
}

/* ---- files made by hand ---------------------------------------------------------------- */

struct maker {
    char data[4096];
    size_t n;
};

static void put(struct maker *m, const void *p, size_t n)
{
    memcpy(m->data + m->n, p, n);
    m->n += n;
}

static void put32(struct maker *m, uint32_t v)
{
    put(m, &v, 4);
}

static void put64(struct maker *m, uint64_t v)
{
    put(m, &v, 8);
}

static void put_str(struct maker *m, const char *s)
{
    put64(m, strlen(s));
    put(m, s, strlen(s));
}

static void start(struct maker *m, uint32_t version, uint64_t tensors, uint64_t keys)
{
    m->n = 0;
    put(m, "GGUF", 4);
    put32(m, version);
    put64(m, tensors);
    put64(m, keys);
}

static void put_tensor(struct maker *m, const char *name, uint64_t cols, uint64_t rows,
                       uint32_t type, uint64_t offset)
{
    put_str(m, name);
    put32(m, 2);
    put64(m, cols);
    put64(m, rows);
    put32(m, type);
    put64(m, offset);
}

static void put_values(struct maker *m, size_t n)
{
    while (m->n % 32)
        put(m, "", 1);
    memset(m->data + m->n, 0, n);
    m->n += n;
}

static void expect(const struct maker *m, const char *says)
{
    struct gguf g;
    struct err e = {0};
    const int rc = gguf_open_mem(&g, "f", m->data, m->n, &e);

    if (!says)
        cr_expect_eq(rc, 0, "%s", e.text);
    else
        cr_expect(is_refusal(rc) && strstr(e.text, says), "'%s' expected, got: %s",
                  says, rc < 0 ? e.text : "success");
    gguf_close(&g);
}

Test(gguf, versions)
{
    struct maker m;

    for (uint32_t v = 0; v < 6; v++) {
        start(&m, v, 0, 0);
        expect(&m, v == 2 || v == 3 ? NULL : "expected 2 or 3");
    }
    start(&m, 3u << 24, 0, 0);
    expect(&m, "big-endian");
    m.data[0] = 'X';
    expect(&m, "not a GGUF file");
}

Test(gguf, counts_and_lengths_that_lie)
{
    static const uint64_t lies[] = {2, 1000, 1ull << 32, 1ull << 61, UINT64_MAX};
    struct maker m;

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        start(&m, 3, lies[i], 0);
        expect(&m, "do not fit");
        start(&m, 3, 0, lies[i]);
        expect(&m, "do not fit");
        start(&m, 3, 0, 1);
        put64(&m, lies[i] == 1ull << 61 ? lies[i] : lies[i] * 100); /* the key */
        put_values(&m, 64);
        expect(&m, "a key at byte");
        start(&m, 3, 0, 1);
        put_str(&m, "k");
        put32(&m, GGUF_STRING);
        put64(&m, lies[i]);
        expect(&m, "'k': a string at byte");
        for (uint32_t t = 0; t < GGUF_TYPES; t++) {
            start(&m, 3, 0, 1);
            put_str(&m, "k");
            put32(&m, GGUF_ARRAY);
            put32(&m, t);
            put64(&m, lies[i]);
            expect(&m, "'k': ");
        }
    }
}

Test(gguf, nested_arrays)
{
    struct maker m;
    struct gguf g;

    start(&m, 3, 0, 2);
    put_str(&m, "nested");
    put32(&m, GGUF_ARRAY);
    put32(&m, GGUF_ARRAY);
    put64(&m, 2);
    put32(&m, GGUF_U8);
    put64(&m, 3);
    put(&m, "abc", 3);
    put32(&m, GGUF_STRING);
    put64(&m, 1);
    put_str(&m, "xyz");
    put_str(&m, "after");
    put32(&m, GGUF_BOOL);
    put(&m, "\1", 1);
    cr_assert_eq(gguf_open_mem(&g, "f", m.data, m.n, NULL), 0);
    cr_expect_not_null(gguf_find(&g, "after"));
    cr_expect_eq(gguf_find(&g, "nested")->n, 2);
    gguf_close(&g);

    start(&m, 3, 0, 1);
    put_str(&m, "deep");
    put32(&m, GGUF_ARRAY);
    for (int i = 0; i < 100; i++) {
        put32(&m, GGUF_ARRAY);
        put64(&m, 1);
    }
    expect(&m, "nest deeper");
}

Test(gguf, tensors_that_lie)
{
    struct maker m;

    start(&m, 2, 1, 0);
    put_tensor(&m, "t", 32, 2, 8, 0);
    put_values(&m, 68);
    expect(&m, NULL);

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 32, 2, 8, 0);
    put_values(&m, 67);
    expect(&m, "'t' takes 68 bytes from offset 0 of the values, the file has 67");

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 33, 2, 8, 0);
    put_values(&m, 100);
    expect(&m, "'t' has rows of 33, type Q8_0 wants blocks of 32");

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 32, 2, 10, 0);
    put_values(&m, 100);
    expect(&m, "'t' is of type 10 (Q2_K), expected F32");

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 32, 2, 77777, 0);
    expect(&m, "'t' is of type 77777, expected F32");

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 1ull << 32, 1ull << 32, 0, 0);
    expect(&m, "the shape of 't' overflows");
}

Test(gguf, tensors_out_of_place)
{
    struct maker m;

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 32, 1, 8, 16);
    put_values(&m, 100);
    expect(&m, "expected a multiple of 32");

    start(&m, 3, 1, 0);
    put_tensor(&m, "t", 32, 1, 8, UINT64_MAX - 31);
    put_values(&m, 100);
    expect(&m, "cut or broken");

    start(&m, 3, 2, 0);
    put_tensor(&m, "t", 32, 2, 8, 0);
    put_tensor(&m, "u", 32, 2, 8, 64);
    put_values(&m, 200);
    expect(&m, "'t' and 'u' overlap");

    start(&m, 3, 2, 0);
    put_tensor(&m, "t", 32, 1, 8, 0);
    put_tensor(&m, "t", 32, 1, 8, 64);
    put_values(&m, 200);
    expect(&m, "the tensor 't' occurs twice");

    start(&m, 3, 1, 0);
    put_tensor(&m, "", 32, 1, 8, 0);
    expect(&m, "empty");

    start(&m, 3, 1, 0);
    put_str(&m, "t");
    put32(&m, 5);
    put_values(&m, 100);
    expect(&m, "'t' has 5 dimensions, expected 1 to 4");
}

Test(gguf, keys_that_lie)
{
    struct maker m;

    start(&m, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_str(&m, "k");
        put32(&m, GGUF_U32);
        put32(&m, 1);
    }
    expect(&m, "the key 'k' occurs twice");

    for (uint32_t alignment = 0; alignment < 70; alignment++) {
        start(&m, 3, 0, 1);
        put_str(&m, "general.alignment");
        put32(&m, GGUF_U32);
        put32(&m, alignment);
        expect(&m, alignment == 0                ? "expected 1 to"
                   : alignment & (alignment - 1) ? "power of two"
                                                 : NULL);
    }

    start(&m, 3, 0, 1);
    put_str(&m, "k");
    put32(&m, 13);
    put_values(&m, 32);
    expect(&m, "type 13 at byte");
}

/* The order of rows in llama files, written the other way round than gguf_qk_row: the
 * file's rows are head, pair, half; Hugging Face's are head, half, pair. */
Test(gguf, qk_row)
{
    for (size_t D = 2; D <= 64; D += 2)
        for (size_t head = 0; head < 3; head++)
            for (size_t pair = 0; pair < D / 2; pair++)
                for (size_t half = 0; half < 2; half++)
                    cr_assert_eq(gguf_qk_row(head * D + half * (D / 2) + pair, D),
                                 head * D + pair * 2 + half);
}
