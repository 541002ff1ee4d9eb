/*
 * Models written and read again; and what is refused.
 */
#include "model/model.h"

#include "../support/files.h"
#include "../support/golden.h"
#include "../support/machine.h"
#include "base/file.h"
#include "base/json.h"
#include "io/gguf_write.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
#define DECODER(name) name,
#define STORED(name) name,
#define ENCDEC(name) name,
#define CACHED(name) name,
#include "../golden/models.h"
    "gguf/llama-q4_1.gguf",
    "gguf/qwen2-tiny-f32.gguf",
    "gguf-families/qwen3-tiny.gguf",
    "gguf-families/gptneox-tiny.gguf",
    "gguf-families/gptneox-seq-tiny.gguf",
    "gguf-families/gemma-tiny.gguf",
    "gguf-families/gemma2-tiny.gguf",
    "gguf-families/gemma3-tiny.gguf",
    "gguf-families/olmo2-tiny.gguf",
    "gguf-families/phi3-tiny.gguf"};
enum { NAMES = sizeof names / sizeof *names };

/* f32 keeps every bit of a model, whatever it came from: the hash is the same, and so
 * are names and what is known of it. */
Test(save, and_load_again)
{
    for (size_t i = 0; i < NAMES; i++) {
        char *dir = scratch_make();
        const char *out = path_in(dir, "model");
        struct machine mc;
        struct model *a, *b;
        struct err e = {0};

        cr_assert(machine_new(&mc, 2, NULL));
        cr_assert_geq(model_open(&a, golden_file(names[i]), mc.k, MODEL_COMPUTE, &e), 0,
                      "%s", e.text);
        cr_assert_geq(model_save(a, out, CHECKPOINT_NEW, NULL, &e), 0, "%s", e.text);
        cr_assert_geq(model_open(&b, out, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
        cr_expect_eq(a->hash, b->hash, "%s", names[i]);
        cr_assert_eq(a->plan.n, b->plan.n);
        for (size_t p = 0; p < a->plan.n; p++)
            cr_expect_str_eq(a->plan.param[p].name, b->plan.param[p].name);
        cr_expect_eq(a->arch.tied, b->arch.tied);
        for (size_t k = 0; k < ARCH_KINDS; k++) {
            cr_expect_eq(a->arch.kind[k].window, b->arch.kind[k].window);
            cr_expect_eq(!a->freq[k], !b->freq[k]);
            cr_expect(!a->freq[k] || memcmp(a->freq[k], b->freq[k],
                                            a->arch.R / 2 * sizeof(double)) == 0);
        }
        cr_expect_arr_eq(a->arch.layer, b->arch.layer, a->arch.L);
        cr_expect_eq(a->arch.context, b->arch.context);
        cr_expect_eq(a->arch.norm_eps, b->arch.norm_eps);
        cr_expect_eq(a->arch.stops, b->arch.stops);
        cr_expect_eq(a->arch.bos, b->arch.bos);
        cr_expect_eq(b->arch.dtype, DTYPE_F32);
        model_close(a);
        model_close(b);
        machine_free(&mc);
        scratch_remove(dir);
    }
}

/* A half-precision checkpoint written in its own type is the same model. */
Test(save, in_its_own_type)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } cases[] = {{"gpt2-f16", DTYPE_F16}, {"llama-bf16", DTYPE_BF16}};

    for (size_t i = 0; i < 2; i++) {
        char *dir = scratch_make();
        const char *out = path_in(dir, "model");
        struct machine mc;
        struct model *a, *b;
        struct err e = {0};

        cr_assert(machine_new(&mc, 1, NULL));
        cr_assert_geq(
            model_open(&a, golden_file(cases[i].name), mc.k, MODEL_COMPUTE, &e), 0);
        cr_expect_eq(a->arch.dtype, cases[i].dtype);
        cr_assert_geq(model_save(a, out, CHECKPOINT_NEW,
                                 &(struct model_save_opts){cases[i].dtype}, &e),
                      0, "%s", e.text);
        cr_assert_geq(model_open(&b, out, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
        cr_expect_eq(a->hash, b->hash, "%s", cases[i].name);
        cr_expect_eq(b->arch.dtype, cases[i].dtype);
        model_close(a);
        model_close(b);
        machine_free(&mc);
        scratch_remove(dir);
    }
}

/* ---- GGUF -------------------------------------------------------------------------- */

static int write_gguf(const struct model *m, const char *path, struct err *e)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct gguf_meta meta = {0};
    int rc = model_gguf_meta(m, QUANT_F32, &meta, e);

    cr_assert_geq(fd, 0);
    if (rc >= 0)
        rc = model_write_gguf(m, QUANT_F32, &meta, fd, path, e);
    gguf_meta_release(&meta);
    close(fd);
    return rc;
}

/* Of both kinds of layers; GGUF's numbers are float32. */
static int same_rope(const struct rope *a, const struct rope *b, size_t R)
{
    return a->scaling == b->scaling && fabs(a->base - b->base) < 1e-3 &&
           fabs(a->gain - b->gain) < 1e-12 &&
           (a->scaling != ROPE_LONG ||
            (a->factor == b->factor && a->original == b->original &&
             memcmp(a->by, b->by, R / 2 * sizeof *a->by) == 0 &&
             memcmp(a->by_long, b->by_long, R / 2 * sizeof *a->by) == 0));
}

/* 1 if the numbers and what the model is are the same.  Gains of gemma lose their last
 * bits where the file has 1 added. */
static int same(const struct model *a, const struct model *b)
{
    const struct arch *x = &a->arch, *y = &b->arch;
    const double allowed = x->norm_offset != 0 ? 1.2e-7 : 0;

    return a->plan.size == b->plan.size &&
           worst_difference(a->params, b->params, a->plan.size) <= allowed &&
           x->R == y->R && x->attn_scale == y->attn_scale &&
           x->attn_cap == y->attn_cap && x->logit_cap == y->logit_cap &&
           x->parallel == y->parallel && x->embed_scale == y->embed_scale &&
           x->placement == y->placement && x->qk_norm == y->qk_norm &&
           x->act == y->act && memcmp(x->layer, y->layer, x->L) == 0 &&
           x->kind[x->layer[0]].window == y->kind[y->layer[0]].window &&
           x->context == y->context &&
           same_rope(&x->kind[ARCH_FULL].rope, &y->kind[ARCH_FULL].rope, x->R) &&
           same_rope(&x->kind[ARCH_LOCAL].rope, &y->kind[ARCH_LOCAL].rope, x->R);
}

Test(save, as_gguf_and_back)
{
    static const char *const from[] = {"gpt2-tiny",
                                       "llama-tiny",
                                       "llama3-tiny",
                                       "qwen2-tiny",
                                       "qwen3-tiny",
                                       "gptneox-tiny",
                                       "gemma-tiny",
                                       "olmo2-tiny",
                                       "smollm2-tiny",
                                       "gptneox-seq-tiny",
                                       "phi3-tiny",
                                       "gguf-families/gemma2-tiny.gguf",
                                       "gguf-families/gemma3-tiny.gguf"};

    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        char *dir = scratch_make();
        const char *hf = path_in(dir, "hf"), *file = path_in(dir, "m.gguf");
        struct machine mc;
        struct model *a, *b, *c;
        struct err e = {0};

        cr_assert(machine_new(&mc, 1, NULL));
        cr_assert_geq(model_open(&a, golden_file(from[i]), mc.k, MODEL_COMPUTE, &e), 0);
        cr_assert_geq(model_save(a, hf, CHECKPOINT_NEW, NULL, &e), 0, "%s", e.text);
        cr_assert_geq(model_open(&b, hf, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
        cr_assert_geq(write_gguf(b, file, &e), 0, "%s", e.text);
        cr_assert_geq(model_open(&c, file, mc.k, MODEL_COMPUTE, &e), 0, "%s", e.text);
        cr_expect(same(a, c), "%s", from[i]);
        model_close(a);
        model_close(b);
        model_close(c);
        machine_free(&mc);
        scratch_remove(dir);
    }
}

/* What the format cannot say is refused, not lost. */
Test(save, what_gguf_cannot_say)
{
    static const char *const from[] = {
        "gemma2-tiny",     "gemma3-tiny", "llama-dynamic-tiny",
        "qwen2-yarn-tiny", "t5-tiny",     "bart-tiny"};

    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        char *dir = scratch_make();
        struct machine mc;
        struct model *m;
        struct err e = {0};

        cr_assert(machine_new(&mc, 1, NULL));
        cr_assert_geq(model_open(&m, golden_file(from[i]), mc.k, MODEL_COMPUTE, &e), 0);
        cr_expect_eq(write_gguf(m, path_in(dir, "m.gguf"), &e), ERR_FILE, "%s",
                     from[i]);
        cr_expect(strstr(e.text, "GGUF"), "%s", e.text);
        model_close(m);
        machine_free(&mc);
        scratch_remove(dir);
    }
}

/* ---- refusals ---------------------------------------------------------------------- */

/* llama-tiny with one key of config.json set to a JSON text (NULL: taken out). */
static int open_with(const char *key, const char *value, struct err *e)
{
    char *dir = scratch_make(), *text;
    struct machine mc;
    struct model *m;
    json_t *config;
    size_t n;

    cr_assert_geq(json_read_file(&config, golden_file("llama-tiny/config.json"), e), 0);
    if (value)
        json_object_set_new(config, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(config, key);
    text = json_dumps(config, 0);
    file_make(path_in(dir, "config.json"), text, strlen(text));
    free(text);
    text = file_slurp(golden_file("llama-tiny/model.safetensors"), &n);
    file_make(path_in(dir, "model.safetensors"), text, n);
    free(text);
    cr_assert(machine_new(&mc, 1, NULL));
    const int rc = model_open(&m, dir, mc.k, MODEL_COMPUTE, e);
    model_close(m);
    machine_free(&mc);
    json_decref(config);
    scratch_remove(dir);
    return rc;
}

static const struct {
    const char *key, *value;
    int code;
    const char *says;
} refusals[] = {
    {"model_type", "\"bloom\"", ERR_FILE, "llama, mistral"},
    {"model_type", NULL, ERR_FILE, "model_type"},
    {"hidden_size", NULL, ERR_FILE, "hidden_size"},
    {"hidden_size", "\"40\"", ERR_FILE, "hidden_size"},
    {"hidden_size", "0", ERR_FILE, "hidden_size"},
    {"hidden_size", "-1", ERR_FILE, "hidden_size"},
    {"hidden_size", "4000000000", ERR_FILE, "hidden_size"},
    {"hidden_size", "48", ERR_SHAPE, "embed_tokens"},
    {"num_attention_heads", "3", ERR_FILE, "heads"},
    {"num_key_value_heads", "3", ERR_FILE, "heads"},
    {"num_hidden_layers", "99", ERR_FILE, "no tensor 'model.layers."},
    {"num_hidden_layers", "1", ERR_FILE, "has no place"},
    {"num_hidden_layers", "99999999", ERR_FILE, "num_hidden_layers"},
    {"vocab_size", "4000000", ERR_SHAPE, "embed_tokens"},
    {"head_dim", "7", ERR_FILE, "even"},
    {"hidden_act", "\"tanh\"", ERR_FILE, "hidden_act"},
    {"rms_norm_eps", "0", ERR_FILE, "rms_norm_eps"},
    {"rope_theta", "-2", ERR_FILE, "rope_theta"},
    {"rope_scaling", "{\"type\": \"spiral\", \"factor\": 2}", ERR_FILE, "spiral"},
    {"rope_scaling", "{\"type\": \"yarn\", \"factor\": -2}", ERR_FILE, "factor"},
    {"rope_scaling", "{\"type\": \"yarn\", \"beta_fast\": 1}", ERR_FILE, "beta_slow"},
    {"rope_scaling", "{\"type\": \"longrope\", \"short_factor\": [1]}", ERR_FILE,
     "short_factor"},
    {"rope_parameters", "{\"full_attention\": 1}", ERR_FILE, "full_attention"},
    {"rope_parameters", "{\"partial_rotary_factor\": 2}", ERR_FILE, "partial_rotary"},
    {"rope_scaling", "{\"type\": \"linear\"}", ERR_FILE, "factor"},
    {"rope_scaling", "[]", ERR_FILE, "rope_scaling"},
    {"attention_bias", "true", ERR_FILE, "bias"},
    {"tie_word_embeddings", "1", ERR_FILE, "tie_word_embeddings"},
    {"eos_token_id", "\"x\"", ERR_FILE, "eos_token_id"},
    {"quantization_config", "{\"bits\": 4}", ERR_FILE, "quantization_config"},
};

Test(refuse, configurations)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct err e = {0};

        cr_expect_eq(open_with(refusals[i].key, refusals[i].value, &e),
                     refusals[i].code, "%s = %s: %d %s", refusals[i].key,
                     refusals[i].value, e.code, e.text);
        cr_expect(strstr(e.text, refusals[i].says), "%s = %s: %s", refusals[i].key,
                  refusals[i].value, e.text);
    }
}

