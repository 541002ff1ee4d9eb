/*
 * What a model is, as data.  There is one transformer (model/block); nothing but
 * arch/NAME.c asks for the family.
 *
 * A family is a file: how config.json and GGUF metadata become a `struct arch`, and
 * what its tensors are called; and a line in families.h.
 */
#ifndef CAGSR_ARCH_ARCH_H
#define CAGSR_ARCH_ARCH_H

#include "base/err.h"
#include "io/gguf.h"
#include "io/gguf_write.h"
#include "io/weights.h"
#include "nn/act.h"
#include "nn/rope.h"
#include "tensor/dtype.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds on what a file may ask for: far beyond any model a CPU will see, and small
 * enough that no product of three of them overflows. */
enum {
    ARCH_WIDTH_MAX = 1 << 17, /* C, H D, F */
    ARCH_VOCAB_MAX = 1 << 22,
    ARCH_LAYERS_MAX = 1 << 10,
    ARCH_HEADS_MAX = 1 << 10,
    ARCH_CONTEXT_MAX = 1 << 24,
    ARCH_STOPS_MAX = 16,
    ARCH_STARTS_MAX = 2,
    ARCH_BUCKETS_MAX = 1 << 14,
    ARCH_TYPES_MAX = 1 << 10,
};

enum arch_norm { NORM_RMS, NORM_LAYER };

/* Where the norms of a sub-layer f (attention, MLP) stand on its residual x. */
enum arch_placement {
    NORM_BEFORE,  /* x + f(norm x) */
    NORM_AFTER,   /* x + norm f(x) */
    NORM_AROUND,  /* x + norm' f(norm x) */
    NORM_OUTSIDE, /* norm (x + f(x)), as in the first transformers: none at the end */
};

/* Norms of queries and keys before they are turned: none, one gain (D) for each head's
 * vector, or one norm over the whole width, all heads together. */
enum arch_qk_norm { QK_PLAIN, QK_HEADS, QK_WIDE };

enum arch_position {
    POS_LEARNED,
    POS_ROPE,
    POS_RELATIVE, /* a bias on scores: nn/relative.h */
};
enum arch_mlp { MLP_PLAIN, MLP_GATED };

/* The layers of a model may differ in how far they see and how positions turn: each is
 * of one of these kinds. */
enum { ARCH_FULL, ARCH_LOCAL, ARCH_KINDS };
struct arch_kind {
    size_t window; /* row q sees keys q-window+1..q; 0: all before it */
    struct rope rope;
};

/* An encoder's own dimensions; all else it has as the decoder.  L 0: there is none. */
struct arch_encoder {
    size_t L, H, D, F;
    float attn_scale;
};

struct family;

/* Of an encoder-decoder this is the decoder. */
struct arch {
    const struct family *family;
    size_t V, C, L, H, G, D, F; /* tensor/dims.h */
    size_t context; /* positions the model was made for; learned ones: rows */
    enum arch_norm norm;
    float norm_eps;
    float norm_offset; /* added to the gain */
    enum arch_placement placement;
    enum arch_qk_norm qk_norm;
    int parallel; /* attention and MLP both read the layer's input, one sum adds both */
    float embed_scale; /* of token embeddings as they enter */
    float
        branch_scale; /* of what attention and MLP add; not 1: only with NORM_BEFORE */
    enum arch_position position;
    size_t R; /* rotated dimensions of a head */
    enum arch_mlp mlp;
    enum act act;
    int bias_qkv, bias_o, bias_mlp; /* 1 where these have biases */
    int tied;                       /* the head is the input embedding */
    struct arch_kind kind[ARCH_KINDS];
    uint8_t layer[ARCH_LAYERS_MAX]; /* the kind of each */
    float attn_scale;               /* of q.k before the softmax */
    float attn_cap, logit_cap;      /* soft caps of scores and of logits; 0: none */
    struct arch_encoder encoder;
    int both; /* rows see their whole sequence: this is an encoder, a decoder's
                 (arch_encoder) or one alone, which has no head */
    size_t position_offset; /* learned positions: rows in front of that of the first */
    size_t types; /* learned vectors for texts that are read together; 0: none.  We read
                       one text: every row gets the first */
    int embed_norm;  /* the embedded rows are normed */
    int32_t padding; /* a token whose embedding does not learn from where it is read, as
                        torch has it; -1: none */
    int bias_out;    /* logits have a bias, which is not trained */
    size_t buckets, farthest;       /* POS_RELATIVE */
    float out_scale;                /* of the hidden state in front of the head */
    int32_t start[ARCH_STARTS_MAX]; /* a decoder's text begins with these */
    size_t starts;                  /* 1 or 2 with an encoder, else 0 */
    int32_t bos;                    /* -1: none named */
    int32_t stop[ARCH_STOPS_MAX];   /* ids that end a text */
    size_t stops;
    enum dtype dtype; /* of the checkpoint, as far as its config says; else F32 */
};

