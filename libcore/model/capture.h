/*
 * Attention kept from a forward pass: rows of responses, columns of the prompt, reduced
 * over layers and heads as they are made.
 *
 *   mean over heads    row_j = 1/(L' H) sum_l sum_h  p_lhj
 *   weights            row_j = sum_l sum_h w_lh p_lhj,  the weights add up to 1
 *   each               (L', H, T, P), nothing is averaged
 * With CAPTURE_NORM a head's probability is first multiplied by |W_O^h v_j^h|, the
 * length of what key j's value adds to the residual stream (METHOD 2.4): sinks, whose
 * values are small, fade.  Where a norm stands behind W_O, its gain is counted in; its
 * factor is not, for it is the same for all keys of a row.
 * What lies on keys behind the prompt is added up in `outside`, weighted the same.
 *
 * Of a model with an encoder it is cross-attention: the keys are the encoder's output,
 * the prompt and nothing else, so that rows of plain probabilities add up to 1.
 *
 * Row t of a response is the query that predicts its token t: for t = 0 the prompt's
 * last row, or that of the start token (model/batch.h).
 */
#ifndef CAGSR_MODEL_CAPTURE_H
#define CAGSR_MODEL_CAPTURE_H

#include "base/err.h"
#include "model/model.h"

#include <stddef.h>

enum capture_kind { CAPTURE_SELF, CAPTURE_CROSS };
enum capture_heads { CAPTURE_MEAN, CAPTURE_EACH, CAPTURE_WEIGHTS };
enum capture_reduce { CAPTURE_PLAIN, CAPTURE_NORM };

struct capture_spec {
    enum capture_kind kind; /* cross where the model has an encoder; may be changed */
    size_t from, to;        /* layers from <= l < to, L' = to - from */
    enum capture_heads heads;
    enum capture_reduce reduce;
    float *weights; /* (L', H), adding up to 1: CAPTURE_WEIGHTS only; owned */
    float *gram;    /* (L', H, D, D) W_O^h^T W_O^h: CAPTURE_NORM only; owned */
};

/* layers: "all", "last", "upper" (l >= L/2: the default of cagsr-attn), "A:B" (A <= l <
 * B, either may be left out) or "A".  heads: "mean", "each", or the path of a text file
 * with lines "layer head weight" (# begins a comment), normalised to add up to 1; heads
 * not named weigh 0, layers outside `layers` are an error.  reduce: "mean" or "norm";
 * the latter takes m's W_O as they are now.  Any may be NULL: upper, mean, mean.
 * ERR_USAGE, ERR_FILE, ERR_NOMEM. */
int capture_spec_parse(struct capture_spec *s, const struct model *m,
                       const char *layers, const char *heads, const char *reduce,
                       struct err *e) MUST_CHECK;
void capture_spec_release(struct capture_spec *s);

/* How the spec reads in a record: "A:B", "mean" ... ("weights:HASH"), "mean" | "norm". */
enum { CAPTURE_TEXT = 40 };
void capture_layers_text(char out[CAPTURE_TEXT], const struct capture_spec *s);
void capture_heads_text(char out[CAPTURE_TEXT], const struct capture_spec *s,
                        const struct model *m);
const char *capture_kind_text(const struct capture_spec *s); /* "self", "cross" */
const char *capture_reduce_text(const struct capture_spec *s);

/* Blocks of (T, P) rows that a response yields: L' H for CAPTURE_EACH, else 1. */
size_t capture_blocks(const struct capture_spec *s, const struct model *m);

/* Where the attention of one row of a batch goes; p NULL: nowhere.  Sums are added to
 * what is there: begin with zeros. */
struct capture_row {
    float *p;       /* P floats; block b's (CAPTURE_EACH) are b * step further */
    float *outside; /* one float; block b's are b * outside_step further */
    size_t P;       /* columns */
    size_t step, outside_step;
};

struct capture {
    const struct capture_spec *spec;
    struct capture_row *row; /* (B), as the batch's rows */
};

/* ---- for the block ----------------------------------------------------------------- */

/* |W_O^h v| of n rows of values v (G D; ldv apart) of captured layer l, to
 * out[h * ld + i].  CAPTURE_NORM only. */
void capture_norms(const struct capture_spec *s, const struct model *m, size_t l,
                   const float *v, size_t ldv, size_t n, float *out, size_t ld);

/* Adds the probabilities p (S) of head h of H in layer l to row.  norms: of the `pre`
 * keys of the prefix and of those behind (CAPTURE_NORM), else not looked at. */
void capture_add(const struct capture_spec *s, const struct capture_row *row, size_t l,
                 size_t H, size_t h, const float *p, size_t S, size_t pre,
                 const float *const norms[2]);

#endif
