/*
 * The one transformer block: forward, backward, and the step over a cache.
 *
 *     mid = x + W_O attention(rope(W_QKV norm1(x)))
 *     out = mid + W_down act(W_up norm2(mid))
 *
 * Models place their norms otherwise, norm queries and keys before they are turned, or
 * give both halves the same x (arch/arch.h).  A decoder behind an encoder looks at its
 * output in between (cross.c); an encoder's rows see each other (arch.both).
 *
 * What differs between training, scoring and generation is given by the caller: which
 * products are used, where the activations go, and where keys and values are kept.  The
 * block asks arch what there is, never which family it is.  Private to model/.
 */
#ifndef CAGSR_MODEL_BLOCK_H
#define CAGSR_MODEL_BLOCK_H

#include "base/arena.h"
#include "model/adapter.h"
#include "model/capture.h"
#include "model/model.h"
#include "nn/attention.h"

enum block_products {
    BLOCK_FREE, /* many rows, order of summation free */
    BLOCK_ROWS, /* batch-invariant, packed weights */
};

/* Where the keys and values of one sequence are kept, for one layer after the other, or
 * always in the same place. */
struct block_store {
    struct attn_store kv; /* of layer 0 */
    float
        *norms; /* (H, cap) lengths of W_O^h v, of the first captured layer; or NULL */
    int cached; /* 1: layers lie one behind the other; 0: all in the same place */
};

/* Consecutive rows of one sequence in the batch. */
struct block_run {
    size_t row0, n;
    size_t at;        /* position of the first */
    size_t pre, pre0; /* length of its prefix; for the way back: its first row */
    struct block_store prefix, own;
    size_t src, src0; /* the same of the encoder's sequence that it looks at */
    struct block_store source;
};

/* An encoder's output, for the keys and values of cross-attention. */
struct block_source {
    const float
        *hidden; /* (E, C); NULL: the runs' `source` stores are filled already */
    size_t E;
    const struct block_run *runs; /* its sequences; `own` are the stores to be filled */
    size_t n;
};

/* Activations of one layer, B rows each. */
struct block_acts {
    float *x; /* (B, C) in */
    float
        *qkv; /* (B, (H + 2 G) D) out: turned; as projected where q and k are normed */
    float *att; /* (B, H D) out */
    float *lse; /* (B, H) out; NULL: no way back wanted */
    float *o;   /* (B, C) out: attention's part before the norm after it, if any */
    float *mid; /* (B, C) out */
    /* cross-attention, all out */
    float *xq;   /* (B, H D) */
    float *xkv;  /* (E, 2 G D) the encoder's keys and values */
    float *xatt; /* (B, H D) */
    float *xlse; /* (B, H) or NULL, as lse */
    float *xo;   /* (B, C) its part before the norm after it, if any */
    float *xmid; /* (B, C) */
    float *up;   /* (B, 2 F or F) before the activation: out; BLOCK_ROWS: scratch */
    uint16_t *up_halves; /* or NULL; out, and up is scratch, a block_back's dup */
    float *down; /* (B, C) out: the MLP's part before the norm after it, if any */
    float *out;  /* (B, C) out; may not be x */
};

struct block {
    struct model *m;
    enum block_products products;
    size_t B;
    float *cs[ARCH_KINDS];        /* (B, R) rope_table by kind of layer, or NULL */
    const struct attn_bias *bias; /* block_bias_fill's */
    const struct block_run *runs;
    size_t n;
    int prefixes; /* 1: some run's prefix is another one's own, to be filled before it is seen */
    struct block_source source; /* where the model has an encoder */
    struct capture *capture;    /* or NULL */
    struct adapter_work lora;   /* where the model has an adapter */
    /* scratch */
    struct attn_run *attn; /* (n) */
    float *h;              /* block_h_floats: (B, C), or in order */
    float *turned;         /* (B, (H + 2 G) D) if q and k are normed */
    float *act;            /* mlp_act_floats: (B, F), or in order */
    float *attn_scratch;
};

struct attn_shape block_attn_shape(const struct model *m, size_t l);
/* How keys and values are kept where they are read by attention alone (`sampling`), or where a
 * gradient wants them, too: rounded if products round what they multiply.  Where a unit makes its
 * products the gradient does not look at them. */
