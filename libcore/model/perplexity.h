/*
 * Perplexity under a frozen model:  exp(-(1/N) sum log p(x_i | x_<i))  over the N tokens
 * that are scored, of however many texts: sums are kept, so that a corpus weighs tokens and
 * not texts.  Numbers of
 * models with different tokenizers cannot be compared.
 *
 * Candidates of one prompt are scored in one pass by score_group (model/score.h), at
 * temperature 1; perplexity_add takes each one's log-probabilities.  perplexity_text is for
 * a text that stands alone, or of which a part is scored behind the rest: what a user
 * says next, a reference answer behind its prompt.
 */
#ifndef CAGSR_MODEL_PERPLEXITY_H
#define CAGSR_MODEL_PERPLEXITY_H

#include "model/score.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed: nothing yet. */
struct perplexity {
    double logp; /* the sum, nats */
    size_t tokens;
};

/* exp(-logp / tokens); NaN without tokens. */
double perplexity_value(const struct perplexity *p);

/* Adds those of logp (T) whose byte of scored (T) is not 0; NULL: all. */
void perplexity_add(struct perplexity *p, const float *logp, const uint8_t *scored,
                    size_t T);

/* Adds those of ids (n) whose byte of scored (n) is not 0; NULL: all.
 *
 * A token can be scored behind another one only.  With bos >= 0 that token is put in front
 * unless the text begins with it already, as the tokenizer may have done; it is not scored
 * itself.  With bos -1 (a model without one, a text that a chat template rendered) the
 * text's first token is not scored.
 *
 * The model is a decoder: one behind an encoder has no texts of this kind (ERR_USAGE).
 * Errors else as score_group's; *p is as before then. */
int perplexity_text(struct perplexity *p, struct scorer *s, int32_t bos,
                    const int32_t *ids, const uint8_t *scored, size_t n,
                    struct err *e) MUST_CHECK;

#endif
