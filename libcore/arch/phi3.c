/*
 * Phi-3 and Phi-4-mini: llama with q, k and v stored as one matrix, gate and up as
 * another, and perhaps only part of each head turned.  longrope's short factors hold up
 * to the original context, to which ours is kept.
 */
#include "arch/llama.h"

#include <string.h>

#define LAYER "model.layers.#."

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"model.embed_tokens.weight", "token_embd.weight", 0},
    [ARCH_LN1] = {LAYER "input_layernorm.weight", "blk.#.attn_norm.weight", 0},
    [ARCH_QKV] = {LAYER "self_attn.qkv_proj.weight", "blk.#.attn_qkv.weight", 0},
    [ARCH_O] = {LAYER "self_attn.o_proj.weight", "blk.#.attn_output.weight", 0},
    [ARCH_LN2] = {LAYER "post_attention_layernorm.weight", "blk.#.ffn_norm.weight", 0},
    [ARCH_UP] = {LAYER "mlp.gate_up_proj.weight", "blk.#.ffn_up.weight", 0},
    [ARCH_DOWN] = {LAYER "mlp.down_proj.weight", "blk.#.ffn_down.weight", 0},
    [ARCH_NORM] = {"model.norm.weight", "output_norm.weight", 0},
    [ARCH_HEAD] = {"lm_head.weight", "output.weight", 0},
};

/* Frequencies of old files; GGUF's factors are read with the metadata. */
static const char *const skip[] = {".rotary_emb.inv_freq", "rope_factors_long.weight",
                                   "rope_factors_short.weight", NULL};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    llama_kind(a);
    a->norm_eps = 1e-5f;
    const int rc = llama_from_config(a, llama_rms, config, where, e);

    return rc < 0 ? rc : fields_window(a, 0, config, where, e);
}

/* 0: no window. */
static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    struct arch_kind *k = &a->kind[ARCH_LOCAL];
    int rc;

    llama_kind(a);
    if ((rc = llama_from_gguf(a, g, "phi3", e)) < 0 ||
        (rc = gguf_get_size(&k->window, g, "phi3.attention.sliding_window", 0,
                            ARCH_CONTEXT_MAX, e)) < 0)
        return rc;
    memset(a->layer, k->window ? ARCH_LOCAL : ARCH_FULL, a->L);
    return 0;
}

static int to_gguf(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e)
{
    if (a->H * a->D != a->C)
        return err_set(
            e, ERR_FILE,
            "%s: %zu heads of %zu are not the model's width %zu, as in GGUF's "
            "phi3",
            where, a->H, a->D, a->C);
    gguf_put_size(out, "phi3.attention.sliding_window", a->kind[ARCH_LOCAL].window);
    return 0;
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, llama_rms) |
           fields_put(config, "pad_token_id", json_null()) | /* not the published one */
           fields_put(config, "partial_rotary_factor",
                      json_real((double)a->R / (double)a->D)) |
           fields_window_config(config, a);
}

const struct family family_phi3 = {
    .name = "phi3",
    .class_name = "Phi3ForCausalLM",
    .gguf = "phi3",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
