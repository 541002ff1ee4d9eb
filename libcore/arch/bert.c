/*
 * BERT: an encoder alone.  Layer norms around the sums, biases everywhere, learned
 * positions, a vector for each of the texts that may be read together, the embedded rows
 * normed.  Every row sees its whole sequence, so there is no next token and no head: the
 * hidden rows are what it is for (model/sentence.h).
 *
 * A model of the bare encoder leaves out "bert."; the first checkpoints call a norm's
 * numbers gamma and beta.  What stands behind the encoder, the pooler and the heads of
 * pre-training, is not read.
 */
#include "arch/fields.h"
#include "arch/settings.h"
#include "base/json.h"

#include <string.h>

#define LAYER "bert.encoder.layer.#."
#define NAMED(t, stem) [t] = {stem ".weight"}, [t##_B] = {stem ".bias"}
#define NORM(t, stem)                                                                  \
    [t] = {stem ".weight", .also = stem ".gamma"},                                     \
    [t##_B] = {stem ".bias", .also = stem ".beta"}

static const struct arch_name names[ARCH_TENSORS] = {
    [ARCH_EMBED] = {"bert.embeddings.word_embeddings.weight"},
    [ARCH_POSITION] = {"bert.embeddings.position_embeddings.weight"},
    [ARCH_TYPE] = {"bert.embeddings.token_type_embeddings.weight"},
    NORM(ARCH_EMBED_NORM, "bert.embeddings.LayerNorm"),
    NAMED(ARCH_Q, LAYER "attention.self.query"),
    NAMED(ARCH_K, LAYER "attention.self.key"),
    NAMED(ARCH_V, LAYER "attention.self.value"),
    NAMED(ARCH_O, LAYER "attention.output.dense"),
    NORM(ARCH_POST1, LAYER "attention.output.LayerNorm"),
    NAMED(ARCH_UP, LAYER "intermediate.dense"),
    NAMED(ARCH_DOWN, LAYER "output.dense"),
    NORM(ARCH_POST2, LAYER "output.LayerNorm"),
};

static const char *const skip[] = {
    "embeddings.position_ids", /* 0, 1, 2 ... */
    "pooler.dense.weight",
    "pooler.dense.bias",
    "cls.predictions.bias",
    "cls.predictions.transform.dense.weight",
    "cls.predictions.transform.dense.bias",
    "cls.predictions.transform.LayerNorm.weight",
    "cls.predictions.transform.LayerNorm.bias",
    "cls.predictions.transform.LayerNorm.gamma",
    "cls.predictions.transform.LayerNorm.beta",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    "cls.seq_relationship.weight",
    "cls.seq_relationship.bias",
    NULL,
};

static void set_kind(struct arch *a)
{
    a->both = 1;
    a->norm = NORM_LAYER;
    a->norm_eps = 1e-12f;
    a->placement = NORM_OUTSIDE;
    a->position = POS_LEARNED;
    a->types = 2;
    a->embed_norm = 1;
    a->mlp = MLP_PLAIN;
    a->act = ACT_GELU;
    a->bias_qkv = a->bias_o = a->bias_mlp = 1;
}

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"hidden_size", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"num_hidden_layers", SETTING_SIZE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"num_attention_heads", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"intermediate_size", SETTING_SIZE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"max_position_embeddings", SETTING_SIZE, SETTING_AT(context), ARCH_CONTEXT_MAX},
    {"type_vocab_size", SETTING_MAYBE, SETTING_AT(types), ARCH_TYPES_MAX},
    {"hidden_act", SETTING_ACT, SETTING_AT(act)},
    {"layer_norm_eps", SETTING_REAL, SETTING_AT(norm_eps)},
    {0},
};

static int check_position(const json_t *config, const char *where, struct err *e)
{
    const char *kind = "absolute";
    const int rc = json_opt_str(&kind, config, "position_embedding_type", where, e);

    if (rc < 0 || strcmp(kind, "absolute") == 0)
        return rc;
    return err_set(e, ERR_FILE,
                   "%s: 'position_embedding_type' is '%.40s', only 'absolute' is "
                   "supported",
                   where, kind);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    size_t pad = 0;
    int rc;

    set_kind(a);
    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = check_position(config, where, e)) < 0 ||
        (rc = fields_only(config, "is_decoder", 0, where, e)) < 0 ||
        (rc = fields_only(config, "add_cross_attention", 0, where, e)) < 0 ||
        (rc = json_opt_size(&pad, config, "pad_token_id", 0, a->V - 1, where, e)) < 0 ||
        (rc = fields_heads(a, where, e)) < 0)
        return rc;
    a->padding =
        json_is_null(json_object_get(config, "pad_token_id")) ? -1 : (int32_t)pad;
    return fields_check(a, where, e);
}

static int to_config(json_t *config, const struct arch *a)
{
    return settings_write(config, a, settings) |
           fields_put(config, "pad_token_id",
                      a->padding < 0 ? json_null() : json_integer(a->padding));
}

const struct family family_bert = {
    .name = "bert",
    .class_name = "BertModel",
    .prefix = "bert.",
    .names = names,
    .skip = skip,
    .from_config = from_config,
    .to_config = to_config,
};
