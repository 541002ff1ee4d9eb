/*
 * Gemma: llama with wide heads, a gelu gate, gains of 1 + w, and embeddings that enter
 * times sqrt(C).  Gemma 2 puts norms around both halves, caps scores and logits softly,
 * and lets every other layer see a window only.  Gemma 3 norms queries and keys instead
 * of capping scores; its windowed layers, five of six, turn positions with a base of
 * their own.
 */
#include "arch/llama.h"
#include "base/json.h"

#include <math.h>

#define LAYER "model.layers.#."

static const struct arch_name gemma1_names[ARCH_TENSORS] = {
    LLAMA_NAMES(0, PLAN_PLUS_ONE),
    LLAMA_NORMS(PLAN_PLUS_ONE),
};

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(0, PLAN_PLUS_ONE),
    [ARCH_LN1] = {LAYER "input_layernorm.weight", "blk.#.attn_norm.weight",
                  PLAN_PLUS_ONE},
    [ARCH_POST1] = {LAYER "post_attention_layernorm.weight",
                    "blk.#.post_attention_norm.weight", PLAN_PLUS_ONE},
    [ARCH_LN2] = {LAYER "pre_feedforward_layernorm.weight", "blk.#.ffn_norm.weight",
                  PLAN_PLUS_ONE},
    [ARCH_POST2] = {LAYER "post_feedforward_layernorm.weight",
                    "blk.#.post_ffw_norm.weight", PLAN_PLUS_ONE},
};

static void set_kind(struct arch *a)
{
    llama_kind(a);
    a->norm_offset = 1;
    a->act = ACT_GELU_TANH;
    a->tied = 1;
    a->D = 256;
}

static void around(struct arch *a)
{
    set_kind(a);
    a->placement = NORM_AROUND;
}

/* After the dimensions are known. */
static void scale_embedding(struct arch *a)
{
    a->embed_scale = sqrtf((float)a->C);
}

/* Every period-th layer is full. */
static void alternate(struct arch *a, size_t period)
{
    for (size_t l = 0; l < a->L; l++)
        a->layer[l] = (l + 1) % period ? ARCH_LOCAL : ARCH_FULL;
}

/* ---- config.json ------------------------------------------------------------------- */

/* A cap; null is none. */
static int read_cap(float *cap, const json_t *config, const char *key,
                    const char *where, struct err *e)
{
    if (json_is_null(json_object_get(config, key)))
        *cap = 0;
    return *cap == 0 && !json_is_number(json_object_get(config, key))
               ? 0
               : fields_positive(cap, config, key, where, e);
}

static const struct setting own[] = {LLAMA_RMS, LLAMA_BIAS, {0}};

/* What all three read; the layers' windows are the caller's. */
static int common(struct arch *a, const json_t *config, const char *where,
                  struct err *e)
{
    int rc;

    if ((rc = llama_from_config(a, own, config, where, e)) < 0 ||
        (rc = fields_only(config, "use_bidirectional_attention", 0, where, e)) < 0)
        return rc;
    a->bias_o = a->bias_qkv;
    scale_embedding(a);
    return 0;
}

/* "gelu", in old files, is meant as the approximation. */
static int gemma_from_config(struct arch *a, const json_t *config, const char *where,
                             struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = common(a, config, where, e)) < 0)
        return rc;
    if (a->act == ACT_GELU)
        a->act = ACT_GELU_TANH;
    return 0;
}

static int later_from_config(struct arch *a, const json_t *config, const char *where,
                             struct err *e)
{
    float scalar = 256;
    int rc;

    a->kind[ARCH_LOCAL].window = 4096;
    if ((rc = common(a, config, where, e)) < 0)
        return rc;
    a->act = ACT_GELU_TANH; /* "hidden_act" is not looked at */
    if ((rc = fields_act(&a->act, config, "hidden_activation", where, e)) < 0 ||
        (rc = fields_positive(&scalar, config, "query_pre_attn_scalar", where, e)) <
            0 ||
        (rc = read_cap(&a->attn_cap, config, "attn_logit_softcapping", where, e)) < 0 ||
        (rc = read_cap(&a->logit_cap, config, "final_logit_softcapping", where, e)) <
            0 ||
        (rc = json_opt_size(&a->kind[ARCH_LOCAL].window, config, "sliding_window", 1,
                            ARCH_CONTEXT_MAX, where, e)) < 0)
        return rc;
    a->attn_scale = 1.0f / sqrtf(scalar);
    return 0;
}

static int gemma2_from_config(struct arch *a, const json_t *config, const char *where,
                              struct err *e)
{
    int rc;

    around(a);
    a->attn_cap = 50;
    a->logit_cap = 30;
    if ((rc = later_from_config(a, config, where, e)) < 0)
        return rc;
    alternate(a, 2);
    rc = fields_layers(a, config, where, e);
    return rc < 0 ? rc : 0;
}

