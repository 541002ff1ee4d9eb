/*
 * Adapters: gradients by finite differences for every way in which modules are stored;
 * merged equals unmerged; a new one changes nothing; switched off, the base is back;
 * directories written and read; what is refused.  (Numbers against PyTorch: test_golden,
 * test_generate and train/test_step have llama-tiny-lora among their models.)
 */
#include "base/json.h"
#include "io/peft.h"
#include "model/adapter.h"
#include "model/head.h"
#include "model/pass.h"
#include "model/score.h"

#include "../support/files.h"
#include "../support/golden_model.h"
#include "../support/gradcheck.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Apart, transposed, interleaved by head, fused; an encoder. */
static const char *const families[] = {
    "llama-tiny",  "gpt2-tiny", "gpt2-f16",   "gptneox-tiny", "phi3-tiny",
    "gemma2-tiny", "t5-tiny",   "t5v11-tiny", "qwen3-tiny",   "bart-tiny"};
enum { FAMILIES = sizeof families / sizeof *families, ITEMS = 7 };

struct fixture {
    struct machine mc;
    struct model *m;
    struct batch b;
    struct pass *p;
    struct head *h;
    struct head_item item[ITEMS];
    float weight[ITEMS], logp[ITEMS];
};

static void ok(int rc, const struct err *e)
{
    cr_assert_geq(rc, 0, "%s", e->text);
}

static void open_model(struct fixture *f, const char *name, enum model_mode mode)
{
    char path[GOLDEN_PATH];
    struct err e = {0};

    *f = (struct fixture){0};
    cr_assert(machine_new(&f->mc, 1, NULL));
    ok(model_open(&f->m, golden_path(path, name), f->mc.k, mode, &e), &e);
}

/* A new adapter whose B is not zero any more. */
static void adapt(struct fixture *f, const char *targets, double alpha)
{
    const struct adapter_opts o = {3, alpha, targets, 5};
    struct err e = {0};

    ok(adapter_new(f->m, &o, &e), &e);
    struct adapter *a = f->m->adapter;
    for (size_t i = 0; i < a->parts; i++)
        fill_normal(a->params + a->part[i].B, a->part[i].rows * a->part[i].r, .1f, i);
    ok(model_rehash(f->m, &e), &e);
}

static void open_pass(struct fixture *f, enum pass_mode mode)
{
    const int32_t prompt[] = {3, 7, 11, 4}, one[] = {9, 2, 6, 13}, two[] = {8, 30, 5};
    struct err e = {0};
    const int p = batch_prompt(&f->b, &f->m->arch, prompt, 4, &e);

    ok(p, &e);
    const int r[] = {batch_add(&f->b, p, one, 3, &e), batch_add(&f->b, p, two, 2, &e)};
    for (size_t i = 0; i < ITEMS; i++) {
        const size_t second = i >= 4, t = second ? i - 4 : i;

        f->item[i] = (struct head_item){batch_row(&f->b, p, r[second], t),
                                        second ? two[t] : one[t], 1};
        f->weight[i] = .3f + .2f * (float)(i % 3);
    }
    ok(pass_new(&f->p, f->m, 0, mode, &e), &e);
    ok(head_new(&f->h, f->m, HEAD_TRAIN, 0, &e), &e);
}

static void close_fixture(struct fixture *f)
{
    pass_free(f->p);
    head_free(f->h);
    batch_release(&f->b);
    model_close(f->m);
    machine_free(&f->mc);
}

static double loss(void *ctx)
{
    struct fixture *f = ctx;
    const float *hidden;
    struct err e = {0};

    ok(pass_forward(f->p, &f->b, NULL, &hidden, &e), &e);
    head_forward(f->h, hidden, f->item, ITEMS, f->logp, NULL);
    return dot_double(f->weight, f->logp, ITEMS);
}

/* ---- gradients ------------------------------------------------------------------------ */

ParameterizedTestParameters(adapter, gradient)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, adapter, gradient)
{
    struct fixture f;
    const float *hidden;
    struct err e = {0};

    open_model(&f, families[*i], MODEL_COMPUTE);
    adapt(&f, "all-linear", 4);
    open_pass(&f, PASS_TRAIN);
    const struct plan *plan = model_trained(f.m);
    float *grads = floats(plan->size), *dh = zeros(f.b.B * f.m->arch.C);
    for (size_t k = 0; k < plan->size; k++)
        grads[k] = NAN; /* of another sum */
    pass_clear(f.m, grads);
    ok(pass_forward(f.p, &f.b, NULL, &hidden, &e), &e);
    head_backward(f.h, hidden, f.item, ITEMS, f.weight, NULL, dh, grads);
    pass_backward(f.p, &f.b, dh, grads, PASS_FIRST);
    double worst = 0;
    for (size_t k = 0; k < plan->n; k += 1 + k % 5) {
        const struct plan_param *p = &plan->param[k];
        const size_t some = p->rows * p->cols < 24 ? p->rows * p->cols : 24;
        const double d = gradcheck(model_trained_params(f.m) + p->offset,
                                   grads + p->offset, some, 5e-3f, loss, &f);

        worst = fmax(worst, d);
        cr_expect_lt(d, 2e-2, "%s: %s is off by %g", families[*i], p->name, d);
    }
    cr_expect_gt(worst, 0);
    free(grads);
    free(dh);
    close_fixture(&f);
}

