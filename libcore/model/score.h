/*
 * Teacher-forced scoring of one group: a prompt and its responses in one forward pass,
 * the prompt computed once.
 */
#ifndef CAGSR_MODEL_SCORE_H
#define CAGSR_MODEL_SCORE_H

#include "model/capture.h"
#include "model/model.h"

struct score_response {
    const int32_t *ids; /* (T) */
    size_t T;
    float temperature; /* of the log-probabilities; 0 (greedy) counts as 1 */
    /* out; the caller's memory */
    float *logp;    /* (T) log p(ids[t]) under the full softmax; NULL: not wanted */
    float *entropy; /* (T) of row t's distribution; NULL: not wanted */
    float *rows;    /* (T, P) or (L', H, T, P), overwritten; NULL: not wanted */
    float *outside; /* (T) or (L', H, T) mass behind the prompt; with rows */
};

struct scorer;

/* m is borrowed until scorer_free; MODEL_SAMPLE is the faster mode where groups are small
 * (pass_new).  spec may be NULL (no capture), is borrowed.
 * max_rows: a larger group is scored in several passes (0: a default of 4096). */
int scorer_new(struct scorer **out, struct model *m, const struct capture_spec *spec,
               size_t max_rows, struct err *e) MUST_CHECK;
void scorer_free(struct scorer *s); /* NULL is fine */

/* As given to scorer_new. */
const struct model *scorer_model(const struct scorer *s);

/* P >= 1.  ERR_RECORD: an id outside the vocabulary, P + T over the context;
 * ERR_NUMERIC: the model's numbers are not finite; ERR_NOMEM. */
int score_group(struct scorer *s, const int32_t *prompt, size_t P,
                struct score_response *resp, size_t n, struct err *e) MUST_CHECK;

#endif
