/*
 * StableLM 2: llama with layer norms, whose biases the last one has as well, a quarter of
 * each head turned, and perhaps biases on q, k and v.
 */
#include "arch/llama.h"
#include "base/json.h"

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(0, 0),
    LLAMA_NORMS(0),
};

static const struct setting own[] = {
    {"layer_norm_eps", SETTING_REAL, SETTING_AT(norm_eps)},
    {"use_qkv_bias", SETTING_BOOL, SETTING_AT(bias_qkv)},
    {0},
};

static void set_kind(struct arch *a)
{
    llama_kind(a);
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-5f;
}

static const char share[] = "partial_rotary_factor";

static int says_share(const json_t *config)
{
    return json_object_get(config, share) ||
           json_object_get(json_object_get(config, "rope_parameters"), share) ||
           json_object_get(json_object_get(config, "rope_scaling"), share);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = fields_only(config, "use_parallel_residual", 0, where, e)) < 0 ||
        (rc = fields_only(config, "qk_layernorm", 0, where, e)) < 0 ||
        (rc = llama_from_config(a, own, config, where, e)) < 0)
        return rc;
    if (!says_share(config))
        a->R = a->D / 4;
    return fields_check(a, where, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    set_kind(a);
    if (!gguf_find_tensor(g, "blk.0.ffn_norm.weight"))
        return err_set(e, ERR_FILE,
                       "%s: no tensor 'blk.0.ffn_norm.weight': a StableLM whose "
                       "attention and MLP stand side by side is not supported",
                       g->path);
    const int rc = fields_positive_gguf(&a->norm_eps, g, "stablelm",
                                        "attention.layer_norm_epsilon", e);
    return rc < 0 ? rc : llama_from_gguf(a, g, "stablelm", e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own) |
           fields_put(config, share, json_real((double)a->R / (double)a->D));
}

static int to_gguf(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e)
{
    (void)a;
    (void)where;
    (void)e;
    gguf_put_bool(out, "stablelm.use_parallel_residual", 0);
    return 0;
}

const struct family family_stablelm = {
    .name = "stablelm",
    .class_name = "StableLmForCausalLM",
    .gguf = "stablelm",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
