/*
 * Llama and its like (Llama 2 and 3, SmolLM2, TinyLlama); Mistral adds a sliding window.
 */
#include "arch/llama.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(PLAN_QK, 0),
    [ARCH_LN1] = {"model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", 0},
    [ARCH_LN2] = {"model.layers.#.post_attention_layernorm.weight",
                  "blk.#.ffn_norm.weight", 0},
};

/* Old files carry the frequencies; GGUF's rope_freqs.weight is read with the config. */
const char *const llama_skip[] = {".rotary_emb.inv_freq", "rope_freqs.weight", NULL};

void llama_kind(struct arch *a)
{
    a->norm = NORM_RMS;
    a->norm_eps = 1e-6f;
    a->position = POS_ROPE;
    a->mlp = MLP_GATED;
    a->act = ACT_SILU;
}

/* Heads share the width unless head_dim says otherwise. */
static int head_width(struct arch *a, const char *where, struct err *e)
{
    if (a->G == 0)
        a->G = a->H;
    if (a->D == 0 && a->C % a->H)
        return err_set(e, ERR_FILE, "%s: a width of %zu cannot be split into %zu heads",
                       where, a->C, a->H);
    if (a->D == 0)
        a->D = a->C / a->H;
    a->attn_scale = 1.0f / sqrtf((float)a->D);
    return 0;
}

int llama_from_config(struct arch *a, const json_t *config, const char *where,
                      struct err *e)
{
    const struct field fields[] = {
        {"vocab_size", &a->V, ARCH_VOCAB_MAX, 0},
        {"hidden_size", &a->C, ARCH_WIDTH_MAX, 0},
        {"num_hidden_layers", &a->L, ARCH_LAYERS_MAX, 0},
        {"num_attention_heads", &a->H, ARCH_HEADS_MAX, 0},
        {"num_key_value_heads", &a->G, ARCH_HEADS_MAX, 1},
        {"head_dim", &a->D, ARCH_WIDTH_MAX, 1},
        {"intermediate_size", &a->F, ARCH_WIDTH_MAX, 0},
        {"max_position_embeddings", &a->context, ARCH_CONTEXT_MAX, 0},
        {0},
    };
    int rc;

    if ((rc = fields_config(fields, config, where, e)) < 0 ||
        (rc = fields_act(&a->act, config, "hidden_act", where, e)) < 0 ||
        (rc = fields_positive(&a->norm_eps, config, "rms_norm_eps", where, e)) < 0 ||
        (rc = json_opt_bool(&a->tied, config, "tie_word_embeddings", where, e)) < 0 ||
        (rc = head_width(a, where, e)) < 0 ||
        (rc = fields_rope(a, config, where, e)) < 0)
        return rc;
    return fields_check(a, where, e);
}

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    int bias = 0, rc;

    llama_kind(a);
    if ((rc = llama_from_config(a, config, where, e)) < 0 ||
        (rc = json_opt_bool(&bias, config, "attention_bias", where, e)) < 0 ||
        (rc = json_opt_bool(&a->bias_mlp, config, "mlp_bias", where, e)) < 0)
        return rc;
    a->bias_qkv = a->bias_o = bias;
    return 0;
}

/* A config without the key has the window of the first release; null is none. */
static int mistral_from_config(struct arch *a, const json_t *config, const char *where,
                               struct err *e)
{
    struct arch_kind *k = &a->kind[ARCH_LOCAL];
    int rc;

    llama_kind(a);
    if ((rc = llama_from_config(a, config, where, e)) < 0)
        return rc;
    k->window = json_is_null(json_object_get(config, "sliding_window")) ? 0 : 4096;
    memset(a->layer, ARCH_LOCAL, a->L);
    return json_opt_size(&k->window, config, "sliding_window", 1, ARCH_CONTEXT_MAX,
                         where, e);
}

int llama_from_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                    struct err *e)
{
    size_t experts = 0, value = 0;
    const struct field fields[] = {
        {"embedding_length", &a->C, ARCH_WIDTH_MAX, 0},
        {"block_count", &a->L, ARCH_LAYERS_MAX, 0},
        {"attention.head_count", &a->H, ARCH_HEADS_MAX, 0},
        {"attention.head_count_kv", &a->G, ARCH_HEADS_MAX, 1},
        {"attention.key_length", &a->D, ARCH_WIDTH_MAX, 1},
        {"attention.value_length", &value, ARCH_WIDTH_MAX, 1},
        {"feed_forward_length", &a->F, ARCH_WIDTH_MAX, 0},
        {"context_length", &a->context, ARCH_CONTEXT_MAX, 0},
        {"expert_count", &experts, SIZE_MAX, 1},
        {0},
    };
    int rc;

    if ((rc = fields_gguf(fields, g, architecture, e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, architecture,
                                   "attention.layer_norm_rms_epsilon", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0 || (rc = head_width(a, g->path, e)) < 0)
        return rc;
    if (experts)
        return err_set(e, ERR_FILE,
                       "%s: '%s.expert_count' is %zu, a model without experts expected",
                       g->path, architecture, experts);
    if (value && value != a->D)
        return err_set(e, ERR_FILE,
                       "%s: '%s.attention.value_length' is %zu, expected %zu as for "
                       "keys",
                       g->path, architecture, value, a->D);
    a->bias_qkv = gguf_find_tensor(g, "blk.0.attn_q.bias") != NULL;
    a->bias_o = gguf_find_tensor(g, "blk.0.attn_output.bias") != NULL;
    a->bias_mlp = gguf_find_tensor(g, "blk.0.ffn_up.bias") != NULL;
    return fields_rope_gguf(a, g, architecture, e);
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    llama_kind(a);
    return llama_from_gguf(a, g, "llama", e);
}

int llama_to_config(json_t *config, const struct arch *a)
{
    int rc = fields_put(config, "hidden_size", json_integer((json_int_t)a->C));

    rc |= fields_put(config, "num_hidden_layers", json_integer((json_int_t)a->L));
    rc |= fields_put(config, "num_attention_heads", json_integer((json_int_t)a->H));
    rc |= fields_put(config, "num_key_value_heads", json_integer((json_int_t)a->G));
    rc |= fields_put(config, "head_dim", json_integer((json_int_t)a->D));
    rc |= fields_put(config, "intermediate_size", json_integer((json_int_t)a->F));
    rc |= fields_put(config, "max_position_embeddings",
                     json_integer((json_int_t)a->context));
    rc |= fields_put(config, "hidden_act", json_string(fields_act_name(a->act)));
    rc |= fields_put(config, "rms_norm_eps", json_real(a->norm_eps));
    return rc | fields_rope_config(config, a);
}

static int to_config(json_t *config, const struct arch *a)
{
    int rc = llama_to_config(config, a);

    rc |= fields_put(config, "attention_bias", json_boolean(a->bias_qkv));
    return rc | fields_put(config, "mlp_bias", json_boolean(a->bias_mlp));
}

static int mistral_to_config(json_t *config, const struct arch *a)
{
    const size_t window = a->kind[ARCH_LOCAL].window;

    return llama_to_config(config, a) |
           fields_put(config, "sliding_window",
                      window ? json_integer((json_int_t)window) : json_null());
}

const struct family family_llama = {
    .name = "llama",
    .class_name = "LlamaForCausalLM",
    .gguf = "llama",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
};

const struct family family_mistral = {
    .name = "mistral",
    .class_name = "MistralForCausalLM",
    .gguf_out = "llama",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = mistral_from_config,
    .to_config = mistral_to_config,
};
