/*
 * Teacher-forced scoring of groups, a prompt and its responses each, the prompt computed
 * once.  Small groups share a forward pass: its products read the model's weights once for
 * all of them.  What a group gets does not depend on the others, to the bit where kern packs
 * (kern/gemm.h).
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

struct score_group {
    const int32_t *prompt; /* (P), P >= 1 */
    size_t P;
    struct score_response *resp; /* (n) */
    size_t n;
};

struct scorer;

/* m is borrowed until scorer_free; MODEL_SAMPLE is the faster mode where groups are small
 * (pass_new).  spec may be NULL (no capture), is borrowed.
 * max_rows: a larger group is scored in several passes, smaller ones together in passes of
 * no more (0: 4096 for a group, 512 for several, beyond which nothing is gained). */
int scorer_new(struct scorer **out, struct model *m, const struct capture_spec *spec,
               size_t max_rows, struct err *e) MUST_CHECK;
void scorer_free(struct scorer *s); /* NULL is fine */

/* As given to scorer_new. */
const struct model *scorer_model(const struct scorer *s);

/* Rows up to which groups share a pass. */
size_t scorer_rows(const struct scorer *s);

/* Scores n groups in order, as many in a pass as it may have rows.  *done of them have all
 * their results; on an error the next one is at fault.
 * ERR_RECORD: no prompt, an id outside the vocabulary, P + T over the context;
 * ERR_NUMERIC: the model's numbers are not finite; ERR_NOMEM. */
int score_groups(struct scorer *s, const struct score_group *g, size_t n, size_t *done,
                 struct err *e) MUST_CHECK;

/* One group, with the same errors. */
int score_group(struct scorer *s, const int32_t *prompt, size_t P,
                struct score_response *resp, size_t n, struct err *e) MUST_CHECK;

#endif
