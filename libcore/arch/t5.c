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

/* hf, gg: how names of a stack begin; mlp: the number of its last sub-layer. */
#define STACK(hf, gg, mlp)                                                             \
    [ARCH_EMBED] = {"shared.weight", "token_embd.weight"},                             \
    [ARCH_RELATIVE] = {hf ".block.0.layer.0.SelfAttention."                            \
                          "relative_attention_bias.weight",                            \
                       gg ".blk.0.attn_rel_b.weight"},                                 \
    [ARCH_LN1] = {hf ".block.#.layer.0.layer_norm.weight",                             \
                  gg ".blk.#.attn_norm.weight"},                                       \
    [ARCH_Q] = {hf ".block.#.layer.0.SelfAttention.q.weight",                          \
                gg ".blk.#.attn_q.weight"},                                            \
    [ARCH_K] = {hf ".block.#.layer.0.SelfAttention.k.weight",                          \
                gg ".blk.#.attn_k.weight"},                                            \
    [ARCH_V] = {hf ".block.#.layer.0.SelfAttention.v.weight",                          \
                gg ".blk.#.attn_v.weight"},                                            \
    [ARCH_O] = {hf ".block.#.layer.0.SelfAttention.o.weight",                          \
                gg ".blk.#.attn_o.weight"},                                            \
    [ARCH_LN2] = {hf ".block.#.layer." mlp ".layer_norm.weight",                       \
                  gg ".blk.#.ffn_norm.weight"},                                        \
    [ARCH_PLAIN] = {hf ".block.#.layer." mlp ".DenseReluDense.wi.weight",              \
                    gg ".blk.#.ffn_up.weight"},                                        \
    [ARCH_GATE] = {hf ".block.#.layer." mlp ".DenseReluDense.wi_0.weight",             \
                   gg ".blk.#.ffn_gate.weight"},                                       \
    [ARCH_UP] = {hf ".block.#.layer." mlp ".DenseReluDense.wi_1.weight",               \
                 gg ".blk.#.ffn_up.weight"},                                           \
    [ARCH_DOWN] = {hf ".block.#.layer." mlp ".DenseReluDense.wo.weight",               \
                   gg ".blk.#.ffn_down.weight"},                                       \
    [ARCH_NORM] = {hf ".final_layer_norm.weight", gg ".output_norm.weight"}

static const struct arch_name encoder[ARCH_TENSORS] = {STACK("encoder", "enc", "1")};

#define CROSS "decoder.block.#.layer.1."

static const struct arch_name decoder[ARCH_TENSORS] = {
    STACK("decoder", "dec", "2"),
    [ARCH_XLN] = {CROSS "layer_norm.weight", "dec.blk.#.cross_attn_norm.weight"},
    [ARCH_XQ] = {CROSS "EncDecAttention.q.weight", "dec.blk.#.cross_attn_q.weight"},
    [ARCH_XK] = {CROSS "EncDecAttention.k.weight", "dec.blk.#.cross_attn_k.weight"},
    [ARCH_XV] = {CROSS "EncDecAttention.v.weight", "dec.blk.#.cross_attn_v.weight"},
    [ARCH_XO] = {CROSS "EncDecAttention.o.weight", "dec.blk.#.cross_attn_o.weight"},
    [ARCH_HEAD] = {"lm_head.weight", "output.weight"},
};

