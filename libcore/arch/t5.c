/*
 * T5: an encoder and a decoder of RMS norms without biases, whose positions are a bias
 * on the scores, one table for all layers of a stack, and whose scores are not scaled.
 *
 * T5 1.0 has a plain MLP, and one matrix for embedding and head, the hidden state being
 * scaled by C^-1/2 in front of it.  T5 1.1 and Flan have a gated MLP and a head of their
 * own, without the scaling.  How a config tells them apart has changed: false for
 * tie_word_embeddings meant both; newer ones say scale_decoder_outputs and call every
 * model tied, and then a head of its own is one that the file has.
 */
#include "arch/fields.h"
#include "arch/settings.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

#define STACK(stack, mlp)                                                              \
    [ARCH_EMBED] = {"shared.weight"},                                                  \
    [ARCH_RELATIVE] = {stack ".block.0.layer.0.SelfAttention."                         \
                             "relative_attention_bias.weight"},                        \
    [ARCH_LN1] = {stack ".block.#.layer.0.layer_norm.weight"},                         \
    [ARCH_Q] = {stack ".block.#.layer.0.SelfAttention.q.weight"},                      \
    [ARCH_K] = {stack ".block.#.layer.0.SelfAttention.k.weight"},                      \
    [ARCH_V] = {stack ".block.#.layer.0.SelfAttention.v.weight"},                      \
    [ARCH_O] = {stack ".block.#.layer.0.SelfAttention.o.weight"},                      \
    [ARCH_LN2] = {stack ".block.#.layer." mlp ".layer_norm.weight"},                   \
    [ARCH_PLAIN] = {stack ".block.#.layer." mlp ".DenseReluDense.wi.weight"},          \
    [ARCH_GATE] = {stack ".block.#.layer." mlp ".DenseReluDense.wi_0.weight"},         \
    [ARCH_UP] = {stack ".block.#.layer." mlp ".DenseReluDense.wi_1.weight"},           \
    [ARCH_DOWN] = {stack ".block.#.layer." mlp ".DenseReluDense.wo.weight"},           \
    [ARCH_NORM] = {stack ".final_layer_norm.weight"}

static const struct arch_name encoder[ARCH_TENSORS] = {STACK("encoder", "1")};

static const struct arch_name decoder[ARCH_TENSORS] = {
    STACK("decoder", "2"),
    [ARCH_XLN] = {"decoder.block.#.layer.1.layer_norm.weight"},
    [ARCH_XQ] = {"decoder.block.#.layer.1.EncDecAttention.q.weight"},
    [ARCH_XK] = {"decoder.block.#.layer.1.EncDecAttention.k.weight"},
    [ARCH_XV] = {"decoder.block.#.layer.1.EncDecAttention.v.weight"},
    [ARCH_XO] = {"decoder.block.#.layer.1.EncDecAttention.o.weight"},
    [ARCH_HEAD] = {"lm_head.weight"},
};

/* Copies of the embedding; a table that the first release carried and never used. */
static const char *const skip[] = {
    ".embed_tokens.weight", ".EncDecAttention.relative_attention_bias.weight", NULL};

/* feed_forward_proj: an activation, or "gated-" and one; gated-gelu is the approximated
 * gelu, plain gelu is not. */
static int read_mlp(struct arch *a, const json_t *config, const char *where,
                    struct err *e)
{
    const char *key = "feed_forward_proj", *form = "relu";
    int rc = json_opt_str(&form, config, key, where, e);

    if (rc < 0)
        return rc;
    a->mlp = strncmp(form, "gated-", 6) == 0 ? MLP_GATED : MLP_PLAIN;
    const char *name = form + (a->mlp == MLP_GATED ? 6 : 0);
    if (a->mlp == MLP_GATED && strcmp(name, "gelu") == 0)
        name = "gelu_new";
    if ((rc = fields_act_word(&a->act, name)) < 0)
        return err_set(e, ERR_FILE,
                       "%s: '%s' is '%s', expected relu, gelu, silu or gelu_new, or "
                       "'gated-' and one of them",
                       where, key, form);
    return 0;
}