/* ---- merged --------------------------------------------------------------------------- */

static float *log_probabilities(struct fixture *f)
{
    float *x = floats(ITEMS);

    loss(f);
    memcpy(x, f->logp, ITEMS * sizeof *x);
    return x;
}

ParameterizedTestParameters(adapter, merged)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, adapter, merged)
{
    struct fixture f;
    struct err e = {0};

    open_model(&f, families[*i], MODEL_COMPUTE);
    const uint64_t hash = f.m->hash;
    adapt(&f, "all-linear", 4);
    open_pass(&f, PASS_TRAIN);
    float *apart = log_probabilities(&f);
    cr_expect_neq(f.m->hash, hash);
    adapter_switch(f.m, ADAPTER_OFF);
    float *base = log_probabilities(&f);
    adapter_switch(f.m, ADAPTER_ON);
    for (size_t k = 0; k < f.m->plan.n; k++) {
        const struct plan_param *p = &f.m->plan.param[k];

        ok(adapter_merge(f.m, p->offset, f.m->params + p->offset, p->rows, p->cols, &e),
           &e);
    }
    adapter_drop(f.m);
    cr_expect_eq(f.m->hash, hash);
    float *merged = log_probabilities(&f);
    cr_expect_lt(worst_difference(apart, merged, ITEMS), 1e-4, "%s", families[*i]);
    cr_expect_gt(worst_difference(apart, base, ITEMS), 1e-2, "%s", families[*i]);
    free(apart);
    free(base);
    free(merged);
    close_fixture(&f);
}

/* Lengths of values that the adapter of W_O has part in. */
Test(adapter, norms_see_it)
{
    struct fixture f;
    struct capture_spec a, b;
    struct err e = {0};

    open_model(&f, "llama-tiny", MODEL_COMPUTE);
    adapt(&f, "o_proj", 4);
    ok(capture_spec_parse(&a, f.m, "all", "mean", "norm", &e), &e);
    const size_t n = f.m->arch.L * f.m->arch.H * f.m->arch.D * f.m->arch.D;
    for (size_t l = 0; l < f.m->arch.L; l++)
        ok(adapter_merge(f.m, f.m->layer[l].o, f.m->params + f.m->layer[l].o,
                         f.m->arch.C, f.m->arch.H * f.m->arch.D, &e),
           &e);
    adapter_drop(f.m);
    ok(capture_spec_parse(&b, f.m, "all", "mean", "norm", &e), &e);
    cr_expect_lt(worst_difference(a.gram, b.gram, n), 1e-5);
    capture_spec_release(&a);
    capture_spec_release(&b);
    close_fixture(&f);
}

/* ---- new ones ------------------------------------------------------------------------- */

Test(adapter, a_new_one_changes_nothing)
{
    struct fixture f;
    const struct adapter_opts o = {4, 8, NULL, 9};
    struct err e = {0};

    open_model(&f, "llama-tiny", MODEL_COMPUTE);
    ok(adapter_new(f.m, &o, &e), &e);
    open_pass(&f, PASS_TRAIN);
    float *with = log_probabilities(&f);
    adapter_switch(f.m, ADAPTER_OFF);
    float *without = log_probabilities(&f);
    cr_expect_eq(memcmp(with, without, ITEMS * sizeof *with), 0);

    /* A is uniform in +-1/sqrt(K), of deviation 1/sqrt(3 K) */
    const struct adapter *a = f.m->adapter;
    const float *A = a->params + a->site[0].A;
    const size_t K = a->site[0].K, n = a->site[0].R * K;
    double square = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        square += (double)A[i] * A[i];
        largest = fmax(largest, fabs((double)A[i]));
    }
    cr_expect_float_eq(sqrt(square / (double)n * 3 * (double)K), 1, .1);
    cr_expect_leq(largest, 1 / sqrt((double)K));
    cr_expect_gt(largest, .95 / sqrt((double)K));
    free(with);
    free(without);
    close_fixture(&f);
}

