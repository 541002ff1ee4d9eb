/* safetensors: golden files, every cut, hostile headers, the writer. */
#include "io/safetensors.h"

#include "../support/files.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_refusal(int rc)
{
    return rc == ERR_FILE || rc == ERR_SHAPE;
}

/* ---- golden --------------------------------------------------------------------------- */

Test(safetensors, one_file_and_shards_open)
{
    static const char *const dirs[] = {"llama-tiny", "llama-sharded", "gpt2-f16",
                                       "llama-bf16"};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        struct safetensors st;
        struct err e = {0};

        cr_assert_eq(safetensors_open(&st, golden_file(dirs[i]), &e), 0, "%s", e.text);
        cr_expect_gt(st.n, 10);
        for (size_t k = 0; k < st.n; k++)
            cr_expect_eq(safetensors_find(&st, st.entries[k].name), &st.entries[k]);
        cr_expect_null(safetensors_find(&st, "no such tensor"));
        safetensors_close(&st);
        safetensors_close(&st); /* closed twice is closed */
    }
}

/* ---- cuts: every byte of the header, and a sample of the values --------------------- */

Test(safetensors, every_cut_is_refused)
{
    size_t size;
    char *data = file_slurp(golden_file("llama-tiny/model.safetensors"), &size);
    uint64_t header;

    memcpy(&header, data, 8);
    for (size_t n = 0; n < size; n += n < header + 16 ? 1 : 997) {
        struct safetensors st;
        struct err e = {0};
        char *exact = malloc(n + 1); /* so that asan sees a read behind the end */

        memcpy(exact, data, n);
        cr_assert(is_refusal(safetensors_open_mem(&st, "cut", exact, n, &e)),
                  "%zu of %zu bytes were taken", n, size);
        cr_assert(strncmp(e.text, "cut: ", 5) == 0 && strlen(e.text) > 12, "%s",
                  e.text);
        cr_assert_null(st.entries);
        free(exact);
    }
    free(data);
}

Test(safetensors, any_changed_header_byte_is_survived)
{
    size_t size;
    char *data = file_slurp(golden_file("llama-bf16/model.safetensors"), &size);
    uint64_t header;

    memcpy(&header, data, 8);
    for (size_t i = 0; i < header + 8; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            struct safetensors st;
            struct err e = {0};

            data[i] = (char)(data[i] ^ 1 << bit);
            if (safetensors_open_mem(&st, "changed", data, size, &e) == 0)
                safetensors_close(&st);
            else
                cr_assert_neq(e.text[0], 0);
            data[i] = (char)(data[i] ^ 1 << bit);
        }
    free(data);
}

/* ---- headers that lie: what the sentence must name ------------------------------------ */

static const struct {
    const char *header;
    size_t values; /* bytes behind it */
    const char *says;
} lies[] = {
    {"[]", 0, "not an object"},
    {"{\"a\":1}", 0, "'a' is not an object"},
    {"{\"\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
     "without a name"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'a': 'dtype'"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "'a' has type 'F8_E4M3', expected F32, F16 or BF16"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "'shape'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4,
     "dimension 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
     "dimension 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
     4, "at most 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
     "\"data_offsets\":[0,4]}}",
     4, "overflows"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],"
     "\"data_offsets\":[0,0]}}",
     0, "overflows"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],"
     "\"data_offsets\":[0,0]}}",
     0, "dimension 0 is not a count"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "'data_offsets'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4,
     "two byte offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4,
     "two byte offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, "byte 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4,
     "take 4 bytes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
     "'a' lies from byte 0 to 4, its shape and type F32 take 8 bytes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8,
     "end at byte 4 of the values, the file has 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, "overlap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
     12, "hole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 4, "line 1"},
};

static char *build(const char *header, size_t values, size_t *size)
{
    const uint64_t n = strlen(header);
    char *s = calloc(1, 8 + n + values + 1);

    memcpy(s, &n, 8);
    memcpy(s + 8, header, n);
    *size = 8 + n + values;
    return s;
}

