/*
 * Reward models: a language model with a score instead of logits, as cagsr-update
 * --algo rm trains it from pairs (Bradley-Terry; Stiennon et al. 2020, arXiv 2009.01325).
 *
 *     score = w . h + b        h (C): the hidden row of the answer's last token
 *
 * w and b lie in score.safetensors in the model's directory: score.weight (1, C) F32,
 * score.bias (1) F32.
 */
#ifndef CAGSR_MODEL_REWARD_MODEL_H
#define CAGSR_MODEL_REWARD_MODEL_H

#include "model/model.h"

struct reward_model;

/* Reads the score of m, opened from the directory dir and borrowed until
 * reward_model_free.  max_rows: a larger group takes several passes (0: 4096).  ERR_FILE: dir has none; ERR_SHAPE; ERR_NUMERIC; ERR_NOMEM. */
int reward_model_new(struct reward_model **out, struct model *m, const char *dir,
                     size_t max_rows, struct err *e) MUST_CHECK;
void reward_model_free(struct reward_model *r); /* NULL is fine */

/* w (C+1), the bias behind the weights; row (C).  The critic's value of a row, too. */
double reward_model_value(const float *w, const float *row, size_t C);

struct reward_answer {
    const int32_t *ids; /* (T), with its end token if it had one */
    size_t T;
    double score; /* out; NaN for T = 0: nothing to judge */
};

/* Scores a prompt's answers, the prompt computed once.  P >= 1.  ERR_RECORD: an id
 * outside the vocabulary, P + T beyond the context; ERR_NUMERIC; ERR_NOMEM. */
int reward_model_score(struct reward_model *r, const int32_t *prompt, size_t P,
                       struct reward_answer *answer, size_t n,
                       struct err *e) MUST_CHECK;

#endif
