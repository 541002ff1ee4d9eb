/*
 * Phi-3 and Phi-4-mini: llama with q, k and v stored as one matrix, gate and up as
 * another, and perhaps only part of each head turned.  longrope's short factors hold up
 * to the original context, to which ours is kept.
 */
#include "arch/llama.h"
#include "base/json.h"

#include <string.h>

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
    struct arch_kind *k = &a->kind[ARCH_LOCAL];
    int rc;

    llama_kind(a);
    a->norm_eps = 1e-5f;
    if ((rc = llama_from_config(a, config, where, e)) < 0 ||
        (rc = json_opt_size(&k->window, config, "sliding_window", 1, ARCH_CONTEXT_MAX,
                            where, e)) < 0)
        return rc;
    memset(a->layer, k->window ? ARCH_LOCAL : ARCH_FULL, a->L);
    return 0;
}

static int to_config(json_t *config, const struct arch *a)
{
    const size_t window = a->kind[ARCH_LOCAL].window;

    return llama_to_config(config, a) |
           fields_put(config, "sliding_window",
                      window ? json_integer((json_int_t)window) : json_null());
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
