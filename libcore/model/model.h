/*
 * A language model in memory: what it is (arch), its parameters (plan), and what the
 * passes need beside them.
 *
 *     struct model *m;
 *     model_open(&m, "dir-or-file.gguf", kern, MODEL_COMPUTE, e);
 *     ... model/score.h, model/generate.h, model/pass.h ...
 *     model_close(m);
 *
 * Parameters are one block of float32 whatever the file holds.  Names of parameters and
 * gradients are those of the checkpoint.
 */
#ifndef CAGSR_MODEL_MODEL_H
#define CAGSR_MODEL_MODEL_H

#include "arch/arch.h"
#include "base/arena.h"
#include "base/err.h"
#include "io/checkpoint.h"
#include "kern/gemm.h"
#include "kern/kern.h"
#include "tensor/plan.h"

#include <stddef.h>
#include <stdint.h>

enum model_mode {
    MODEL_COMPUTE, /* scoring and training: free-order products on params */
    MODEL_SAMPLE,  /* weights packed for gemm_rows: sampling, and scoring of few rows at
                      a time.  Matrices that are packed are not kept in params beside:
                      such a model can be neither written nor trained */
    MODEL_READ,    /* parameters stay in the file; model_fetch reads one at a time.
                      Such a model can be written, and nothing else: a conversion
                      needs the memory of its largest tensor */
    MODEL_ENCODE,  /* of an encoder alone, which the others refuse, as MODEL_COMPUTE
                      of others: it has hidden rows, and no head */
};

/* Offsets into the block; MODEL_NONE where the model has no such parameter. */
#define MODEL_NONE SIZE_MAX
struct model_layer {
    size_t begin; /* of the layer's parameters */
    size_t ln1, ln1_b;
    size_t qkv, qkv_b;     /* ((H + 2 G) D, C): rows of q, then k, then v */
    size_t q_norm, k_norm; /* (D) or (H D), (G D) */
    size_t o, o_b;         /* (C, H D) */
    size_t post1, post1_b; /* the norms after */
    size_t xln, xln_b;     /* cross-attention: a decoder behind an encoder only */
    size_t xq, xq_b;       /* (H D, C) */
    size_t xkv, xkv_b;     /* (2 G D, C): rows of k, then v; of the encoder's output */
    size_t xo, xo_b;       /* (C, H D) */
    size_t xpost, xpost_b;
    size_t ln2, ln2_b;
    size_t up, up_b;     /* gated: (2 F, C), gate's rows then up's; plain: (F, C) */
    size_t down, down_b; /* (C, F) */
    size_t post2, post2_b;
    size_t end; /* its parameters lie before this */
};
struct model_packed {
    struct gemm_weight qkv, o, xq, xkv, xo, up, down;
};

struct adapter;

/* Of an encoder-decoder this is the decoder, and `encoder` is a model of its own, without
 * a head, over the same block of parameters, named in the same plan. */
struct model {
    struct arch arch;
    struct model *encoder; /* NULL: none */
    struct plan plan;
    float *params; /* plan.size floats; may be written (training), then model_rehash */
    uint64_t hash; /* plan_hash of params, and of the adapter's: the `policy`, `model`
                      of records */
    struct adapter *adapter; /* model/adapter.h; NULL: none */
    struct kern *kern;
    size_t embed, position, norm, norm_b, head; /* head == embed if tied */
    size_t types;                               /* (types, C) */
    size_t relative;                            /* (buckets, H) of POS_RELATIVE */
    size_t embed_norm, embed_norm_b;
    size_t head_b;               /* (V) */
    struct model_layer *layer;   /* (L) */
    double *freq[ARCH_KINDS];    /* (R/2) radians per position of each kind of layers;
                                    NULL where no layer turns so */
    struct model_packed *packed; /* (L), MODEL_SAMPLE only */
    struct gemm_weight packed_head;
    /* MODEL_SAMPLE: the embedding, where it is the head too and packed; else NULL */
    const struct gemm_weight *table;
    enum model_mode mode;
    struct weights *weights; /* MODEL_READ only: the open file */
    char *path;              /* as it was opened, for messages; the base's */
    char *text;              /* where its tokenizer is, for tok_open */
    char *dir;               /* of the tokenizer's files; NULL for GGUF */
    json_t *config;          /* config.json as read; NULL for GGUF */
    struct arena own;        /* params */
    struct arena pack;       /* what is packed */
};

