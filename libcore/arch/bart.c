/*
 * BART: an encoder and a decoder of layer norms around the sums, biases everywhere,
 * learned positions behind two rows that are never used, the embedded rows normed, one
 * matrix for both embeddings and the head.  A bias on the logits is stored with it and
 * not trained.  Published checkpoints of the bare model leave out "model.".
 */
#include "arch/fields.h"
#include "base/json.h"

#include <math.h>

#define STACK(stack)                                                                   \
    [ARCH_EMBED] = {"model.shared.weight"},                                            \
    [ARCH_POSITION] = {"model." stack ".embed_positions.weight"},                      \
    [ARCH_EMBED_NORM] = {"model." stack ".layernorm_embedding.weight"},                \
    [ARCH_EMBED_NORM_B] = {"model." stack ".layernorm_embedding.bias"},                \
    [ARCH_Q] = {"model." stack ".layers.#.self_attn.q_proj.weight"},                   \
    [ARCH_Q_B] = {"model." stack ".layers.#.self_attn.q_proj.bias"},                   \
    [ARCH_K] = {"model." stack ".layers.#.self_attn.k_proj.weight"},                   \
    [ARCH_K_B] = {"model." stack ".layers.#.self_attn.k_proj.bias"},                   \
    [ARCH_V] = {"model." stack ".layers.#.self_attn.v_proj.weight"},                   \
    [ARCH_V_B] = {"model." stack ".layers.#.self_attn.v_proj.bias"},                   \
    [ARCH_O] = {"model." stack ".layers.#.self_attn.out_proj.weight"},                 \
    [ARCH_O_B] = {"model." stack ".layers.#.self_attn.out_proj.bias"},                 \
    [ARCH_POST1] = {"model." stack ".layers.#.self_attn_layer_norm.weight"},           \
    [ARCH_POST1_B] = {"model." stack ".layers.#.self_attn_layer_norm.bias"},           \
    [ARCH_UP] = {"model." stack ".layers.#.fc1.weight"},                               \
    [ARCH_UP_B] = {"model." stack ".layers.#.fc1.bias"},                               \
    [ARCH_DOWN] = {"model." stack ".layers.#.fc2.weight"},                             \
    [ARCH_DOWN_B] = {"model." stack ".layers.#.fc2.bias"},                             \
    [ARCH_POST2] = {"model." stack ".layers.#.final_layer_norm.weight"},               \
    [ARCH_POST2_B] = {"model." stack ".layers.#.final_layer_norm.bias"}

static const struct arch_name encoder[ARCH_TENSORS] = {STACK("encoder")};

#define CROSS "model.decoder.layers.#.encoder_attn."

static const struct arch_name decoder[ARCH_TENSORS] = {
    STACK("decoder"),
    [ARCH_XQ] = {CROSS "q_proj.weight"},
    [ARCH_XQ_B] = {CROSS "q_proj.bias"},
    [ARCH_XK] = {CROSS "k_proj.weight"},
    [ARCH_XK_B] = {CROSS "k_proj.bias"},
    [ARCH_XV] = {CROSS "v_proj.weight"},
    [ARCH_XV_B] = {CROSS "v_proj.bias"},
    [ARCH_XO] = {CROSS "out_proj.weight"},
    [ARCH_XO_B] = {CROSS "out_proj.bias"},
    [ARCH_XLN] = {"model.decoder.layers.#.encoder_attn_layer_norm.weight"},
    [ARCH_XLN_B] = {"model.decoder.layers.#.encoder_attn_layer_norm.bias"},
    [ARCH_HEAD] = {"lm_head.weight"},
    [ARCH_HEAD_B] = {"final_logits_bias"},
};

/* Copies of the embedding. */
static const char *const skip[] = {"encoder.embed_tokens.weight",
                                   "decoder.embed_tokens.weight", NULL};

