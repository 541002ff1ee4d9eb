/*
 * GPT-NeoX and Pythia: layer norms with biases, part of each head turned, q, k and v of
 * a head stored together, a plain MLP.  Attention and MLP read the same x, or one after
 * the other (use_parallel_residual).
 */
#include "arch/fields.h"
#include "base/json.h"
#include "tensor/plan.h"

#include <math.h>

#define LAYER "gpt_neox.layers.#."

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"gpt_neox.embed_in.weight", "token_embd.weight", 0},
    [ARCH_LN1] = {LAYER "input_layernorm.weight", "blk.#.attn_norm.weight", 0},
    [ARCH_LN1_B] = {LAYER "input_layernorm.bias", "blk.#.attn_norm.bias", 0},
    [ARCH_QKV] = {LAYER "attention.query_key_value.weight", "blk.#.attn_qkv.weight",
                  PLAN_BY_HEAD},
    [ARCH_QKV_B] = {LAYER "attention.query_key_value.bias", "blk.#.attn_qkv.bias",
                    PLAN_BY_HEAD},
    [ARCH_O] = {LAYER "attention.dense.weight", "blk.#.attn_output.weight", 0},
    [ARCH_O_B] = {LAYER "attention.dense.bias", "blk.#.attn_output.bias", 0},
    [ARCH_LN2] = {LAYER "post_attention_layernorm.weight", "blk.#.ffn_norm.weight", 0},
    [ARCH_LN2_B] = {LAYER "post_attention_layernorm.bias", "blk.#.ffn_norm.bias", 0},
    [ARCH_UP] = {LAYER "mlp.dense_h_to_4h.weight", "blk.#.ffn_up.weight", 0},
    [ARCH_UP_B] = {LAYER "mlp.dense_h_to_4h.bias", "blk.#.ffn_up.bias", 0},
    [ARCH_DOWN] = {LAYER "mlp.dense_4h_to_h.weight", "blk.#.ffn_down.weight", 0},
    [ARCH_DOWN_B] = {LAYER "mlp.dense_4h_to_h.bias", "blk.#.ffn_down.bias", 0},
    [ARCH_NORM] = {"gpt_neox.final_layer_norm.weight", "output_norm.weight", 0},
    [ARCH_NORM_B] = {"gpt_neox.final_layer_norm.bias", "output_norm.bias", 0},
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

static int head_width(struct arch *a, const char *where, struct err *e)
{
    if (a->C % a->H)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       where, a->C, a->H);
    a->G = a->H;
    a->D = a->C / a->H;
    a->attn_scale = 1.0f / sqrtf((float)a->D);
    return 0;
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

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    const struct field fields[] = {
        {"vocab_size", &a->V, ARCH_VOCAB_MAX, 0},
        {"hidden_size", &a->C, ARCH_WIDTH_MAX, 0},
        {"num_hidden_layers", &a->L, ARCH_LAYERS_MAX, 0},
        {"num_attention_heads", &a->H, ARCH_HEADS_MAX, 0},
        {"intermediate_size", &a->F, ARCH_WIDTH_MAX, 0},
        {"max_position_embeddings", &a->context, ARCH_CONTEXT_MAX, 0},
        {0},
    };
    int bias = 1, rc;

    set_kind(a);
    if ((rc = fields_config(fields, config, where, e)) < 0 ||
        (rc = fields_act(&a->act, config, "hidden_act", where, e)) < 0 ||
        (rc = fields_positive(&a->norm_eps, config, "layer_norm_eps", where, e)) < 0 ||
        (rc = json_opt_bool(&a->parallel, config, "use_parallel_residual", where, e)) <
            0 ||
        (rc = json_opt_bool(&bias, config, "attention_bias", where, e)) < 0 ||
        (rc = json_opt_bool(&a->tied, config, "tie_word_embeddings", where, e)) < 0 ||
        (rc = head_width(a, where, e)) < 0 ||
        (rc = rope_names(a, config, where, e)) < 0 ||
        (rc = fields_rope(a, config, where, e)) < 0)
        return rc;
    a->bias_qkv = a->bias_o = bias;
    return fields_check(a, where, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    const struct field fields[] = {
        {"embedding_length", &a->C, ARCH_WIDTH_MAX, 0},
        {"block_count", &a->L, ARCH_LAYERS_MAX, 0},
        {"attention.head_count", &a->H, ARCH_HEADS_MAX, 0},
        {"feed_forward_length", &a->F, ARCH_WIDTH_MAX, 0},
        {"context_length", &a->context, ARCH_CONTEXT_MAX, 0},
        {0},
    };
    int rc;

    set_kind(a);
    if ((rc = fields_gguf(fields, g, "gptneox", e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, "gptneox",
                                   "attention.layer_norm_epsilon", e)) < 0 ||
        (rc = gguf_get_bool(&a->parallel, g, "gptneox.use_parallel_residual", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0 || (rc = head_width(a, g->path, e)) < 0)
        return rc;
    a->bias_qkv = a->bias_o = gguf_find_tensor(g, "blk.0.attn_qkv.bias") != NULL;
    return fields_rope_gguf(a, g, "gptneox", e);
}

static int to_config(json_t *config, const struct arch *a)
{
    int rc = fields_put(config, "hidden_size", json_integer((json_int_t)a->C));

    rc |= fields_put(config, "num_hidden_layers", json_integer((json_int_t)a->L));
    rc |= fields_put(config, "num_attention_heads", json_integer((json_int_t)a->H));
    rc |= fields_put(config, "intermediate_size", json_integer((json_int_t)a->F));
    rc |= fields_put(config, "max_position_embeddings",
                     json_integer((json_int_t)a->context));
    rc |= fields_put(config, "hidden_act", json_string(fields_act_name(a->act)));
    rc |= fields_put(config, "layer_norm_eps", json_real(a->norm_eps));
    rc |= fields_put(config, "use_parallel_residual", json_boolean(a->parallel));
    rc |= fields_put(config, "attention_bias", json_boolean(a->bias_qkv));
    rc |= fields_put(config, "rotary_pct", json_real((double)a->R / (double)a->D));
    rc |=
        fields_put(config, "rotary_emb_base", json_real(a->kind[ARCH_FULL].rope.base));
    return rc;
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