enum attn_keep block_keep(const struct model *m, int sampling, enum capture_kind of);
size_t block_qkv_width(const struct model *m);
size_t block_up_width(const struct model *m); /* 2 F if gated, else F */

/* The biases by distance of a model with relative positions (else nothing), for
 * positions below S: room for them, and their values for the parameters as they are now,
 * to be put into a block's `bias`. */
void block_bias_carve(struct attn_bias *b, const struct model *m, struct arena *a,
                      size_t S);
const struct attn_bias *block_bias_fill(const struct attn_bias *b,
                                        const struct model *m);

/* Scratch floats for attention of rows that see up to S keys. */
size_t block_attn_scratch(const struct model *m, size_t S);

/* Floats of a block's `h` of B rows. */
size_t block_h_floats(const struct model *m, size_t B);

/* Floats of a block's `act`, and of a block_back's `dact` and `dup`, of B rows (mlp.c). */
size_t mlp_act_floats(const struct model *m, size_t B);
size_t mlp_dact_floats(const struct model *m, size_t B);
size_t mlp_dup_floats(const struct model *m, size_t B);

/* Layer l over all rows: a->x in, the next layer's input out; or its two halves, one after the
 * other: the first makes all but `up`, `down` and `out`. */
void block_forward(const struct block *b, size_t l, const struct block_acts *a);
void block_forward_attention(const struct block *b, size_t l,
                             const struct block_acts *a);
void block_forward_mlp(const struct block *b, size_t l, const struct block_acts *a);

/* Scratch of the way back. */
struct block_back {
    float beta;             /* what is kept of the matrices' gradients: 0 or 1 */
    struct attn_grad *grad; /* (n) */
    float *r, *mean;        /* (B) */
    float *qk_r;            /* (B, H + G) if q and k are normed */
    float *dh;              /* (B, C) */
    float *dpart;           /* (B, C) if there are norms after, or scaled branches */
    float *dact;            /* mlp_dact_floats: (B, F), or the next in order */
    float *dup;             /* mlp_dup_floats: (B, 2 F or F), or in order */
    float *datt;            /* (B, H D) */
    float *dqkv;            /* (B, (H + 2 G) D) */
    float *dpre;            /* (sum over runs of 2 pre or 2 src, G D) */
    float *dbias;           /* (n, H, buckets) with relative positions */
    float *dxkv;            /* (E, 2 G D) */
    float *dsource;         /* (E, C) the sum over layers, added to */
};

/* What the first layer reads of tokens ids at positions pos: x (B, C) out.  raw (B, C) is
 * where they are embedded if they are normed then, else not looked at. */
void block_embed(const struct model *m, float *x, float *raw, const int32_t *ids,
                 const int32_t *pos, size_t B);
void block_embed_backward(const struct model *m, const struct block_back *w,
                          const float *dx, const float *raw, const int32_t *ids,
                          const int32_t *pos, size_t B, float *grads);

/* dx (B, C): the gradient of out on entry, of x on return of the second half.  Adds to grads, and to
 * w->beta times those of the layer's matrices (model_matrices); NULL: those of the model's
 * parameters are not wanted (b->lora has the adapter's).  BLOCK_FREE; stores are not cached, runs
 * hold whole sequences.  The MLP's half reads mid or xmid, up and down, and, where both halves read
 * the same x (arch.parallel), everything; attention's half the rest. */
void block_backward_mlp(const struct block *b, const struct block_back *w, size_t l,
                        const struct block_acts *a, float *dx, float *grads);
void block_backward_attention(const struct block *b, const struct block_back *w,
                              size_t l, const struct block_acts *a, float *dx,
                              float *grads);

/* The norm at offsets w, bias (or MODEL_NONE; without w, y is x): r, mean (B) out, or
 * NULL. */
void block_norm(const struct model *m, float *y, float *r, float *mean, const float *x,
                size_t w, size_t bias, size_t B);
void block_norm_backward(const struct model *m, float *dx, const float *dy,
                         const float *x, const float *r, const float *mean, size_t w,
                         size_t bias, size_t B, float *grads);

#endif