/* Old form: rope_theta and rope_scaling are the full layers', rope_local_base_freq the
 * others', whose positions are never scaled.  The new form says it by kind. */
static int gemma3_from_config(struct arch *a, const json_t *config, const char *where,
                              struct err *e)
{
    struct rope *local = &a->kind[ARCH_LOCAL].rope;
    float base = 10000;
    size_t period = 6;
    int rc;

    around(a);
    a->qk_norm = QK_HEADS;
    a->kind[ARCH_FULL].rope.base = 1000000;
    if ((rc = later_from_config(a, config, where, e)) < 0 ||
        (rc = fields_positive(&base, config, "rope_local_base_freq", where, e)) < 0 ||
        (rc = json_opt_size(&period, config, "sliding_window_pattern", 1,
                            ARCH_LAYERS_MAX, where, e)) < 0)
        return rc;
    const json_t *new = json_object_get(config, "rope_parameters");
    if (!json_object_get(new, "sliding_attention"))
        *local = (struct rope){.base = (double)base, .gain = 1};
    alternate(a, period);
    rc = fields_layers(a, config, where, e);
    return rc < 0 ? rc : 0;
}

/* ---- GGUF -------------------------------------------------------------------------- */

static int gemma_from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    set_kind(a);
    const int rc = llama_from_gguf(a, g, "gemma", e);
    scale_embedding(a);
    return rc;
}

/* The file does not say how q.k is scaled: by the head's width, but in the largest model
 * by C / H. */
static float implied_scale(const struct arch *a, size_t largest)
{
    return 1.0f / sqrtf((float)(a->L == largest ? a->C / a->H : a->D));
}

enum { GEMMA2_LARGEST = 46, GEMMA3_LARGEST = 62 }; /* layers */

/* Every how manyth layer is full: said by newer files; older ones mean the published. */
static int read_period(struct arch *a, const struct gguf *g, const char *key,
                       size_t published, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    size_t period = published;
    const int rc = kv && !kv->is_array
                       ? gguf_get_size(&period, g, key, 1, ARCH_LAYERS_MAX + 1, e)
                       : 0;

    if (rc >= 0)
        alternate(a, period);
    return rc < 0 ? rc : 0;
}

static int gemma2_from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    const struct field window[] = {
        {"attention.sliding_window", &a->kind[ARCH_LOCAL].window, ARCH_CONTEXT_MAX, 1},
        {0}};
    int rc;

    around(a);
    a->attn_cap = 50;
    a->logit_cap = 30;
    a->kind[ARCH_LOCAL].window = 4096;
    if ((rc = llama_from_gguf(a, g, "gemma2", e)) < 0 ||
        (rc = fields_positive_gguf(&a->attn_cap, g, "gemma2", "attn_logit_softcapping",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&a->logit_cap, g, "gemma2",
                                   "final_logit_softcapping", e)) < 0 ||
        (rc = fields_gguf(window, g, "gemma2", e)) < 0)
        return rc;
    scale_embedding(a);
    a->attn_scale = implied_scale(a, GEMMA2_LARGEST);
    return read_period(a, g, "gemma2.attention.sliding_window_pattern", 2, e);
}

static int gemma3_from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    size_t *window = &a->kind[ARCH_LOCAL].window;
    const struct field fields[] = {
        {"attention.sliding_window", window, ARCH_CONTEXT_MAX, 1}, {0}};
    float base = 10000;
    int rc;

    around(a);
    a->qk_norm = QK_HEADS;
    if ((rc = llama_from_gguf(a, g, "gemma3", e)) < 0 ||
        (rc = fields_positive_gguf(&base, g, "gemma3", "rope.freq_base_swa", e)) < 0 ||
        (rc = fields_gguf(fields, g, "gemma3", e)) < 0)
        return rc;
    if (gguf_find(g, "gemma3.final_logit_softcapping") &&
        (rc = fields_positive_gguf(&a->logit_cap, g, "gemma3",
                                   "final_logit_softcapping", e)) < 0)
        return rc;
    a->kind[ARCH_LOCAL].rope = (struct rope){.base = (double)base, .gain = 1};
    scale_embedding(a);
    a->attn_scale = implied_scale(a, GEMMA3_LARGEST);
    return read_period(a, g, "gemma3.attention.sliding_window_pattern", *window ? 6 : 1,
                       e);
}

/* ---- back -------------------------------------------------------------------------- */

static json_t *cap_json(float cap)
{
    return cap > 0 ? json_real((double)cap) : json_null();
}

static int gemma_to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own);
}