static int read_head(struct arch *a, const json_t *config, const char *where,
                     struct err *e)
{
    int scaled, rc;

    a->tied = 1;
    if ((rc = json_opt_bool(&a->tied, config, "tie_word_embeddings", where, e)) < 0)
        return rc;
    scaled = a->tied;
    rc = json_opt_bool(&scaled, config, "scale_decoder_outputs", where, e);
    a->out_scale = scaled ? 1 / sqrtf((float)a->C) : 1;
    return rc;
}

static void from_weights(struct arch *a, const struct weights *w)
{
    if (a->out_scale == 1)
        a->tied = weights_find(w, "lm_head.weight") == NULL;
}

/* The buckets of a decoder are halved once, those of an encoder twice. */
static int check(const struct arch *a, const char *where, struct err *e)
{
    if (a->buckets < 4 || a->buckets % 2)
        return err_set(
            e, ERR_FILE,
            "%s: 'relative_attention_num_buckets' is %zu, an even number from "
            "4 expected",
            where, a->buckets);
    if (a->farthest <= a->buckets / 2)
        return err_set(
            e, ERR_FILE,
            "%s: 'relative_attention_max_distance' is %zu, more than half of "
            "the %zu buckets expected",
            where, a->farthest, a->buckets);
    return fields_check(a, where, e);
}

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"d_model", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"d_kv", SETTING_SIZE, SETTING_AT(D), ARCH_WIDTH_MAX},
    {"d_ff", SETTING_SIZE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"num_layers", SETTING_SIZE, SETTING_AT(encoder.L), ARCH_LAYERS_MAX},
    {"num_decoder_layers", SETTING_MAYBE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"num_heads", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"relative_attention_num_buckets", SETTING_MAYBE, SETTING_AT(buckets),
     ARCH_BUCKETS_MAX},
    {"relative_attention_max_distance", SETTING_MAYBE, SETTING_AT(farthest),
     ARCH_CONTEXT_MAX},
    {"layer_norm_epsilon", SETTING_REAL, SETTING_AT(norm_eps)},
    {0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    size_t pad = 0;
    int rc;

    a->norm = NORM_RMS;
    a->norm_eps = 1e-6f;
    a->position = POS_RELATIVE;
    a->buckets = 32;
    a->farthest = 128;
    a->attn_scale = 1;
    a->context = ARCH_CONTEXT_MAX; /* nothing limits it */
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = read_mlp(a, config, where, e)) < 0 ||
        (rc = read_head(a, config, where, e)) < 0 ||
        (rc = json_opt_size(&pad, config, "pad_token_id", 0, a->V - 1, where, e)) < 0)
        return rc;
    a->G = a->H;
    if (a->L == 0)
        a->L = a->encoder.L;
    a->encoder = (struct arch_encoder){a->encoder.L, a->H, a->D, a->F, a->attn_scale};
    a->start[0] = (int32_t)pad; /* unless decoder_start_token_id says otherwise */
    a->starts = 1;
    return check(a, where, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    char form[32];

    snprintf(form, sizeof form, "%s%s", a->mlp == MLP_GATED ? "gated-" : "",
             a->mlp == MLP_GATED && a->act == ACT_GELU_TANH ? "gelu"
                                                            : fields_act_name(a->act));
    return settings_write(config, a, settings) |
           fields_put(config, "feed_forward_proj", json_string(form)) |
           fields_put(config, "tie_word_embeddings", json_boolean(a->tied)) |
           fields_put(config, "is_encoder_decoder", json_true()) |
           fields_put(config, "decoder_start_token_id", json_integer(a->start[0]));
}

const struct family family_t5 = {
    .name = "t5",
    .class_name = "T5ForConditionalGeneration",
    .prefix = "",
    .names = decoder,
    .encoder = encoder,
    .skip = skip,
    .from_config = from_config,
    .from_weights = from_weights,
    .to_config = to_config,
};
