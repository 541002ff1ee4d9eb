/*
 * GPT-2: learned positions, layer norms with biases, one fused matrix for q, k and v,
 * a plain MLP, a tied head.  Checkpoints store matrices as (inputs, outputs); published
 * ones leave out "transformer." and carry the causal masks as tensors.
 */
#include "arch/fields.h"
#include "arch/settings.h"
#include "tensor/plan.h"

#define LAYER "transformer.h.#."

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"transformer.wte.weight", "token_embd.weight", 0},
    [ARCH_POSITION] = {"transformer.wpe.weight", "position_embd.weight", 0},
    ARCH_BOTH(ARCH_LN1, LAYER "ln_1", "blk.#.attn_norm", 0, 0),
    ARCH_BOTH(ARCH_QKV, LAYER "attn.c_attn", "blk.#.attn_qkv", PLAN_TRANSPOSED, 0),
    ARCH_BOTH(ARCH_O, LAYER "attn.c_proj", "blk.#.attn_output", PLAN_TRANSPOSED, 0),
    ARCH_BOTH(ARCH_LN2, LAYER "ln_2", "blk.#.ffn_norm", 0, 0),
    ARCH_BOTH(ARCH_UP, LAYER "mlp.c_fc", "blk.#.ffn_up", PLAN_TRANSPOSED, 0),
    ARCH_BOTH(ARCH_DOWN, LAYER "mlp.c_proj", "blk.#.ffn_down", PLAN_TRANSPOSED, 0),
    ARCH_BOTH(ARCH_NORM, "transformer.ln_f", "output_norm", 0, 0),
    [ARCH_HEAD] = {"lm_head.weight", "output.weight", 0},
};

/* The causal masks of old files. */
static const char *const skip[] = {".attn.bias", ".attn.masked_bias", NULL};

static void set_kind(struct arch *a)
{
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-5f;
    a->position = POS_LEARNED;
    a->mlp = MLP_PLAIN;
    a->act = ACT_GELU_TANH;
    a->bias_qkv = a->bias_o = a->bias_mlp = 1;
    a->tied = 1;
}

static int finish(struct arch *a, const char *where, struct err *e)
{
    const int rc = fields_heads(a, where, e);

    return rc < 0 ? rc : fields_check(a, where, e);
}

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"n_embd", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"n_layer", SETTING_SIZE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"n_head", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"n_positions", SETTING_SIZE, SETTING_AT(context), ARCH_CONTEXT_MAX},
    {"n_inner", SETTING_MAYBE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"activation_function", SETTING_ACT, SETTING_AT(act)},
    {"layer_norm_epsilon", SETTING_REAL, SETTING_AT(norm_eps)},
    {"tie_word_embeddings", SETTING_BOOL, SETTING_AT(tied)},
    {0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = fields_only(config, "scale_attn_weights", 1, where, e)) < 0 ||
        (rc = fields_only(config, "scale_attn_by_inverse_layer_idx", 0, where, e)) <
            0 ||
        (rc = fields_only(config, "add_cross_attention", 0, where, e)) < 0)
        return rc;
    if (a->F == 0)
        a->F = 4 * a->C;
    return finish(a, where, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = fields_sizes_gguf(a, g, "gpt2", e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, "gpt2",
                                   "attention.layer_norm_epsilon", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0)
        return rc;
    return finish(a, g->path, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return settings_write(config, a, settings);
}

const struct family family_gpt2 = {
    .name = "gpt2",
    .class_name = "GPT2LMHeadModel",
    .gguf = "gpt2",
    .gguf_act = ACT_GELU_TANH,
    .prefix = "transformer.",
    .names = names,
    .skip = skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
};
