/*
 * GPT-NeoX and Pythia: layer norms with biases, part of each head turned, q, k and v of
 * a head stored together, a plain MLP.  Attention and MLP read the same x, or one after
 * the other (use_parallel_residual).
 */
#include "arch/fields.h"
#include "arch/settings.h"
#include "tensor/plan.h"

#define LAYER "gpt_neox.layers.#."

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"gpt_neox.embed_in.weight", "token_embd.weight", 0},
    ARCH_BOTH(ARCH_LN1, LAYER "input_layernorm", "blk.#.attn_norm", 0, 0),
    ARCH_BOTH(ARCH_QKV, LAYER "attention.query_key_value", "blk.#.attn_qkv",
              PLAN_BY_HEAD, PLAN_BY_HEAD),
    ARCH_BOTH(ARCH_O, LAYER "attention.dense", "blk.#.attn_output", 0, 0),
    ARCH_BOTH(ARCH_LN2, LAYER "post_attention_layernorm", "blk.#.ffn_norm", 0, 0),
    ARCH_BOTH(ARCH_UP, LAYER "mlp.dense_h_to_4h", "blk.#.ffn_up", 0, 0),
    ARCH_BOTH(ARCH_DOWN, LAYER "mlp.dense_4h_to_h", "blk.#.ffn_down", 0, 0),
    ARCH_BOTH(ARCH_NORM, "gpt_neox.final_layer_norm", "output_norm", 0, 0),
    [ARCH_HEAD] = {"embed_out.weight", "output.weight", 0, "lm_head.weight"},
};

/* Causal masks and frequencies of old files. */
static const char *const skip[] = {".attention.bias", ".attention.masked_bias",
                                   ".rotary_emb.inv_freq", NULL};

static void set_kind(struct arch *a)
{
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-5f;
    a->position = POS_ROPE;
    a->mlp = MLP_PLAIN;
    a->act = ACT_GELU;
    a->bias_qkv = a->bias_o = a->bias_mlp = 1;
    a->parallel = 1;
}

/* The rope under this family's own names; those of others, if there, are read later. */
static int rope_names(struct arch *a, const json_t *config, const char *where,
                      struct err *e)
{
    float base = 10000, share = 0.25f;
    int rc;

    if ((rc = fields_positive(&base, config, "rotary_emb_base", where, e)) < 0 ||
        (rc = fields_positive(&share, config, "rotary_pct", where, e)) < 0)
        return rc;
    if (share > 1)
        return err_set(e, ERR_FILE, "%s: 'rotary_pct' is %g, expected 0 to 1", where,
                       (double)share);
    a->R = (size_t)((double)a->D * (double)share);
    for (size_t k = 0; k < ARCH_KINDS; k++)
        a->kind[k].rope.base = (double)base;
    return 0;
}

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"hidden_size", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"num_hidden_layers", SETTING_SIZE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"num_attention_heads", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"intermediate_size", SETTING_SIZE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"max_position_embeddings", SETTING_SIZE, SETTING_AT(context), ARCH_CONTEXT_MAX},
    {"hidden_act", SETTING_ACT, SETTING_AT(act)},
    {"layer_norm_eps", SETTING_REAL, SETTING_AT(norm_eps)},
    {"use_parallel_residual", SETTING_BOOL, SETTING_AT(parallel)},
    {"attention_bias", SETTING_BOOL, SETTING_AT(bias_qkv)},
    {"tie_word_embeddings", SETTING_BOOL, SETTING_AT(tied)},
    {0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = fields_heads(a, where, e)) < 0 ||
        (rc = rope_names(a, config, where, e)) < 0 ||
        (rc = fields_rope(a, config, where, e)) < 0)
        return rc;
    a->bias_o = a->bias_qkv;
    return fields_check(a, where, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    int rc;

    set_kind(a);
    if ((rc = fields_sizes_gguf(a, g, "gptneox", e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, "gptneox",
                                   "attention.layer_norm_epsilon", e)) < 0 ||
        (rc = gguf_get_bool(&a->parallel, g, "gptneox.use_parallel_residual", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0 || (rc = fields_heads(a, g->path, e)) < 0)
        return rc;
    a->bias_qkv = a->bias_o = gguf_find_tensor(g, "blk.0.attn_qkv.bias") != NULL;
    return fields_rope_gguf(a, g, "gptneox", e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return settings_write(config, a, settings) | fields_rope_config(config, a) |
           fields_put(config, "rotary_pct", json_real((double)a->R / (double)a->D)) |
           fields_put(config, "rotary_emb_base",
                      json_real(a->kind[ARCH_FULL].rope.base));
}

static int to_gguf(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e)
{
    (void)where;
    (void)e;
    gguf_put_bool(out, "gptneox.use_parallel_residual", a->parallel);
    return 0;
}

const struct family family_gptneox = {
    .name = "gpt_neox",
    .class_name = "GPTNeoXForCausalLM",
    .gguf = "gptneox",
    .gguf_act = ACT_GELU,
    .prefix = "gpt_neox.",
    .names = names,
    .skip = skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
