/*
 * GPT-2: learned positions, layer norms with biases, one fused matrix for q, k and v,
 * a plain MLP, a tied head.  Checkpoints store matrices as (inputs, outputs); published
 * ones leave out "transformer." and carry the causal masks as tensors.
 */
#include "arch/fields.h"
#include "base/json.h"
#include "tensor/plan.h"

#include <math.h>

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"transformer.wte.weight", "token_embd.weight", 0},
    [ARCH_POSITION] = {"transformer.wpe.weight", "position_embd.weight", 0},
    [ARCH_LN1] = {"transformer.h.#.ln_1.weight", "blk.#.attn_norm.weight", 0},
    [ARCH_LN1_B] = {"transformer.h.#.ln_1.bias", "blk.#.attn_norm.bias", 0},
    [ARCH_QKV] = {"transformer.h.#.attn.c_attn.weight", "blk.#.attn_qkv.weight",
                  PLAN_TRANSPOSED},
    [ARCH_QKV_B] = {"transformer.h.#.attn.c_attn.bias", "blk.#.attn_qkv.bias", 0},
    [ARCH_O] = {"transformer.h.#.attn.c_proj.weight", "blk.#.attn_output.weight",
                PLAN_TRANSPOSED},
    [ARCH_O_B] = {"transformer.h.#.attn.c_proj.bias", "blk.#.attn_output.bias", 0},
    [ARCH_LN2] = {"transformer.h.#.ln_2.weight", "blk.#.ffn_norm.weight", 0},
    [ARCH_LN2_B] = {"transformer.h.#.ln_2.bias", "blk.#.ffn_norm.bias", 0},
    [ARCH_UP] = {"transformer.h.#.mlp.c_fc.weight", "blk.#.ffn_up.weight",
                 PLAN_TRANSPOSED},
    [ARCH_UP_B] = {"transformer.h.#.mlp.c_fc.bias", "blk.#.ffn_up.bias", 0},
    [ARCH_DOWN] = {"transformer.h.#.mlp.c_proj.weight", "blk.#.ffn_down.weight",
                   PLAN_TRANSPOSED},
    [ARCH_DOWN_B] = {"transformer.h.#.mlp.c_proj.bias", "blk.#.ffn_down.bias", 0},
    [ARCH_NORM] = {"transformer.ln_f.weight", "output_norm.weight", 0},
    [ARCH_NORM_B] = {"transformer.ln_f.bias", "output_norm.bias", 0},
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

/* D follows from the width. */
static int finish(struct arch *a, const char *where, struct err *e)
{
    if (a->C % a->H)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       where, a->C, a->H);
    a->G = a->H;
    a->D = a->C / a->H;
    a->attn_scale = 1.0f / sqrtf((float)a->D);
    return fields_check(a, where, e);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    const struct field fields[] = {
        {"vocab_size", &a->V, ARCH_VOCAB_MAX, 0},
        {"n_embd", &a->C, ARCH_WIDTH_MAX, 0},
        {"n_layer", &a->L, ARCH_LAYERS_MAX, 0},
        {"n_head", &a->H, ARCH_HEADS_MAX, 0},
        {"n_positions", &a->context, ARCH_CONTEXT_MAX, 0},
        {"n_inner", &a->F, ARCH_WIDTH_MAX, 1},
        {0},
    };
    int rc;

    set_kind(a);
    if ((rc = fields_config(fields, config, where, e)) < 0 ||
        (rc = fields_act(&a->act, config, "activation_function", where, e)) < 0 ||
        (rc = fields_positive(&a->norm_eps, config, "layer_norm_epsilon", where, e)) <
            0 ||
        (rc = json_opt_bool(&a->tied, config, "tie_word_embeddings", where, e)) < 0 ||
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
    const struct field fields[] = {
        {"embedding_length", &a->C, ARCH_WIDTH_MAX, 0},
        {"block_count", &a->L, ARCH_LAYERS_MAX, 0},
        {"attention.head_count", &a->H, ARCH_HEADS_MAX, 0},
        {"context_length", &a->context, ARCH_CONTEXT_MAX, 0},
        {"feed_forward_length", &a->F, ARCH_WIDTH_MAX, 0},
        {0},
    };
    int rc;

    set_kind(a);
    if ((rc = fields_gguf(fields, g, "gpt2", e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, "gpt2",
                                   "attention.layer_norm_epsilon", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0)
        return rc;
    return finish(a, g->path, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    int rc = fields_put(config, "n_embd", json_integer((json_int_t)a->C));

    rc |= fields_put(config, "n_layer", json_integer((json_int_t)a->L));
    rc |= fields_put(config, "n_head", json_integer((json_int_t)a->H));
    rc |= fields_put(config, "n_positions", json_integer((json_int_t)a->context));
    rc |= fields_put(config, "n_inner", json_integer((json_int_t)a->F));
    rc |=
        fields_put(config, "activation_function", json_string(fields_act_name(a->act)));
    rc |= fields_put(config, "layer_norm_epsilon", json_real(a->norm_eps));
    return rc;
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
