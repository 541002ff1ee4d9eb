/*
 * Qwen2 and Qwen2.5: llama with biases on q, k and v, and, where a config turns it on, a
 * sliding window in the layers from max_window_layers on.  Qwen3 has a norm on each
 * head's q and k instead of the biases.
 */
#include "arch/llama.h"
#include "base/json.h"

#include <string.h>

static const struct arch_name names[ARCH_TENSORS] = {
    LLAMA_NAMES(0, 0),
    LLAMA_NORMS(0),
};

static int windows(struct arch *a, const json_t *config, const char *where,
                   struct err *e)
{
    struct arch_kind *k = &a->kind[ARCH_LOCAL];
    size_t window = json_is_null(json_object_get(config, "sliding_window")) ? 0 : 4096;
    size_t full = 28;
    int use = 0, rc;

    if ((rc = json_opt_bool(&use, config, "use_sliding_window", where, e)) < 0 ||
        (rc = json_opt_size(&window, config, "sliding_window", 1, ARCH_CONTEXT_MAX,
                            where, e)) < 0 ||
        (rc = json_opt_size(&full, config, "max_window_layers", 0, ARCH_LAYERS_MAX,
                            where, e)) < 0)
        return rc;
    if (!use || !window)
        return 0;
    k->window = window;
    if ((rc = fields_layers(a, config, where, e)) == 0 && full < a->L)
        memset(a->layer + full, ARCH_LOCAL, a->L - full);
    return rc < 0 ? rc : 0;
}

static int qwen2_from_config(struct arch *a, const json_t *config, const char *where,
                             struct err *e)
{
    llama_kind(a);
    a->bias_qkv = 1;
    const int rc = llama_from_config(a, llama_rms, config, where, e);

    return rc < 0 ? rc : windows(a, config, where, e);
}

static const struct setting own[] = {LLAMA_RMS, LLAMA_BIAS, {0}};

static int qwen3_from_config(struct arch *a, const json_t *config, const char *where,
                             struct err *e)
{
    llama_kind(a);
    a->qk_norm = QK_HEADS;
    a->D = 128;
    const int rc = llama_from_config(a, own, config, where, e);

    a->bias_o = a->bias_qkv;
    return rc < 0 ? rc : windows(a, config, where, e);
}

static int qwen2_from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    llama_kind(a);
    return llama_from_gguf(a, g, "qwen2", e);
}

static int qwen3_from_gguf(struct arch *a, const struct gguf *g, struct err *e)
{
    llama_kind(a);
    a->qk_norm = QK_HEADS;
    return llama_from_gguf(a, g, "qwen3", e);
}

/* GGUF files of these families have no window. */
static int qwen2_to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, llama_rms) |
           fields_put(config, "use_sliding_window", json_false());
}

static int qwen3_to_config(json_t *config, const struct arch *a)
{
    return llama_to_config(config, a, own) |
           fields_put(config, "use_sliding_window", json_false());
}

const struct family family_qwen2 = {
    .name = "qwen2",
    .class_name = "Qwen2ForCausalLM",
    .gguf = "qwen2",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = qwen2_from_config,
    .from_gguf = qwen2_from_gguf,
    .to_config = qwen2_to_config,
};

const struct family family_qwen3 = {
    .name = "qwen3",
    .class_name = "Qwen3ForCausalLM",
    .gguf = "qwen3",
    .gguf_act = ACT_SILU,
    .prefix = "model.",
    .names = names,
    .skip = llama_skip,
    .from_config = qwen3_from_config,
    .from_gguf = qwen3_from_gguf,
    .to_config = qwen3_to_config,
};