/* path is a Hugging Face directory, a .gguf file, or a PEFT directory, which names its
 * base (io/peft.h).  kern is borrowed until model_close. ERR_FILE, ERR_SHAPE: the sentence names file, tensor or key, and what
 * was expected; a tensor that no parameter takes is an error too; ERR_NUMERIC if a
 * parameter is not finite; ERR_NOMEM. */
int model_open(struct model **out, const char *path, struct kern *kern,
               enum model_mode mode, struct err *e) MUST_CHECK;
void model_close(struct model *m); /* NULL is fine */

/* The same of a model with the adapter at `adapter`, a PEFT directory or a GGUF file; NULL:
 * as model_open. */
int model_open_with(struct model **out, const char *path, const char *adapter,
                    struct kern *kern, enum model_mode mode, struct err *e) MUST_CHECK;

/* What is trained: the adapter if there is one, else all of the model. */
const struct plan *model_trained(const struct model *m);
float *model_trained_params(const struct model *m);

/* A model without weights: `config` is a config.json by path; parameters are normal
 * with standard deviation `initializer_range` (0.02 if config has none; norms 1, or 0
 * where the family adds 1, biases 0), a function of seed and config alone. */
int model_random(struct model **out, const char *config, uint64_t seed,
                 struct kern *kern, struct err *e) MUST_CHECK;

/* The values of a parameter of the plan, (rows, cols): borrowed, with MODEL_READ until the
 * next fetch, which checks what model_open checks otherwise, and merges the adapter. */
int model_fetch(const float **out, const struct model *m, const struct plan_param *p,
                struct err *e) MUST_CHECK;

/* Bytes of the parameters as float32. */
size_t model_bytes(const struct model *m);

/* After params changed: sets hash.  ERR_NOMEM. */
int model_rehash(struct model *m, struct err *e) MUST_CHECK;

/* Positions that a sequence may have: the context of the model. */
size_t model_context(const struct model *m);

/* The positions in front of a response to a prompt of P tokens: P, or, where an encoder
 * reads the prompt, what a decoder's text begins with. */
size_t model_lead(const struct model *m, size_t P);

/* Tokens that fit behind a prompt of P tokens, every one of which the model can read;
 * 0: none. */
size_t model_room(const struct model *m, size_t P);

struct model_save_opts {
    enum dtype dtype; /* of the floats written: F32, F16 or BF16 */
    size_t shard;     /* bytes of values that a file may hold (a tensor stays whole);
                         0: all in one */
};

/* The narrowest of the three types that loses nothing of a MODEL_READ model: F16 or BF16
 * if its embedding is of that type and all other values fit, else F32. */
int model_own_dtype(enum dtype *out, const struct model *m, struct err *e) MUST_CHECK;

/* Where the weights are that model_write() leaves in one file. */
#define MODEL_FILE "model.safetensors"

/* Writes config.json (as it was read, its dtype key set; made for GGUF sources),
 * model.safetensors (or its shards and model.safetensors.index.json), and copies of the tokenizer's and generation's files of a Hugging
 * Face source into a checkpoint that has begun.  For a GGUF source the caller adds the
 * tokenizer (tok_save).  opts may be NULL: float32.  ERR_IO; ERR_NUMERIC if a value does
 * not fit its type or is not finite. */
int model_write(const struct model *m, const struct checkpoint *c,
                const struct model_save_opts *opts, struct err *e) MUST_CHECK;

/* The same as a directory of its own that appears whole. */
int model_save(const struct model *m, const char *dir, enum checkpoint_mode mode,
               const struct model_save_opts *opts, struct err *e) MUST_CHECK;

/* As GGUF: puts general.* and the architecture's keys (of a GGUF source all metadata, the
 * tokenizer's too; else the caller puts that: tok_to_gguf), for matrices of a type that
 * quant_can_narrow; ERR_FILE for what the format cannot say. */
int model_gguf_meta(const struct model *m, enum quant_type type, struct gguf_meta *out,
                    struct err *e) MUST_CHECK;

/* Then the file, from front to back, to fd, which `where` names.  The type is that of
 * matrices; which tensors get another one is said in save_gguf.c.  ERR_IO; ERR_NUMERIC
 * if a value does not fit its type. */
int model_write_gguf(const struct model *m, enum quant_type type,
                     const struct gguf_meta *meta, int fd, const char *where,
                     struct err *e) MUST_CHECK;

/* Writes a block laid out like model_trained (gradients) to one safetensors file, names
 * and shapes as in the checkpoint, F32. */
int model_write_block(const struct model *m, const float *block, const char *path,
                      struct err *e) MUST_CHECK;

#endif