Test(safetensors, lies_are_named)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct safetensors st;
        struct err e = {0};
        size_t size;
        char *data = build(lies[i].header, lies[i].values, &size);

        cr_expect(is_refusal(safetensors_open_mem(&st, "f", data, size, &e)), "%s",
                  lies[i].header);
        cr_expect(strstr(e.text, lies[i].says), "%s\n  gives: %s", lies[i].header,
                  e.text);
        free(data);
    }
}

Test(safetensors, header_lengths_that_lie)
{
    static const uint64_t lengths[] = {
        1, 100, 1000000, 1ull << 40, UINT64_MAX - 7, UINT64_MAX, 1ull << 63};
    size_t size;
    char *data = build("{}          ", 0, &size);
    struct safetensors st;

    cr_expect_eq(safetensors_open_mem(&st, "f", data, size, NULL), 0);
    safetensors_close(&st);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(data, &lengths[i], 8);
        cr_expect_eq(safetensors_open_mem(&st, "f", data, size, NULL), ERR_FILE);
    }
    free(data);
}

/* ---- shards --------------------------------------------------------------------------- */

static void make_shard(const char *dir, const char *name, const char *tensor)
{
    char header[256];
    size_t size;

    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
             tensor);
    char *data = build(header, 4, &size);
    file_make(path_in(dir, name), data, size);
    free(data);
}

static const struct {
    const char *index, *says; /* NULL: fine */
} indices[] = {
    {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}", NULL},
    {"{\"weight_map\":{\"a\":\"1.safetensors\"}}", NULL},
    {"{}", "no 'weight_map'"},
    {"{\"weight_map\":{}}", "no 'weight_map'"},
    {"[]", "no 'weight_map'"},
    {"{\"weight_map\":{\"a\":1}}", "'a' is in no plain file name"},
    {"{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "'a' is in no plain file name"},
    {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "'a' is in no plain file name"},
    {"{\"weight_map\":{\"a\":\"3.safetensors\"}}", "3.safetensors: No such file"},
    {"{\"weight_map\":{\"a\":\"2.safetensors\"}}", "'a' is not in shard"},
    {"{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}",
     "should be in shard"},
    {"{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"twice.safetensors\"}}",
     "'a' is also in"},
    {"{\"weight_map\":{\"a\":\"1.safetensors\"", "line 1"},
};

Test(safetensors, indices)
{
    char *dir = scratch_make();

    make_shard(dir, "1.safetensors", "a");
    make_shard(dir, "2.safetensors", "b");
    make_shard(dir, "twice.safetensors", "a");
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        struct safetensors st;
        struct err e = {0};

        file_make(path_in(dir, "model.safetensors.index.json"), indices[i].index,
                  strlen(indices[i].index));
        const int rc = safetensors_open(&st, dir, &e);
        if (!indices[i].says)
            cr_expect_eq(rc, 0, "%s", e.text);
        else
            cr_expect(is_refusal(rc) && strstr(e.text, indices[i].says),
                      "%s\n  gives: %s", indices[i].index, e.text);
        safetensors_close(&st);
    }
    scratch_remove(dir);
}

Test(safetensors, directory_without_weights)
{
    char *dir = scratch_make();
    struct safetensors st;
    struct err e = {0};

    cr_expect_eq(safetensors_open(&st, dir, &e), ERR_FILE);
    cr_expect(strstr(e.text, "no model.safetensors"), "%s", e.text);
    scratch_remove(dir);
}

/* ---- the writer ----------------------------------------------------------------------- */

/* What a golden directory holds, written again in another type, in odd pieces. */
static void rewrite(const char *path, const struct safetensors *st, enum dtype type)
{
    struct st_decl *decl = calloc(st->n, sizeof *decl);
    struct st_writer *w;
    struct err e = {0};
    int rc;

    for (size_t i = 0; i < st->n; i++) {
        decl[i] = (struct st_decl){
            .name = st->entries[i].name, .dtype = type, .rank = st->entries[i].rank};
        memcpy(decl[i].dims, st->entries[i].dims, sizeof decl[i].dims);
    }
    rc = st_writer_open(&w, path, decl, st->n, &e);
    free(decl);
    for (size_t i = 0; i < st->n && rc == 0; i++) {
        const struct st_entry *t = &st->entries[i];
        float *x = malloc(t->count * sizeof *x + 1);

        cr_assert_eq(dtype_widen(x, t->data, t->dtype, t->count), 0);
        for (size_t at = 0, k; at < t->count && rc == 0; at += k) {
            k = t->count - at < 37 ? t->count - at : 37;
            rc = st_writer_put(w, x + at, k, &e);
        }
        free(x);
    }
    rc = st_writer_close(w, rc, &e);
    cr_assert_eq(rc, 0, "%s", e.text);
}

