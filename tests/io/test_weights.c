/* One view over directories and GGUF files: the same model must look the same. */
#include "io/weights.h"

#include "../support/files.h"
#include "io/safetensors.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct weights *open_golden(const char *name)
{
    struct weights *w;
    struct err e = {0};

    cr_assert_eq(weights_open(&w, golden_file(name), &e), 0, "%s", e.text);
    return w;
}

/* ---- the twin of llama-tiny ------------------------------------------------------------ */

static const struct {
    const char *hf, *gguf;
    int qk; /* 1: heads, 2: key/value heads; rows are permuted in the file */
} pairs[] = {
    {"model.embed_tokens.weight", "token_embd.weight", 0},
    {"model.norm.weight", "output_norm.weight", 0},
    {"lm_head.weight", "output.weight", 0},
    {"model.layers.%d.input_layernorm.weight", "blk.%d.attn_norm.weight", 0},
    {"model.layers.%d.self_attn.q_proj.weight", "blk.%d.attn_q.weight", 1},
    {"model.layers.%d.self_attn.k_proj.weight", "blk.%d.attn_k.weight", 2},
    {"model.layers.%d.self_attn.v_proj.weight", "blk.%d.attn_v.weight", 0},
    {"model.layers.%d.mlp.down_proj.weight", "blk.%d.ffn_down.weight", 0},
};

static float *read_all(const struct weights_tensor *t, size_t head_dim, enum isa isa)
{
    float *x = malloc(t->rows * t->cols * sizeof *x);

    cr_assert_not_null(x);
    weights_read(t, head_dim, 0, t->rows, x, isa);
    return x;
}

static size_t head_dim(const struct weights *w)
{
    size_t d = 0, heads = 1;
    struct err e = {0};

    cr_assert_gt(
        gguf_get_size(&d, weights_gguf(w), "llama.embedding_length", 1, 1 << 20, &e),
        0);
    cr_assert_gt(gguf_get_size(&heads, weights_gguf(w), "llama.attention.head_count", 1,
                               1 << 10, &e),
                 0);
    return d / heads;
}

static void compare(const char *gguf_file, double tolerance)
{
    struct weights *a = open_golden("llama-tiny"), *b = open_golden(gguf_file);
    struct err e = {0};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int layer = 0; layer < 2; layer++) {
            char hf[96], gguf[96];
            const struct weights_tensor *x, *y;

            snprintf(hf, sizeof hf, pairs[i].hf, layer);
            snprintf(gguf, sizeof gguf, pairs[i].gguf, layer);
            cr_assert_not_null(x = weights_find(a, hf), "%s", hf);
            cr_assert_eq(weights_matrix(&y, b, gguf, x->rows, x->cols, &e), 0, "%s",
                         e.text);
            float *want = read_all(x, 0, ISA_PLAIN);
            float *got = read_all(y, pairs[i].qk ? head_dim(b) : 0, isa_best());
            for (size_t k = 0; k < x->rows * x->cols; k++)
                cr_assert_float_eq(got[k], want[k], tolerance * (1e-3 + fabs(want[k])),
                                   "%s %zu", hf, k);
            free(want);
            free(got);
        }
    weights_close(a);
    weights_close(b);
}

Test(weights, gguf_twin_f32)
{
    compare("gguf/llama-tiny-f32.gguf", 0);
}

Test(weights, gguf_twin_f16)
{
    compare("gguf/llama-tiny-f16.gguf", 0x1p-11);
}

/* ---- the view -------------------------------------------------------------------------- */

Test(weights, kinds_and_configuration)
{
    struct weights *a = open_golden("llama-sharded"),
                   *b = open_golden("gguf/llama-q4_1.gguf");

    cr_expect_eq(weights_kind(a), WEIGHTS_HF);
    cr_expect(json_is_object(weights_config(a)));
    cr_expect_null(weights_gguf(a));
    cr_expect_eq(weights_kind(b), WEIGHTS_GGUF);
    cr_expect_null(weights_config(b));
    cr_expect_not_null(weights_gguf(b));
    for (size_t i = 0; i < weights_count(a); i++)
        cr_expect_eq(weights_find(a, weights_at(a, i)->name), weights_at(a, i));
    weights_close(a);
    weights_close(b);
    weights_close(NULL);
}