static int later_to_config(json_t *config, const struct arch *a)
{
    const struct arch_kind *local = &a->kind[ARCH_LOCAL];
    json_t *layers = json_array();
    int rc = llama_to_config(config, a, own);

    for (size_t l = 0; l < a->L; l++)
        rc |= json_array_append_new(layers, json_string(a->layer[l] == ARCH_LOCAL
                                                            ? "sliding_attention"
                                                            : "full_attention"));
    rc |= fields_put(config, "layer_types", layers);
    rc |= fields_put(config, "hidden_activation", json_string("gelu_pytorch_tanh"));
    rc |= fields_put(config, "query_pre_attn_scalar",
                     json_integer(lroundf(1 / (a->attn_scale * a->attn_scale))));
    rc |= fields_put(config, "attn_logit_softcapping", cap_json(a->attn_cap));
    rc |= fields_put(config, "final_logit_softcapping", cap_json(a->logit_cap));
    rc |= fields_put(config, "sliding_window",
                     json_integer((json_int_t)(local->window ? local->window : 4096)));
    return rc;
}

static int gemma3_to_config(json_t *config, const struct arch *a)
{
    return later_to_config(config, a) |
           fields_put(config, "rope_local_base_freq",
                      json_real(a->kind[ARCH_LOCAL].rope.base));
}

/* ---- to GGUF ----------------------------------------------------------------------- */

static int cannot(const char *where, const char *what, struct err *e)
{
    return err_set(e, ERR_FILE, "%s: GGUF cannot say this model's '%s'", where, what);
}

/* Every how manyth layer is full, L + 1 if none is; 0: there is no such number. */
static size_t period_of(const struct arch *a)
{
    for (size_t p = 1; p <= a->L + 1; p++) {
        size_t l = 0;

        while (l < a->L && (a->layer[l] == ARCH_LOCAL) == ((l + 1) % p != 0))
            l++;
        if (l == a->L)
            return p;
    }
    return 0;
}

static int same_scale(const struct arch *a, size_t largest)
{
    return fabsf(a->attn_scale / implied_scale(a, largest) - 1) < 1e-6f;
}

static int gemma2_to_gguf(struct gguf_meta *out, const struct arch *a,
                          const char *where, struct err *e)
{
    if (!same_scale(a, GEMMA2_LARGEST))
        return cannot(where, "query_pre_attn_scalar", e);
    if (a->attn_cap <= 0 || a->logit_cap <= 0)
        return cannot(where, "attn_logit_softcapping", e);
    if (!period_of(a))
        return cannot(where, "layer_types", e);
    gguf_put_size(out, "gemma2.attention.sliding_window", a->kind[ARCH_LOCAL].window);
    gguf_put_size(out, "gemma2.attention.sliding_window_pattern", period_of(a));
    gguf_put_f32(out, "gemma2.attn_logit_softcapping", (double)a->attn_cap);
    gguf_put_f32(out, "gemma2.final_logit_softcapping", (double)a->logit_cap);
    return 0;
}

static int gemma3_to_gguf(struct gguf_meta *out, const struct arch *a,
                          const char *where, struct err *e)
{
    const struct arch_kind *local = &a->kind[ARCH_LOCAL];

    if (!same_scale(a, GEMMA3_LARGEST))
        return cannot(where, "query_pre_attn_scalar", e);
    if (a->attn_cap > 0)
        return cannot(where, "attn_logit_softcapping", e);
    if (!period_of(a))
        return cannot(where, "layer_types", e);
    if (local->rope.scaling != ROPE_PLAIN)
        return cannot(where, "rope_parameters", e);
    gguf_put_size(out, "gemma3.attention.sliding_window", local->window);
    gguf_put_size(out, "gemma3.attention.sliding_window_pattern", period_of(a));
    gguf_put_f32(out, "gemma3.rope.freq_base_swa", local->rope.base);
    if (a->logit_cap > 0)
        gguf_put_f32(out, "gemma3.final_logit_softcapping", (double)a->logit_cap);
    return 0;
}

const struct family family_gemma = {
    .name = "gemma",
    .class_name = "GemmaForCausalLM",
    .gguf = "gemma",
    .gguf_act = ACT_GELU_TANH,
    .prefix = "model.",
    .names = gemma1_names,
    .skip = llama_skip,
    .from_config = gemma_from_config,
    .from_gguf = gemma_from_gguf,
    .to_config = gemma_to_config,
};

const struct family family_gemma2 = {
    .name = "gemma2",
    .class_name = "Gemma2ForCausalLM",
    .gguf = "gemma2",
    .gguf_act = ACT_GELU_TANH,
    .gguf_windows = 1,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = gemma2_from_config,
    .from_gguf = gemma2_from_gguf,
    .to_config = later_to_config,
    .to_gguf = gemma2_to_gguf,
};

const struct family family_gemma3 = {
    .name = "gemma3_text",
    .class_name = "Gemma3ForCausalLM",
    .gguf = "gemma3",
    .gguf_act = ACT_GELU_TANH,
    .gguf_windows = 1,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = gemma3_from_config,
    .from_gguf = gemma3_from_gguf,
    .to_config = gemma3_to_config,
    .to_gguf = gemma3_to_gguf,
};