/* Copies of the embedding; a table that the first release carried and never used. */
static const char *const skip[] = {".embed_tokens.weight",
                                   ".EncDecAttention.relative_attention_bias.weight",
                                   ".cross_attn_rel_b.weight", NULL};

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
static int check(const struct arch *a, const char *buckets, const char *where,
                 struct err *e)
{
    if (a->buckets < 4 || a->buckets % 2)
        return err_set(e, ERR_FILE, "%s: '%s' is %zu, an even number from 4 expected",
                       where, buckets, a->buckets);
    if (a->farthest <= a->buckets / 2)
        return err_set(e, ERR_FILE,
                       "%s: '%s' is %zu, less than twice the farthest distance %zu "
                       "expected",
                       where, buckets, a->buckets, a->farthest);
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

enum { FARTHEST = 128 }; /* where nothing else is said; in GGUF nothing is */

static void set_kind(struct arch *a)
{
    a->norm = NORM_RMS;
    a->norm_eps = 1e-6f;
    a->position = POS_RELATIVE;
    a->buckets = 32;
    a->farthest = FARTHEST;
    a->attn_scale = 1;
    a->context = ARCH_CONTEXT_MAX; /* nothing limits it */
}

/* Both stacks have the same width. */
static void set_encoder(struct arch *a)
{
    a->G = a->H;
    if (a->L == 0)
        a->L = a->encoder.L;
    a->encoder = (struct arch_encoder){a->encoder.L, a->H, a->D, a->F, a->attn_scale};
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    size_t pad = 0;
    int rc;

    set_kind(a);
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = read_mlp(a, config, where, e)) < 0 ||
        (rc = read_head(a, config, where, e)) < 0 ||
        (rc = json_opt_size(&pad, config, "pad_token_id", 0, a->V - 1, where, e)) < 0)
        return rc;
    set_encoder(a);
    a->start[0] = (int32_t)pad; /* unless decoder_start_token_id says otherwise */
    a->starts = 1;
    return check(a, "relative_attention_num_buckets", where, e);
}

/* ---- GGUF -------------------------------------------------------------------------- */

/* What the format leaves to its tensors: a gate means the approximated gelu, no gate relu;
 * no head of its own, that the hidden state is scaled. */
static void read_tensors(struct arch *a, const struct gguf *g)
{
    a->mlp = gguf_find_tensor(g, "dec.blk.0.ffn_gate.weight") ? MLP_GATED : MLP_PLAIN;
    a->act = a->mlp == MLP_GATED ? ACT_GELU_TANH : ACT_RELU;
    a->out_scale = a->tied ? 1 / sqrtf((float)a->C) : 1;
}

static int read_start(struct arch *a, const struct gguf *g, struct err *e)
{
    size_t start = 0;
    int rc;

    if ((rc = gguf_get_size(&start, g, "tokenizer.ggml.padding_token_id", 0, a->V - 1,
                            e)) < 0 ||
        (rc = gguf_get_size(&start, g, "t5.decoder_start_token_id", 0, a->V - 1, e)) <
            0)
        return rc;
    a->start[0] = (int32_t)start;
    a->starts = 1;
    return 0;
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    const struct field fields[] = {
        {"embedding_length", &a->C, ARCH_WIDTH_MAX, 0},
        {"attention.key_length", &a->D, ARCH_WIDTH_MAX, 1},
        {"feed_forward_length", &a->F, ARCH_WIDTH_MAX, 0},
        {"block_count", &a->encoder.L, ARCH_LAYERS_MAX, 0},
        {"decoder_block_count", &a->L, ARCH_LAYERS_MAX, 1},
        {"attention.head_count", &a->H, ARCH_HEADS_MAX, 0},
        {"attention.relative_buckets_count", &a->buckets, ARCH_BUCKETS_MAX, 0},
        {0},
    };
    int rc;

    set_kind(a);
    if ((rc = fields_gguf(fields, g, "t5", e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, "t5",
                                   "attention.layer_norm_rms_epsilon", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0 || (rc = read_start(a, g, e)) < 0)
        return rc;
    if (a->D == 0)
        a->D = a->C / a->H;
    if (a->D == 0)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       g->path, a->C, a->H);
    set_encoder(a);
    read_tensors(a, g);
    return check(a, "t5.attention.relative_buckets_count", g->path, e);
}

static int to_gguf(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e)
{
    const int scaled = a->out_scale != 1;

    if (a->farthest != FARTHEST)
        return err_set(e, ERR_FILE,
                       "%s: its farthest distance is %zu, that of GGUF's t5 is %d",
                       where, a->farthest, FARTHEST);
    if (scaled != a->tied || a->starts != 1)
        return err_set(
            e, ERR_FILE,
            "%s: GGUF's t5 has one token to start from, and scales the hidden "
            "state where the head is the embedding, and only there",
            where);
    gguf_put_size(out, "t5.attention.relative_buckets_count", a->buckets);
    gguf_put_size(out, "t5.decoder_start_token_id", (size_t)a->start[0]);
    return 0;
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
    .gguf = "t5",
    .gguf_act = ACT_GELU_TANH,
    .gguf_act_plain = ACT_RELU,
    .prefix = "",
    .names = decoder,
    .encoder = encoder,
    .skip = skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .from_weights = from_weights,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
