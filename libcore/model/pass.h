/*
 * A forward pass over a packed batch, and the way back.
 *
 *   hidden (B, C)  after the final norm: what the head reads
 *
 * PASS_SCORE keeps the activations of one layer; PASS_TRAIN keeps for every layer and
 * row  2 C + 2 (H + G) D + 2 F (plain MLP: F)  numbers and H log-sums, and computes norms
 * and activations again on the way back.  The numbers are float32, or bfloat16 where products
 * round their operands (model/kept.h).  PASS_RECOMPUTE gives the same bits and keeps C
 * floats for every layer and row, and the rest for one layer: the way back computes each
 * layer but the last again first (Chen et al. 2016, arXiv 1604.06174).  Memory is taken
 * when a batch is larger than all before; a step of the same size takes none.
 *
 * With an encoder, the batch's source goes through it first, once for each prompt; the
 * hidden rows are the decoder's, and the way back goes through both.
 */
#ifndef CAGSR_MODEL_PASS_H
#define CAGSR_MODEL_PASS_H

#include "model/batch.h"
#include "model/capture.h"
#include "model/model.h"

enum pass_mode { PASS_SCORE, PASS_TRAIN, PASS_RECOMPUTE };

struct pass;

/* m is borrowed until pass_free; MODEL_COMPUTE, or with PASS_SCORE MODEL_SAMPLE, which
 * gives the same bits where kern packs (kern/gemm.h) and does not pack anew in each pass.  max_rows: memory is taken at once for batches of that
 * many rows; 0 for none yet.  ERR_NOMEM. */
int pass_new(struct pass **out, struct model *m, size_t max_rows, enum pass_mode mode,
             struct err *e) MUST_CHECK;
void pass_free(struct pass *p); /* NULL is fine */

/* Bytes that a pass over `rows` rows takes, for --dry-run. */
size_t pass_bytes(const struct model *m, size_t rows, enum pass_mode mode);

/* *hidden is borrowed until the next call on p.  capture may be NULL.  Ids must be
 * below V and positions below the context: ERR_RECORD; ERR_NUMERIC if hidden is not
 * finite; ERR_NOMEM. */
int pass_forward(struct pass *p, const struct batch *b, struct capture *capture,
                 const float **hidden, struct err *e) MUST_CHECK;

/* Gradients are sums: every way back, a pass's or a head's, adds to them.  Those of the
 * layers' matrices are most of the block, and each pass makes all of them, so the first
 * pass of a sum need not find zeros there: it sets them. */
enum pass_sum {
    PASS_FIRST, /* sets what pass_clear leaves alone */
    PASS_NEXT,  /* adds to everything */
};

/* Begins a sum in grads, a block laid out like model_trained: all 0 but the layers'
 * matrices, whose values stay what they were until a pass of PASS_FIRST sets them.  With an
 * adapter, which has nothing else, all 0. */
void pass_clear(const struct model *m, float *grads);

/* After pass_forward of the same batch, not in PASS_SCORE, the parameters unchanged.  dh (B,
 * C) is the gradient of hidden, from however many sources, summed.  grads: after
 * pass_clear, PASS_FIRST once and then PASS_NEXT; in a block of zeros either gives the
 * same, but perhaps for the sign of a 0. */
void pass_backward(struct pass *p, const struct batch *b, const float *dh, float *grads,
                   enum pass_sum sum);

/* The encoder's pass, NULL without one; the hidden rows of the last pass_forward.  For
 * tests and probes. */
const struct pass *pass_encoder(const struct pass *p);
const float *pass_hidden(const struct pass *p);

/* Layer l's input, (B, C): the residual stream before layer l; l == L: after the last
 * one.  After pass_forward; in PASS_SCORE, and in PASS_TRAIN with halves, only the last two are kept.
 * For tests and probes. */
const float *pass_residual(const struct pass *p, size_t l);

#endif
