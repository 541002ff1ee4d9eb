/*
 * BART: an encoder and a decoder of layer norms around the sums, biases everywhere,
 * learned positions behind two rows that are never used, the embedded rows normed, one
 * matrix for both embeddings and the head.  A bias on the logits is stored with it and
 * not trained.  Published checkpoints of the bare model leave out "model.".
 */
#include "arch/fields.h"
#include "arch/settings.h"
#include "base/json.h"

#include <math.h>

#define STACK(stack)                                                                   \
    [ARCH_EMBED] = {"model.shared.weight"},                                            \
    [ARCH_POSITION] = {"model." stack ".embed_positions.weight"},                      \
    NAMED(ARCH_EMBED_NORM, "model." stack ".layernorm_embedding"),                     \
    NAMED(ARCH_Q, "model." stack ".layers.#.self_attn.q_proj"),                        \
    NAMED(ARCH_K, "model." stack ".layers.#.self_attn.k_proj"),                        \
    NAMED(ARCH_V, "model." stack ".layers.#.self_attn.v_proj"),                        \
    NAMED(ARCH_O, "model." stack ".layers.#.self_attn.out_proj"),                      \
    NAMED(ARCH_POST1, "model." stack ".layers.#.self_attn_layer_norm"),                \
    NAMED(ARCH_UP, "model." stack ".layers.#.fc1"),                                    \
    NAMED(ARCH_DOWN, "model." stack ".layers.#.fc2"),                                  \
    NAMED(ARCH_POST2, "model." stack ".layers.#.final_layer_norm")
#define NAMED(t, stem) [t] = {stem ".weight"}, [t##_B] = {stem ".bias"}

static const struct arch_name encoder[ARCH_TENSORS] = {STACK("encoder")};

#define CROSS "model.decoder.layers.#.encoder_attn"

static const struct arch_name decoder[ARCH_TENSORS] = {
    STACK("decoder"),
    NAMED(ARCH_XQ, CROSS ".q_proj"),
    NAMED(ARCH_XK, CROSS ".k_proj"),
    NAMED(ARCH_XV, CROSS ".v_proj"),
    NAMED(ARCH_XO, CROSS ".out_proj"),
    NAMED(ARCH_XLN, CROSS "_layer_norm"),
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

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"d_model", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"encoder_layers", SETTING_SIZE, SETTING_AT(encoder.L), ARCH_LAYERS_MAX},
    {"encoder_attention_heads", SETTING_SIZE, SETTING_AT(encoder.H), ARCH_HEADS_MAX},
    {"encoder_ffn_dim", SETTING_SIZE, SETTING_AT(encoder.F), ARCH_WIDTH_MAX},
    {"decoder_layers", SETTING_SIZE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"decoder_attention_heads", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"decoder_ffn_dim", SETTING_SIZE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"max_position_embeddings", SETTING_SIZE, SETTING_AT(context), ARCH_CONTEXT_MAX},
    {"activation_function", SETTING_ACT, SETTING_AT(act)},
    {"tie_word_embeddings", SETTING_BOOL, SETTING_AT(tied)},
    {0},
};

static int read_heads(struct arch *a, const char *where, struct err *e)
{
    struct arch_encoder *n = &a->encoder;
    int rc;

    if ((rc = fields_heads(a, where, e)) < 0 ||
        (rc = fields_head(&n->D, &n->attn_scale, a->C, n->H, where, e)) < 0)
        return rc;
    return fields_check(a, where, e);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    size_t pad = 1;
    int scaled = 0, rc;

    set_kind(a);
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = json_opt_bool(&scaled, config, "scale_embedding", where, e)) < 0 ||
        (rc = json_opt_size(&pad, config, "pad_token_id", 0, a->V - 1, where, e)) < 0)
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
    return settings_write(config, a, settings) |
           fields_put(config, "scale_embedding", json_boolean(a->embed_scale != 1)) |
           fields_put(config, "is_encoder_decoder", json_true()) |
           fields_put(config, "decoder_start_token_id", json_integer(a->start[0]));
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
