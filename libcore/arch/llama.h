/*
 * What llama and its descendants share: RMS norms, rotary positions, a gated MLP,
 * grouped keys and values.  A descendant says what it does otherwise: it fills in
 * defaults, calls these, and changes what differs.  Private to arch/.
 */
#ifndef CAGSR_ARCH_LLAMA_H
#define CAGSR_ARCH_LLAMA_H

#include "arch/fields.h"
#include "arch/settings.h"
#include "tensor/plan.h"

/* Names of the tensors but for the norms of layers, with the gated MLP's and without.
 * pairs: PLAN_QK where GGUF files have the rows of q and k in pairs, else 0; gains: the
 * flags of norms. */
#define LLAMA_NAMES(pairs, gains)                                                      \
    LLAMA_NAMES_BUT_MLP(pairs, gains),                                                 \
        ARCH_BOTH(ARCH_GATE, LLAMA_MLP "gate_proj", "blk.#.ffn_gate", 0, 0),           \
        ARCH_BOTH(ARCH_UP, LLAMA_MLP "up_proj", "blk.#.ffn_up", 0, 0),                 \
        ARCH_BOTH(ARCH_DOWN, LLAMA_MLP "down_proj", "blk.#.ffn_down", 0, 0)
#define LLAMA_NAMES_BUT_MLP(pairs, gains)                                              \
    [ARCH_EMBED] = {"model.embed_tokens.weight", "token_embd.weight", 0},              \
    ARCH_BOTH(ARCH_Q, LLAMA_ATTN "q_proj", "blk.#.attn_q", pairs, pairs),              \
    ARCH_BOTH(ARCH_K, LLAMA_ATTN "k_proj", "blk.#.attn_k", pairs, pairs),              \
    ARCH_BOTH(ARCH_V, LLAMA_ATTN "v_proj", "blk.#.attn_v", 0, 0),                      \
    [ARCH_Q_NORM] = {LLAMA_ATTN "q_norm.weight", "blk.#.attn_q_norm.weight", gains},   \
    [ARCH_K_NORM] = {LLAMA_ATTN "k_norm.weight", "blk.#.attn_k_norm.weight", gains},   \
    ARCH_BOTH(ARCH_O, LLAMA_ATTN "o_proj", "blk.#.attn_output", 0, 0),                 \
    ARCH_BOTH(ARCH_NORM, "model.norm", "output_norm", gains, 0),                       \
    [ARCH_HEAD] = {"lm_head.weight", "output.weight", 0}
/* Those of the norms before attention and MLP, for most. */
#define LLAMA_NORMS(gains)                                                             \
    ARCH_BOTH(ARCH_LN1, LLAMA_LAYER "input_layernorm", "blk.#.attn_norm", gains, 0),   \
        ARCH_BOTH(ARCH_LN2, LLAMA_LAYER "post_attention_layernorm", "blk.#.ffn_norm",  \
                  gains, 0)
#define LLAMA_LAYER "model.layers.#."
#define LLAMA_ATTN LLAMA_LAYER "self_attn."
#define LLAMA_MLP LLAMA_LAYER "mlp."

/* Tensors that are not parameters. */
extern const char *const llama_skip[];

/* The kind of parts, and defaults of what a config may leave out. */
void llama_kind(struct arch *a);

/* Rows of descendants' own settings; the table of those that have the first only. */
#define LLAMA_RMS                                                                      \
    {                                                                                  \
        "rms_norm_eps", SETTING_REAL, SETTING_AT(norm_eps)                             \
    }
#define LLAMA_BIAS                                                                     \
    {                                                                                  \
        "attention_bias", SETTING_BOOL, SETTING_AT(bias_qkv)                           \
    }
extern const struct setting llama_rms[];

/* The dimensions, act, tied, ropes, and the family's own settings; D, R and the ropes'
 * bases may hold defaults.  Windows are the caller's. */
int llama_from_config(struct arch *a, const struct setting *own, const json_t *config,
                      const char *where, struct err *e) MUST_CHECK;

/* The same from GGUF metadata but for the family's own settings; norm_eps and biases are
 * where the file has them. */
int llama_from_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                    struct err *e) MUST_CHECK;

/* The keys that llama_from_config reads. */
int llama_to_config(json_t *config, const struct arch *a, const struct setting *own);

#endif
