/*
 * Phi-3 and Phi-4-mini: llama with q, k and v stored as one matrix, gate and up as
 * another, and perhaps only part of each head turned.  longrope's short factors hold up
 * to the original context, to which ours is kept.
 */
#include "arch/llama.h"

#define LAYER "model.layers.#."

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"model.embed_tokens.weight", NULL, 0},
    [ARCH_LN1] = {LAYER "input_layernorm.weight", NULL, 0},
    [ARCH_QKV] = {LAYER "self_attn.qkv_proj.weight", NULL, 0},
    [ARCH_O] = {LAYER "self_attn.o_proj.weight", NULL, 0},
    [ARCH_LN2] = {LAYER "post_attention_layernorm.weight", NULL, 0},
    [ARCH_UP] = {LAYER "mlp.gate_up_proj.weight", NULL, 0},
    [ARCH_DOWN] = {LAYER "mlp.down_proj.weight", NULL, 0},
    [ARCH_NORM] = {"model.norm.weight", NULL, 0},
    [ARCH_HEAD] = {"lm_head.weight", NULL, 0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    llama_kind(a);
    a->norm_eps = 1e-5f;
    const int rc = llama_from_config(a, llama_rms, config, where, e);

    return rc < 0 ? rc : fields_window(a, 0, config, where, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, llama_rms) | fields_window_config(config, a);
}

const struct family family_phi3 = {
    .name = "phi3",
    .class_name = "Phi3ForCausalLM",
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .to_config = to_config,
};
