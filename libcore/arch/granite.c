/*
 * Granite 3: llama with four numbers, by which embeddings, scores, what each half of a layer
 * adds, and logits are scaled.
 */
#include "arch/llama.h"
#include "base/json.h"

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(PLAN_QK, 0),
    LLAMA_NORMS(0),
};

static const char scores[] = "attention_multiplier", logits[] = "logits_scaling";

static const struct setting own[] = {
    LLAMA_RMS,
    LLAMA_BIAS,
    {"mlp_bias", SETTING_BOOL, SETTING_AT(bias_mlp)},
    {"embedding_multiplier", SETTING_REAL, SETTING_AT(embed_scale)},
    {"residual_multiplier", SETTING_REAL, SETTING_AT(branch_scale)},
    {scores, SETTING_REAL, SETTING_AT(attn_scale)},
    {0},
};

static int from_config(struct arch *a, const json_t *config, const char *where,
                       struct err *e)
{
    float divisor = 1;
    int rc;

    llama_kind(a);
    if ((rc = llama_from_config(a, own, config, where, e)) < 0 ||
        (rc = fields_positive(&divisor, config, logits, where, e)) < 0)
        return rc;
    a->bias_o = a->bias_qkv;
    a->out_scale = 1 / divisor;
    if (!json_is_number(json_object_get(config, scores)))
        a->attn_scale = 1;
    return 0;
}

static int from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    float divisor = 1;
    int rc;

    llama_kind(a);
    if ((rc = llama_from_gguf(a, g, "granite", e)) < 0 ||
        (rc = fields_positive_gguf(&a->embed_scale, g, "granite", "embedding_scale",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&a->branch_scale, g, "granite", "residual_scale",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&a->attn_scale, g, "granite", "attention.scale",
                                   e)) < 0 ||
        (rc = fields_positive_gguf(&divisor, g, "granite", "logit_scale", e)) < 0)
        return rc;
    a->out_scale = 1 / divisor;
    return 0;
}

static int to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own) |
           fields_put(config, logits, json_real((double)(1 / a->out_scale)));
}

static int to_gguf(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e)
{
    (void)where;
    (void)e;
    gguf_put_f32(out, "granite.embedding_scale", (double)a->embed_scale);
    gguf_put_f32(out, "granite.residual_scale", (double)a->branch_scale);
    gguf_put_f32(out, "granite.attention.scale", (double)a->attn_scale);
    gguf_put_f32(out, "granite.logit_scale", 1 / (double)a->out_scale);
    return 0;
}

const struct family family_granite = {
    .name = "granite",
    .class_name = "GraniteForCausalLM",
    .gguf = "granite",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = from_config,
    .from_gguf = from_gguf,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
