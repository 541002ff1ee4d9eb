/*
 * OLMo 2: llama with norms behind attention and MLP instead of before them, and norms of
 * queries and keys over all heads together.
 */
#include "arch/llama.h"

#define LAYER "model.layers.#."

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(0, 0),
    [ARCH_POST1] = {LAYER "post_attention_layernorm.weight",
                    "blk.#.post_attention_norm.weight", 0},
    [ARCH_POST2] = {LAYER "post_feedforward_layernorm.weight",
                    "blk.#.post_ffw_norm.weight", 0},
};

static void set_kind(struct arch *a)
{
    llama_kind(a);
    a->norm_eps = 1e-5f;
    a->placement = NORM_AFTER;
    a->qk_norm = QK_WIDE;
}

static const struct setting own[] = {LLAMA_RMS, LLAMA_BIAS, {0}};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    set_kind(a);
    const int rc = llama_from_config(a, own, config, where, e);

    a->bias_o = a->bias_qkv;
    return rc;
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    set_kind(a);
    if (gguf_find(g, "olmo2.attention.sliding_window"))
        return err_set(e, ERR_FILE,
                       "%s: 'olmo2.attention.sliding_window' is there: a model without "
                       "windows expected (OLMo 3 has them)",
                       g->path);
    return llama_from_gguf(a, g, "olmo2", e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own);
}

const struct family family_olmo2 = {
    .name = "olmo2",
    .class_name = "Olmo2ForCausalLM",
    .gguf = "olmo2",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
};