Test(safetensors, written_and_read_again)
{
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    char *dir = scratch_make();
    struct safetensors a, b;
    struct err e = {0};

    cr_assert_eq(safetensors_open(&a, golden_file("llama-sharded"), &e), 0, "%s",
                 e.text);
    for (size_t k = 0; k < 3; k++) {
        const char *path = path_in(dir, dtype_name(types[k]));

        rewrite(path, &a, types[k]);
        cr_assert_eq(safetensors_open(&b, path, &e), 0, "%s", e.text);
        cr_assert_eq(a.n, b.n);
        for (size_t i = 0; i < a.n; i++) {
            const struct st_entry *x = &a.entries[i], *y = &b.entries[i];
            char *want = malloc(x->count * 4 + 1);

            cr_assert_str_eq(x->name, y->name);
            cr_assert_eq(y->dtype, types[k]);
            cr_assert_eq(x->rank, y->rank);
            cr_assert_eq(memcmp(x->dims, y->dims, sizeof x->dims), 0);
            cr_assert_eq(dtype_narrow(want, (const float *)(const void *)x->data,
                                      types[k], x->count),
                         0);
            cr_assert_eq(memcmp(want, y->data, x->count * dtype_size(types[k])), 0);
            free(want);
        }
        safetensors_close(&b);
    }
    safetensors_close(&a);
    scratch_remove(dir);
}