/* Any rows, also in another order, by any set of instructions: the same values. */
Test(weights, parts_equal_the_whole)
{
    struct weights *w = open_golden("gguf/llama-q4_1.gguf");
    const struct weights_tensor *t = weights_find(w, "token_embd.weight");
    const size_t cols = t->cols, all = t->rows * cols;
    float *whole[] = {read_all(t, 0, ISA_PLAIN), read_all(t, 2, ISA_PLAIN)};
    float *part = malloc((all + 1) * sizeof *part);

    for (size_t r0 = 0; r0 < t->rows; r0 += 29)
        for (size_t r1 = r0; r1 <= t->rows; r1 += 7)
            for (size_t turned = 0; turned < 2; turned++) {
                const size_t n = (r1 - r0) * cols;

                for (size_t i = 0; i <= all; i++)
                    part[i] = -77;
                weights_read(t, 2 * turned, r0, r1, part, isa_best());
                cr_assert_eq(memcmp(part, whole[turned] + r0 * cols, n * sizeof *part),
                             0);
                for (size_t i = n; i <= all; i++)
                    cr_assert_eq(part[i], -77, "written behind the rows");
            }
    free(part);
    free(whole[0]);
    free(whole[1]);
    weights_close(w);
}

Test(weights, integers_and_halves)
{
    struct weights *w = open_golden("gpt2-f16");
    const struct weights_tensor *t;
    struct err e = {0};

    for (size_t i = 0; i < weights_count(w); i++) {
        const struct weights_tensor *x = weights_at(w, i);
        size_t count = 1;

        for (size_t k = 0; k < x->rank; k++)
            count *= x->dims[k];
        cr_expect_eq(x->rows * x->cols, count);
        cr_expect_eq(weights_matrix(&t, w, x->name, x->rows, x->cols, &e), 0);
    }
    weights_close(w);
}

/* ---- what cannot be used --------------------------------------------------------------- */

Test(weights, sentences)
{
    struct weights *w = open_golden("llama-tiny");
    const struct weights_tensor *t, *norm = weights_find(w, "model.norm.weight");
    struct err e = {0};

    cr_expect_eq(weights_matrix(&t, w, "absent", 3, 4, &e), ERR_FILE);
    cr_expect(strstr(e.text, "no tensor 'absent', expected one of 3 x 4"), "%s",
              e.text);
    cr_expect_eq(weights_matrix(&t, w, norm->name, 1, norm->cols + 1, &e), ERR_SHAPE);
    cr_expect(strstr(e.text, "model.safetensors: 'model.norm.weight' is 1 x") &&
                  strstr(e.text, "config.json"),
              "%s", e.text);
    weights_close(w);
}

static void expect_refused(const char *path, const char *says)
{
    struct weights *w;
    struct err e = {0};
    const int rc = weights_open(&w, path, &e);

    cr_expect(rc == ERR_FILE || rc == ERR_SHAPE, "%d", rc);
    cr_expect_null(w);
    cr_expect(strstr(e.text, says), "'%s' expected, got: %s", says, e.text);
}

Test(weights, what_is_no_model)
{
    static const char ints[] =
        "\x40\0\0\0\0\0\0\0{\"n\":{\"dtype\":\"I32\",\"shape\":[1],"
        "\"data_offsets\":[0,4]}}                \0\0\0";
    char *dir = scratch_make();
    const struct weights_tensor *t;
    struct weights *w;
    struct err e = {0};

    expect_refused(path_in(dir, "absent"), "No such file");
    expect_refused(dir, "config.json: No such file");
    file_make(path_in(dir, "config.json"), "[]", 2);
    expect_refused(dir, "config.json: not an object");
    file_make(path_in(dir, "config.json"), "{\"a\":", 5);
    expect_refused(dir, "config.json: line 1");
    file_make(path_in(dir, "config.json"), "{}", 2);
    expect_refused(dir, "no model.safetensors");
    file_make(path_in(dir, "model.safetensors"), "", 0);
    expect_refused(dir, "0 bytes are no safetensors file");
    expect_refused(path_in(dir, "model.safetensors"), "cut or broken");
    expect_refused(path_in(dir, "config.json"), "cut or broken");

    file_make(path_in(dir, "model.safetensors"), ints, 8 + 0x40 + 4);
    cr_assert_eq(weights_open(&w, dir, &e), 0, "%s", e.text);
    cr_expect_eq(weights_matrix(&t, w, "n", 1, 1, &e), ERR_SHAPE);
    cr_expect(strstr(e.text, "'n' is of type I32, expected F32"), "%s", e.text);
    weights_close(w);
    scratch_remove(dir);
}