/* The tensors that some family has; a layer's carry its number. */
enum arch_tensor {
    ARCH_EMBED,
    ARCH_POSITION,
    ARCH_TYPE,
    ARCH_LN1,
    ARCH_LN1_B,
    ARCH_QKV, /* stored as one (gpt2), or as three */
    ARCH_QKV_B,
    ARCH_Q,
    ARCH_K,
    ARCH_V,
    ARCH_Q_B,
    ARCH_K_B,
    ARCH_V_B,
    ARCH_Q_NORM,
    ARCH_K_NORM,
    ARCH_O,
    ARCH_O_B,
    ARCH_POST1, /* the norm after attention */
    ARCH_POST1_B,
    ARCH_LN2,
    ARCH_LN2_B,
    ARCH_GATE, /* hf NULL: stored as one with UP, gate's rows first */
    ARCH_UP,
    ARCH_PLAIN, /* a plain MLP's ARCH_UP, in families that know both kinds */
    ARCH_DOWN,
    ARCH_GATE_B,
    ARCH_UP_B,
    ARCH_DOWN_B,
    ARCH_POST2, /* the norm after the MLP */
    ARCH_POST2_B,
    ARCH_EMBED_NORM,
    ARCH_EMBED_NORM_B,
    ARCH_XLN, /* of cross-attention, before it or after */
    ARCH_XLN_B,
    ARCH_XQ,
    ARCH_XK,
    ARCH_XV,
    ARCH_XO,
    ARCH_XQ_B,
    ARCH_XK_B,
    ARCH_XV_B,
    ARCH_XO_B,
    ARCH_RELATIVE, /* one for all layers of a stack */
    ARCH_NORM,
    ARCH_NORM_B,
    ARCH_HEAD,
    ARCH_HEAD_B,
    ARCH_TENSORS,
};

/* '#' stands for the layer's number.  hf NULL: this family has no such tensor. */
struct arch_name {
    const char *hf, *gguf;
    unsigned flags;   /* PLAN_TRANSPOSED, PLAN_QK ...: tensor/plan.h */
    const char *also; /* another name in some checkpoints; or NULL */
};

/* The two entries of a weight and its bias. */
#define ARCH_BOTH(t, hf, gguf, flags, bias_flags)                                      \
    [t] = {hf ".weight", gguf ".weight", flags},                                       \
    [t##_B] = {hf ".bias", gguf ".bias", bias_flags}

struct family {
    const char *name;        /* config.json's model_type */
    const char *class_name;  /* its architectures[0] */
    const char *gguf;        /* general.architecture; NULL: not read from GGUF */
    const char *gguf_out;    /* of the files that we write, if it is another family's */
    enum act gguf_act;       /* what that architecture implies */
    enum act gguf_act_plain; /* of a plain MLP, where the family knows both kinds */
    int gguf_windows;        /* 1: its files know windows */
    const char *prefix;      /* of all names but the head's, which published checkpoints
                               may leave out: "transformer." */
    const struct arch_name *names;   /* (ARCH_TENSORS) */
    const struct arch_name *encoder; /* (ARCH_TENSORS) of an encoder's; NULL: none */
    const char *const *skip; /* NULL-ended: endings of HF names without parameters */
    /* Fill all but family, stops and dtype.  Errors name the file, the key, and what
     * was expected. */
    int (*from_config)(struct arch *a, const json_t *config, const char *where,
                       struct err *e);
    int (*from_gguf)(struct arch *a, const struct gguf *g, struct err *e);
    /* Where the tensors of a Hugging Face directory decide; NULL: nowhere. */
    void (*from_weights)(struct arch *a, const struct weights *w);
    /* Puts the family's own keys into a config.json (for models from GGUF). */
    int (*to_config)(json_t *config, const struct arch *a);
    /* Puts the family's own keys into GGUF metadata, beside those that all have; NULL:
     * there are none.  ERR_FILE for what the format cannot say. */
    int (*to_gguf)(struct gguf_meta *out, const struct arch *a, const char *where,
                   struct err *e);
};

/* Recognises the family of an open model and fills *a; the stop ids come from
 * generation_config.json where there is one, else from the config.  ERR_FILE for an
 * unknown family (naming those known), a missing or unfit key. */
int arch_read(struct arch *a, const struct weights *w, struct err *e) MUST_CHECK;

/* The same from a config.json alone; `where` names it in errors. */
int arch_from_config(struct arch *a, const json_t *config, const char *where,
                     struct err *e) MUST_CHECK;

/* The encoder of *a as an arch of its own: both, no encoder, no start. */
struct arch arch_encoder(const struct arch *a);

/* The family of config.json's model_type, or of general.architecture; NULL: unknown. */
const struct family *arch_family(const char *model_type);
const struct family *arch_family_gguf(const char *architecture);

/* A whole config.json for *a; the caller owns it.  NULL: no memory. */
json_t *arch_config(const struct arch *a);

/* ---- as GGUF ----------------------------------------------------------------------- */

/* general.architecture of a file that we write; NULL: this family has none. */
const char *arch_gguf_name(const struct arch *a);

/* Puts the keys "ARCHITECTURE.*".  ERR_FILE, naming `where`, for what GGUF's architecture
 * cannot say. */
int arch_to_gguf(const struct arch *a, struct gguf_meta *out, const char *where,
                 struct err *e) MUST_CHECK;

/* The context that the file will claim: where the architecture has no windows, it ends with
 * the shortest one, up to which there is no difference. */
size_t arch_gguf_context(const struct arch *a);

/* The tensors by which frequencies are divided: the i-th one's *name, and its values, of
 * which there are R/2 at most, into by.  Returns their number; 0: there is no i-th. */
enum { ARCH_GGUF_DIVISORS = 2 };
size_t arch_gguf_divisors(const char **name, double *by, const struct arch *a,
                          size_t i);

#endif