static void set_kind(struct arch *a)
{
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-5f;
    a->placement = NORM_OUTSIDE;
    a->position = POS_LEARNED;
    a->position_offset = 2;
    a->embed_norm = 1;
    a->mlp = MLP_PLAIN;
    a->act = ACT_GELU;
    a->bias_qkv = a->bias_o = a->bias_mlp = a->bias_out = 1;
    a->tied = 1;
    a->start[0] = 2; /* unless decoder_start_token_id says otherwise */
    a->starts = 1;
}

static int read_heads(struct arch *a, const char *where, struct err *e)
{
    struct arch_encoder *n = &a->encoder;

    if (a->C % a->H || a->C % n->H)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       where, a->C, a->C % a->H ? a->H : n->H);
    a->G = a->H;
    a->D = a->C / a->H;
    a->attn_scale = 1.0f / sqrtf((float)a->D);
    n->D = a->C / n->H;
    n->attn_scale = 1.0f / sqrtf((float)n->D);
    return fields_check(a, where, e);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    const struct field fields[] = {
        {"vocab_size", &a->V, ARCH_VOCAB_MAX, 0},
        {"d_model", &a->C, ARCH_WIDTH_MAX, 0},
        {"encoder_layers", &a->encoder.L, ARCH_LAYERS_MAX, 0},
        {"encoder_attention_heads", &a->encoder.H, ARCH_HEADS_MAX, 0},
        {"encoder_ffn_dim", &a->encoder.F, ARCH_WIDTH_MAX, 0},
        {"decoder_layers", &a->L, ARCH_LAYERS_MAX, 0},
        {"decoder_attention_heads", &a->H, ARCH_HEADS_MAX, 0},
        {"decoder_ffn_dim", &a->F, ARCH_WIDTH_MAX, 0},
        {"max_position_embeddings", &a->context, ARCH_CONTEXT_MAX, 0},
        {0},
    };
    size_t pad = 1;
    int scaled = 0, rc;

    set_kind(a);
    if ((rc = fields_config(fields, config, where, e)) < 0 ||
        (rc = fields_act(&a->act, config, "activation_function", where, e)) < 0 ||
        (rc = json_opt_bool(&scaled, config, "scale_embedding", where, e)) < 0 ||
        (rc = json_opt_bool(&a->tied, config, "tie_word_embeddings", where, e)) < 0)
        return rc;
    if ((rc = json_opt_size(&pad, config, "pad_token_id", 0, a->V - 1, where, e)) < 0)
        return rc;
    a->padding =
        json_is_null(json_object_get(config, "pad_token_id")) ? -1 : (int32_t)pad;
    if (a->V < 3)
        return err_set(e, ERR_FILE, "%s: 'vocab_size' is %zu, at least 3 expected",
                       where, a->V);
    if (scaled)
        a->embed_scale = sqrtf((float)a->C);
    return read_heads(a, where, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    const struct arch_encoder *n = &a->encoder;
    int rc = fields_put(config, "d_model", json_integer((json_int_t)a->C));

    rc |= fields_put(config, "encoder_layers", json_integer((json_int_t)n->L));
    rc |= fields_put(config, "encoder_attention_heads", json_integer((json_int_t)n->H));
    rc |= fields_put(config, "encoder_ffn_dim", json_integer((json_int_t)n->F));
    rc |= fields_put(config, "decoder_layers", json_integer((json_int_t)a->L));
    rc |= fields_put(config, "decoder_attention_heads", json_integer((json_int_t)a->H));
    rc |= fields_put(config, "decoder_ffn_dim", json_integer((json_int_t)a->F));
    rc |= fields_put(config, "max_position_embeddings",
                     json_integer((json_int_t)a->context));
    rc |=
        fields_put(config, "activation_function", json_string(fields_act_name(a->act)));
    rc |= fields_put(config, "scale_embedding", json_boolean(a->embed_scale != 1));
    rc |= fields_put(config, "is_encoder_decoder", json_true());
    return rc | fields_put(config, "decoder_start_token_id", json_integer(a->start[0]));
}

const struct family family_bart = {
    .name = "bart",
    .class_name = "BartForConditionalGeneration",
    .prefix = "model.",
    .names = decoder,
    .encoder = encoder,
    .skip = skip,
    .from_config = from_config,
    .to_config = to_config,
};
