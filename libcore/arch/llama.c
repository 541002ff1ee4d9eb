/*
 * Llama and its like (Llama 2 and 3, SmolLM2, TinyLlama); Mistral adds a sliding window.
 */
#include "arch/llama.h"

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(PLAN_QK, 0),
    LLAMA_NORMS(0),
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

static const struct setting settings[] = {
    {"vocab_size", SETTING_SIZE, SETTING_AT(V), ARCH_VOCAB_MAX},
    {"hidden_size", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
    {"num_hidden_layers", SETTING_SIZE, SETTING_AT(L), ARCH_LAYERS_MAX},
    {"num_attention_heads", SETTING_SIZE, SETTING_AT(H), ARCH_HEADS_MAX},
    {"num_key_value_heads", SETTING_MAYBE, SETTING_AT(G), ARCH_HEADS_MAX},
    {"head_dim", SETTING_MAYBE, SETTING_AT(D), ARCH_WIDTH_MAX},
    {"intermediate_size", SETTING_SIZE, SETTING_AT(F), ARCH_WIDTH_MAX},
    {"max_position_embeddings", SETTING_SIZE, SETTING_AT(context), ARCH_CONTEXT_MAX},
    {"hidden_act", SETTING_ACT, SETTING_AT(act)},
    {"tie_word_embeddings", SETTING_BOOL, SETTING_AT(tied)},
    {0},
};

int llama_from_config(struct arch *a, const struct setting *own, const json_t *config,
                      const char *where, struct err *e)
{
    int rc;

    if ((rc = settings_read(a, settings, config, where, e)) < 0 ||
        (rc = fields_heads(a, where, e)) < 0 ||
        (rc = settings_read(a, own, config, where, e)) < 0 ||
        (rc = fields_rope(a, config, where, e)) < 0)
        return rc;
    return fields_check(a, where, e);
}

const struct setting llama_rms[] = {LLAMA_RMS, {0}};

static const struct setting own[] = {
    LLAMA_RMS,
    LLAMA_BIAS,
    {"mlp_bias", SETTING_BOOL, SETTING_AT(bias_mlp)},
    {0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    llama_kind(a);
    const int rc = llama_from_config(a, own, config, where, e);

    a->bias_o = a->bias_qkv;
    return rc;
}

/* A config without the key has the window of the first release. */
static int mistral_from_config(struct arch *a, const json_t *config, const char *where,
                               struct err *e)
{
    llama_kind(a);
    const int rc = llama_from_config(a, llama_rms, config, where, e);

    return rc < 0 ? rc : fields_window(a, 4096, config, where, e);
}

int llama_from_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                    struct err *e)
{
    size_t experts = 0, value = 0;
    const struct field fields[] = {
        {"attention.head_count_kv", &a->G, ARCH_HEADS_MAX, 1},
        {"attention.key_length", &a->D, ARCH_WIDTH_MAX, 1},
        {"attention.value_length", &value, ARCH_WIDTH_MAX, 1},
        {"expert_count", &experts, SIZE_MAX, 1},
        {0},
    };
    int rc;

    if ((rc = fields_sizes_gguf(a, g, architecture, e)) < 0 ||
        (rc = fields_gguf(fields, g, architecture, e)) < 0 ||
        (rc = fields_positive_gguf(&a->norm_eps, g, architecture,
                                   "attention.layer_norm_rms_epsilon", e)) < 0 ||
        (rc = fields_vocab_gguf(a, g, e)) < 0 || (rc = fields_heads(a, g->path, e)) < 0)
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

int llama_to_config(json_t *config, const struct arch *a, const struct setting *more)
{
    return settings_write(config, a, settings) | settings_write(config, a, more) |
           fields_rope_config(config, a);
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own);
}

static int mistral_to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, llama_rms) | fields_window_config(config, a);
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
