/*
 * StarCoder2: llama's attention with layer norms and biases everywhere, a plain MLP, a tied
 * head, and perhaps a window.
 */
#include "arch/llama.h"

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES_BUT_MLP(0, 0),
    LLAMA_NORMS(0),
    ARCH_BOTH(ARCH_UP, LLAMA_MLP "c_fc", "blk.#.ffn_up", 0, 0),
    ARCH_BOTH(ARCH_DOWN, LLAMA_MLP "c_proj", "blk.#.ffn_down", 0, 0),
};

static const struct setting own[] = {
    {"norm_epsilon", SETTING_REAL, SETTING_AT(norm_eps)},
    {"use_bias", SETTING_BOOL, SETTING_AT(bias_qkv)},
    {0},
};

static void set_kind(struct arch *a)
{
    llama_kind(a);
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-5f;
    a->mlp = MLP_PLAIN;
    a->act = ACT_GELU_TANH;
    a->tied = 1;
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    set_kind(a);
    a->bias_qkv = 1;
    const int rc = llama_from_config(a, own, config, where, e);

    a->bias_o = a->bias_mlp = a->bias_qkv;
    return rc < 0 ? rc : fields_window(a, 0, config, where, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    set_kind(a);
    const int rc = fields_positive_gguf(&a->norm_eps, g, "starcoder2",
                                        "attention.layer_norm_epsilon", e);

    return rc < 0 ? rc : llama_from_gguf(a, g, "starcoder2", e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own) | fields_window_config(config, a);
}

const struct family family_starcoder2 = {
    .name = "starcoder2",
    .class_name = "Starcoder2ForCausalLM",
    .gguf = "starcoder2",
    .gguf_act = ACT_GELU_TANH,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
};