Test(refuse, what_is_allowed_is)
{
    struct err e = {0};

    cr_expect_eq(
        open_with("rope_scaling", "{\"type\": \"linear\", \"factor\": 4.0}", &e), 0,
        "%s", e.text);
    cr_expect_eq(open_with("eos_token_id", "[2, 3, 99999999]", &e), 0, "%s", e.text);
    cr_expect_eq(open_with("head_dim", "null", &e), 0, "%s", e.text);
    cr_expect_eq(open_with("rope_theta", NULL, &e), 0, "%s", e.text);
}

/* A number that is none is found when the model is opened, and named. */
Test(refuse, weights_that_are_not_numbers)
{
    char *dir = scratch_make();
    struct machine mc;
    struct model *m;
    struct err e = {0};

    cr_assert(machine_new(&mc, 1, NULL));
    cr_assert_geq(model_open(&m, golden_file("gpt2-tiny"), mc.k, MODEL_COMPUTE, &e), 0);
    m->params[m->layer[1].down + 5] = INFINITY;
    cr_assert_geq(model_save(m, path_in(dir, "bad"), CHECKPOINT_NEW, NULL, &e), 0);
    model_close(m);
    cr_expect_eq(model_open(&m, path_in(dir, "bad"), mc.k, MODEL_COMPUTE, &e),
                 ERR_NUMERIC);
    cr_expect(strstr(e.text, "h.1.mlp.c_proj.weight"), "%s", e.text);
    machine_free(&mc);
    scratch_remove(dir);
}