static const struct target_case {
    const char *family, *targets, *written; /* written NULL: refused */
    size_t parts; /* of each layer, but where it says which layers */
} targets[] = {
    {"llama-tiny", NULL, "[\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\"]", 4},
    {"llama-tiny", "q_proj,v_proj", "[\"q_proj\",\"v_proj\"]", 2},
    {"llama-tiny", "self_attn.q_proj", "[\"q_proj\"]", 1},
    {"llama-tiny", "model\\.layers\\.[0]\\.mlp\\.down_proj", "[\"0.mlp.down_proj\"]",
     0},
    {"llama-tiny", "all-linear",
     "[\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"gate_proj\",\"up_proj\",\"down_"
     "proj\"]",
     7},
    {"llama-tiny", "proj", NULL, 0},
    {"llama-tiny", "q_proj,lm_head", NULL, 0},
    {"llama-tiny", ".*nothing", NULL, 0},
    {"llama-tiny", "(", NULL, 0},
    {"gpt2-tiny", NULL, "[\"c_attn\",\"attn.c_proj\"]", 2},
    {"gpt2-f16", NULL, "[\"c_attn\",\"attn.c_proj\"]", 2},
    {"gpt2-tiny", "c_proj", "[\"c_proj\"]", 2},
    {"gptneox-tiny", NULL, "[\"query_key_value\",\"dense\"]", 2},
    {"phi3-tiny", "gate_up_proj", "[\"gate_up_proj\"]", 1},
    {"t5-tiny", "EncDecAttention.q", "[\"EncDecAttention.q\"]", 1},
};
enum { TARGETS = sizeof targets / sizeof *targets };

Test(adapter, target_modules)
{
    for (size_t i = 0; i < TARGETS; i++) {
        const struct target_case *c = &targets[i];
        const struct adapter_opts o = {2, 4, c->targets, 0};
        struct fixture f;
        struct err e = {0};

        open_model(&f, c->family, MODEL_COMPUTE);
        const int rc = adapter_new(f.m, &o, &e);
        if (!c->written) {
            cr_expect_lt(rc, 0, "%s", c->targets);
            cr_expect_null(f.m->adapter);
        } else {
            ok(rc, &e);
            char *text = json_dumps(
                json_object_get(f.m->adapter->config, "target_modules"), JSON_COMPACT);
            cr_expect_str_eq(text, c->written);
            if (c->parts)
                cr_expect_eq(f.m->adapter->parts, c->parts * f.m->arch.L, "%s %s: %zu",
                             c->family, c->targets, f.m->adapter->parts);
            free(text);
        }
        close_fixture(&f);
    }
}

/* ---- directories ---------------------------------------------------------------------- */

ParameterizedTestParameters(adapter, written_and_read)
{
    return each_index(FAMILIES);
}
ParameterizedTest(size_t *i, adapter, written_and_read)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "adapter");
    struct checkpoint c = {0};
    struct fixture f, g;
    struct err e = {0};

    open_model(&f, families[*i], MODEL_COMPUTE);
    adapt(&f, "all-linear", 5);
    ok(checkpoint_begin(&c, path, CHECKPOINT_NEW, &e), &e);
    ok(adapter_write(f.m, &c, &e), &e);
    ok(checkpoint_commit(&c, &e), &e);
    checkpoint_abort(&c);

    g = (struct fixture){0};
    cr_assert(machine_new(&g.mc, 1, NULL));
    ok(model_open(&g.m, path, g.mc.k, MODEL_SAMPLE, &e), &e);
    cr_expect_eq(g.m->hash, f.m->hash, "%s: read otherwise", families[*i]);
    cr_expect_eq(memcmp(g.m->adapter->params, f.m->adapter->params,
                        f.m->adapter->plan.size * sizeof(float)),
                 0);
    open_pass(&f, PASS_SCORE);
    open_pass(&g, PASS_SCORE); /* with packed weights */
    cr_expect_float_eq(loss(&f), loss(&g), 0, "%s", families[*i]);
    close_fixture(&f);
    close_fixture(&g);
    scratch_remove(dir);
}

/* The golden adapter with its config changed: "key": value. */
static int read_with(const char *dir, const char *key, const char *value, struct err *e)
{
    char path[GOLDEN_PATH];
    struct fixture f;
    json_t *config;
    size_t n;
    char *bytes =
        file_slurp(golden_file("llama-tiny-lora/adapter_model.safetensors"), &n);

    file_make(path_in(dir, PEFT_WEIGHTS), bytes, n);
    free(bytes);
    *e = (struct err){0};
    ok(json_read_file(&config, golden_file("llama-tiny-lora/adapter_config.json"), e),
       e);
    if (key)
        cr_assert_eq(
            json_object_set_new(config, key, json_loads(value, JSON_DECODE_ANY, NULL)),
            0);
    char *text = json_dumps(config, 0);
    file_make(path_in(dir, PEFT_CONFIG), text, strlen(text));
    free(text);
    json_decref(config);

    f = (struct fixture){0};
    cr_assert(machine_new(&f.mc, 1, NULL));
    const int rc = model_open_with(&f.m, golden_path(path, "llama-tiny"), dir, f.mc.k,
                                   MODEL_COMPUTE, e);
    close_fixture(&f);
    return rc;
}

