/*
 * The head: from hidden rows to log-probabilities and back, in chunks of rows, of which alone
 * logits exist at once; where there is no way back, or products have a unit for
 * bfloat16 (kern/ordered.h) and logits no caps, in parts of the vocabulary, too, which the caches
 * hold.  With such a unit the way back comes from bfloat16 (nn/xent_kept.h), and differs within its
 * rounding from what the logits would give.
 *
 *     z = s W h + b, soft-capped where the model does,   s its out_scale, b if it has one,
 *     u = z / temperature,   logp = u_target - log sum exp(u)
 *
 * An item is one prediction; several may share a row (a prompt's last row predicts the
 * first token of every candidate).
 */
#ifndef CAGSR_MODEL_HEAD_H
#define CAGSR_MODEL_HEAD_H

#include "model/model.h"

struct head_item {
    size_t row;        /* of hidden */
    int32_t target;    /* below V */
    float temperature; /* > 0 */
};

struct head;

enum head_mode { HEAD_SCORE, HEAD_TRAIN };

/* m is borrowed until head_free; HEAD_TRAIN not of a MODEL_SAMPLE model.  rows: as head_rows, 0 for
 * HEAD_SCORE.  Memory: one chunk of logits, in HEAD_TRAIN head_rows() of them whole, in two bytes
 * each or four, twice that with soft caps; in HEAD_SCORE 6 MiB.  Both give the same bits.
 * ERR_NOMEM. */
int head_new(struct head **out, struct model *m, enum head_mode mode, size_t rows,
             struct err *e) MUST_CHECK;
void head_free(struct head *h); /* NULL is fine */
size_t head_bytes(const struct model *m, enum head_mode mode, size_t rows);

/* Rows of a chunk of HEAD_TRAIN: 16 to 512, in between as many as take no more than the
 * head's weights or 32 MiB, whatever is more; or three quarters of `rows`, those of the passes whose
 * hidden states it reads, if that is more: logits of a second chunk are computed twice. */
size_t head_rows(const struct model *m, size_t rows);

/* logp, entropy (n) out, nats; entropy may be NULL.  hidden rows are C apart.  Ids are
 * the caller's to check (pass_forward does it for the rows'). */
void head_forward(struct head *h, const float *hidden, const struct head_item *items,
                  size_t n, float *logp, float *entropy);

/* From the gradients dlogp, dentropy (n; dentropy may be NULL) of some loss: adds to dh
 * (rows of hidden, C apart) and to grads (a block like model_trained, in which an adapter
 * has no head; NULL: not wanted).  HEAD_TRAIN. */
void head_backward(struct head *h, const float *hidden, const struct head_item *items,
                   size_t n, const float *dlogp, const float *dentropy, float *dh,
                   float *grads);

/* The same bits right after head_forward of these items, parameters and hidden rows
 * unchanged; with dentropy, head_forward gave the entropy too.  The logits of the first
 * head_rows() items are still there: for them, a product less. */
void head_backward_held(struct head *h, const float *hidden,
                        const struct head_item *items, size_t n, const float *dlogp,
                        const float *dentropy, float *dh, float *grads);

/* The products z (n, V) of hidden rows and weights become logits, in place. */
void head_finish(const struct model *m, float *z, size_t n);

/* Logits of `rows` rows from row0 on: z (rows, V) out. */
void head_logits(struct head *h, const float *hidden, size_t row0, size_t rows,
                 float *z);

#endif
