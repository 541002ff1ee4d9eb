/*
 * The model with a cache, as generation uses it: rows of some sequences in, their keys
 * and values kept, logits of the wanted rows out.  Everything is batch-invariant.
 * Private to model/.
 */
#ifndef CAGSR_MODEL_DECODE_H
#define CAGSR_MODEL_DECODE_H

#include "model/block.h"

struct decoder {
    struct model *m;
    const struct capture_spec *spec; /* NULL: no capture */
    size_t rows;                     /* most rows of a step */
    size_t keys;                     /* most keys a row may see */
    struct arena arena, attn;
    float *x[2], *hidden, *logits; /* (rows, C); logits (rows, V) */
    float *cs[ARCH_KINDS];
    int32_t *ids, *pos; /* (rows) to be filled before a step */
    struct attn_bias bias;
    struct block_run *runs;
    struct capture_row *capture; /* (rows) p NULL: not wanted */
    struct block_acts acts;
    struct block block;
};

/* Memory for steps of up to `rows` rows, of which up to `out` want logits. */
int decoder_init(struct decoder *d, struct model *m, const struct capture_spec *spec,
                 size_t rows, size_t out, struct err *e) MUST_CHECK;
void decoder_release(struct decoder *d);

/* Room for rows that see up to `keys` keys, before the first such step.  ERR_NOMEM. */
int decoder_reserve(struct decoder *d, size_t keys, struct err *e) MUST_CHECK;

/* Runs B rows (ids, pos, runs[0..n), capture filled in) through all layers, and the
 * logits of the last `out` of them to logits. */
void decoder_step(struct decoder *d, size_t B, size_t n, size_t out);

/* The same without a head: the hidden states of all B rows, after the final norm, to
 * hidden. */
void decoder_rows(struct decoder *d, size_t B, size_t n);

/* A cache for n positions of all layers, carved from a: keys and values of the rows
 * themselves, or of an encoder's. */
struct block_store decoder_store(const struct decoder *d, struct arena *a, size_t n,
                                 enum capture_kind kind);

/*
 * The encoder beside it.  Its rows see each other, so a prompt goes through it at once;
 * what is kept are the keys and values that the decoder's layers have of its output.
 */
struct encoder {
    struct decoder d; /* of model.encoder */
    struct arena arena;
    struct block_store store; /* of one layer */
    float *kv;                /* (d.rows, 2 G D) */
};

/* A prompt of P tokens, into the store of the decoder's layers, decoder_store's of
 * CAPTURE_CROSS.  ERR_NOMEM where P is more than ever before. */
int encoder_run(struct encoder *n, const struct decoder *d, const int32_t *ids,
                size_t P, const struct block_store *to, struct err *e) MUST_CHECK;
void encoder_release(struct encoder *n); /* zeroed is fine */

#endif