static const struct config_case {
    const char *key, *value;
    const char *says; /* NULL: taken */
} configs[] = {
    {NULL, NULL, NULL},
    {"use_rslora", "true", NULL},
    {"alpha_pattern", "{\"q_proj\": 3}", NULL},
    {"rank_pattern", "{\"k_proj\": 9}", NULL}, /* of none that is here */
    {"rank_pattern", "{\"q_proj\": 9}", "4 x 40"},
    {"rank_pattern", "{\"q_proj\": -1}", "rank_pattern"},
    {"rank_pattern", "{\"(\": 4}", "regular expression"},
    {"rank_pattern", "[4]", "rank_pattern"},
    {"alpha_pattern", "{\".*\": \"x\"}", "alpha_pattern"},
    {"r", "5", "40"},
    {"r", "0", "'r'"},
    {"lora_alpha", "\"x\"", "lora_alpha"},
    {"use_dora", "true", "use_dora"},
    {"bias", "\"all\"", "'bias'"},
    {"modules_to_save", "[\"lm_head\"]", "modules_to_save"},
    {"modules_to_save", "[]", NULL},
    {"lora_bias", "true", "lora_bias"},
    {"peft_type", "\"IA3\"", "peft_type"},
    {"init_lora_weights", "\"pissa\"", "init_lora_weights"},
    {"init_lora_weights", "\"gaussian\"", NULL},
    {"trainable_token_indices", "[3]", "trainable_token_indices"},
};
enum { CONFIGS = sizeof configs / sizeof *configs };

Test(adapter, configs)
{
    char *dir = scratch_make();

    for (size_t i = 0; i < CONFIGS; i++) {
        const struct config_case *c = &configs[i];
        struct err e;
        const int rc = read_with(dir, c->key, c->value, &e);

        cr_expect_eq(rc < 0, c->says != NULL, "%s %s: %s", c->key, c->value, e.text);
        if (c->says && strcmp(c->says, "40") != 0)
            cr_expect(strstr(e.text, c->says) || strstr(e.text, "9 x 40"), "%s: %s",
                      c->key, e.text);
    }
    scratch_remove(dir);
}

/* Every cut of the weights fails, and so does what belongs to another model. */
Test(adapter, cut_and_strange)
{
    char *dir = scratch_make();
    const char *weights = path_in(dir, PEFT_WEIGHTS);
    char path[GOLDEN_PATH];
    struct fixture f;
    struct err e = {0};
    size_t n, all_bytes;

    ok(read_with(dir, NULL, NULL, &e), &e);
    open_model(&f, "llama-tiny", MODEL_COMPUTE);
    char *bytes = file_slurp(weights, &all_bytes);
    for (n = 0; n < all_bytes; n += 1 + n / 7) {
        file_make(weights, bytes, n);
        cr_expect_lt(adapter_load(f.m, dir, &e), 0, "%zu bytes were taken", n);
        cr_expect_null(f.m->adapter);
    }
    file_make(weights, bytes, all_bytes);
    ok(adapter_load(f.m, dir, &e), &e);
    close_fixture(&f);

    open_model(&f, "gpt2-tiny", MODEL_COMPUTE);
    cr_expect_eq(adapter_load(f.m, dir, &e), ERR_FILE);
    cr_expect(strstr(e.text, "q_proj") != NULL, "%s", e.text);
    close_fixture(&f);

    char *at = memmem(bytes, all_bytes, "q_proj.lora_A", 13); /* the same length */
    cr_assert_not_null(at);
    memcpy(at, "q_prox", 6);
    file_make(weights, bytes, all_bytes);
    open_model(&f, "llama-tiny", MODEL_COMPUTE);
    cr_expect_eq(adapter_load(f.m, dir, &e), ERR_FILE);
    cr_expect(strstr(e.text, "q_pro") != NULL, "%s", e.text);
    close_fixture(&f);
    cr_expect_eq(model_open_with(&f.m, golden_path(path, "llama-tiny-lora"), dir, NULL,
                                 MODEL_COMPUTE, &e),
                 ERR_USAGE);
    free(bytes);
    scratch_remove(dir);
}