Test(safetensors, header_is_padded_and_says_pt)
{
    const struct st_decl decl[] = {{"x", DTYPE_F32, 2, {0, 3}},
                                   {"y", DTYPE_I64, 1, {1}},
                                   {"z", DTYPE_F32, 0, {0}}};
    const int64_t seven = 7;
    const float pi = 3.25f;
    char *dir = scratch_make(), *text;
    struct st_writer *w;
    struct safetensors st;
    struct err e = {0};
    uint64_t header;
    size_t size;

    cr_assert_eq(st_writer_open(&w, path_in(dir, "f"), decl, 3, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_put_bytes(w, &seven, 8, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_put(w, &pi, 1, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_close(w, 0, &e), 0, "%s", e.text);
    text = file_slurp(path_in(dir, "f"), &size);
    memcpy(&header, text, 8);
    cr_expect_eq(header % 8, 0);
    cr_expect_eq(size, 8 + header + 12);
    cr_expect(strstr(text + 8, "\"__metadata__\":{\"format\":\"pt\"}"));
    free(text);
    cr_assert_eq(safetensors_open(&st, path_in(dir, "f"), &e), 0, "%s", e.text);
    cr_expect_eq(safetensors_find(&st, "x")->count, 0);
    cr_expect_eq(memcmp(safetensors_find(&st, "y")->data, &seven, 8), 0);
    cr_expect_eq(memcmp(safetensors_find(&st, "z")->data, &pi, 4), 0);
    safetensors_close(&st);
    scratch_remove(dir);
}

/* What was there is gone, and nothing is made where nothing was. */
Test(safetensors, writes_over_a_file)
{
    const struct st_decl decl = {"x", DTYPE_F32, 1, {2}};
    const float x[] = {1, 3.25f};
    char *dir = scratch_make(), was[10000];
    const char *path = path_in(dir, "f"), *fresh = path_in(dir, "g");
    struct st_writer *w;
    struct err e = {0};
    size_t size, fresh_size;

    cr_expect_eq(st_writer_over(&w, path, &decl, 1, &e), ERR_IO);
    cr_expect_null(w);
    memset(was, 'w', sizeof was);
    file_make(path, was, sizeof was);
    cr_assert_eq(st_writer_over(&w, path, &decl, 1, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_put(w, x, 2, &e), 0);
    cr_assert_eq(st_writer_close(w, 0, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_open(&w, fresh, &decl, 1, &e), 0, "%s", e.text);
    cr_assert_eq(st_writer_put(w, x, 2, &e), 0);
    cr_assert_eq(st_writer_close(w, 0, &e), 0, "%s", e.text);
    char *over = file_slurp(path, &size), *made = file_slurp(fresh, &fresh_size);
    cr_assert_eq(size, fresh_size);
    cr_expect_eq(memcmp(over, made, size), 0);
    free(over);
    free(made);
    scratch_remove(dir);
}

Test(safetensors, writer_refuses)
{
    const struct st_decl twice[] = {{"x", DTYPE_F32, 1, {1}}, {"x", DTYPE_F32, 1, {1}}};
    const struct st_decl small[] = {{"wide", DTYPE_F16, 1, {2}}};
    const struct st_decl ints[] = {{"n", DTYPE_I32, 1, {2}}};
    const struct st_decl huge[] = {{"x", DTYPE_F32, 2, {(size_t)1 << 40, 1 << 30}}};
    const float x[] = {1, 65520, 3};
    char *dir = scratch_make();
    const char *path = path_in(dir, "f");
    struct st_writer *w;
    struct err e = {0};
    int rc;

    cr_expect_eq(st_writer_open(&w, path, twice, 2, &e), ERR_USAGE);
    cr_expect_eq(st_writer_open(&w, path, huge, 1, &e), ERR_USAGE);
    cr_expect_null(w);

    cr_assert_eq(st_writer_open(&w, path, small, 1, &e), 0);
    rc = st_writer_put(w, x, 2, &e);
    cr_expect_eq(rc, ERR_NUMERIC);
    cr_expect(strstr(e.text, "'wide' has values that F16 cannot hold"), "%s", e.text);
    cr_expect_eq(st_writer_close(w, rc, &e), ERR_NUMERIC);
    cr_expect_neq(access(path, F_OK), 0, "a failed file is removed");

    cr_assert_eq(st_writer_open(&w, path, ints, 1, &e), 0);
    cr_expect_eq(st_writer_put(w, x, 1, &e), ERR_USAGE);
    cr_expect_eq(st_writer_close(w, ERR_USAGE, &e), ERR_USAGE);

    cr_assert_eq(st_writer_open(&w, path, small, 1, &e), 0);
    cr_assert_eq(st_writer_put(w, x, 1, &e), 0);
    cr_expect_eq(st_writer_close(w, 0, &e), ERR_USAGE, "a value is missing");

    cr_assert_eq(st_writer_open(&w, path, small, 1, &e), 0);
    cr_assert_eq(st_writer_put(w, x, 1, &e), 0);
    cr_expect_eq(st_writer_put(w, (const float[]){1, 2}, 2, &e), ERR_USAGE,
                 "one too many");
    cr_expect_eq(st_writer_close(w, 0, &e), 0);

    cr_expect_eq(st_writer_open(&w, path, small, 1, &e), ERR_IO, "the file exists");
    cr_expect_eq(access(path, F_OK), 0, "and stays");
    scratch_remove(dir);
}

/* A disk that is full after 4 KiB, by RLIMIT_FSIZE: ERR_IO, and no file is left. */
static int write_much(const char *path)
{
    const struct rlimit limit = {4096, 4096};
    const struct st_decl decl[] = {{"x", DTYPE_F32, 1, {1 << 20}}};
    static float x[1 << 20];
    struct st_writer *w;
    struct err e = {0};
    int rc;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (st_writer_open(&w, path, decl, 1, &e) < 0)
        return 10;
    rc = st_writer_put(w, x, 1 << 20, &e);
    rc = st_writer_close(w, rc, &e);
    return rc == ERR_IO && strstr(e.text, path) ? 0 : 11;
}

Test(safetensors, full_disk)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "f");
    int status;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(write_much(path));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    cr_expect_neq(access(path, F_OK), 0);
    scratch_remove(dir);
}
