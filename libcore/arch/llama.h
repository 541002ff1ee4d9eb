/*
 * What llama and its descendants share: RMS norms, rotary positions, a gated MLP,
 * grouped keys and values.  A descendant says what it does otherwise: it fills in
 * defaults, calls these, and changes what differs.  Private to arch/.
 */
#ifndef CAGSR_ARCH_LLAMA_H
#define CAGSR_ARCH_LLAMA_H

#include "arch/fields.h"
#include "tensor/plan.h"

/* Names of the tensors but for the norms of layers.  pairs: PLAN_QK where GGUF files
 * have the rows of q and k in pairs, else 0; gains: the flags of norms. */
#define LLAMA_NAMES(pairs, gains)                                                      \
    [ARCH_EMBED] = {"model.embed_tokens.weight", "token_embd.weight", 0},              \
    [ARCH_Q] = {LLAMA_ATTN "q_proj.weight", "blk.#.attn_q.weight", pairs},             \
    [ARCH_K] = {LLAMA_ATTN "k_proj.weight", "blk.#.attn_k.weight", pairs},             \
    [ARCH_V] = {LLAMA_ATTN "v_proj.weight", "blk.#.attn_v.weight", 0},                 \
    [ARCH_Q_B] = {LLAMA_ATTN "q_proj.bias", "blk.#.attn_q.bias", pairs},               \
    [ARCH_K_B] = {LLAMA_ATTN "k_proj.bias", "blk.#.attn_k.bias", pairs},               \
    [ARCH_V_B] = {LLAMA_ATTN "v_proj.bias", "blk.#.attn_v.bias", 0},                   \
    [ARCH_Q_NORM] = {LLAMA_ATTN "q_norm.weight", "blk.#.attn_q_norm.weight", gains},   \
    [ARCH_K_NORM] = {LLAMA_ATTN "k_norm.weight", "blk.#.attn_k_norm.weight", gains},   \
    [ARCH_O] = {LLAMA_ATTN "o_proj.weight", "blk.#.attn_output.weight", 0},            \
    [ARCH_O_B] = {LLAMA_ATTN "o_proj.bias", "blk.#.attn_output.bias", 0},              \
    [ARCH_GATE] = {LLAMA_MLP "gate_proj.weight", "blk.#.ffn_gate.weight", 0},          \
    [ARCH_UP] = {LLAMA_MLP "up_proj.weight", "blk.#.ffn_up.weight", 0},                \
    [ARCH_DOWN] = {LLAMA_MLP "down_proj.weight", "blk.#.ffn_down.weight", 0},          \
    [ARCH_GATE_B] = {LLAMA_MLP "gate_proj.bias", "blk.#.ffn_gate.bias", 0},            \
    [ARCH_UP_B] = {LLAMA_MLP "up_proj.bias", "blk.#.ffn_up.bias", 0},                  \
    [ARCH_DOWN_B] = {LLAMA_MLP "down_proj.bias", "blk.#.ffn_down.bias", 0},            \
    [ARCH_NORM] = {"model.norm.weight", "output_norm.weight", gains},                  \
    [ARCH_HEAD] = {"lm_head.weight", "output.weight", 0}
#define LLAMA_ATTN "model.layers.#.self_attn."
#define LLAMA_MLP "model.layers.#.mlp."

/* Tensors that are not parameters. */
extern const char *const llama_skip[];

/* The kind of parts, and defaults of what a config may leave out. */
void llama_kind(struct arch *a);

/* The dimensions, act, norm_eps, tied, ropes; D, R and the ropes' bases may hold
 * defaults.  Biases and windows are the caller's. */
int llama_from_config(struct arch *a, const json_t *config, const char *where,
                      struct err *e) MUST_CHECK;

/* The same from GGUF metadata; biases are where the file has them. */
int llama_from_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                    struct err *e) MUST_CHECK;

/* The keys that llama_from_config reads. */
int llama_to_config(json_t *config, const struct arch *a);

#endif
