/*
 * Candidates for prompts, by continuous batching.
 *
 * A prompt is computed once, its keys and values are shared by its n candidates.  Up to
 * `rows` candidates, of whatever prompts, take a step together; one that has finished
 * leaves its row, one that waits takes it.  Prompts are pulled from `source` as rows
 * become free, and completions come back in the order of prompts and candidates.
 *
 * Every number on the way is batch-invariant (kern/gemm.h, nn/attention.h), and the
 * random number for a token is a function of (seed, id, cand, t): what a candidate is
 * depends neither on rows, threads nor on the other prompts.
 */
#ifndef CAGSR_MODEL_GENERATE_H
#define CAGSR_MODEL_GENERATE_H

#include "model/capture.h"
#include "model/model.h"
#include "model/sample.h"

struct generate_prompt {
    const int32_t *ids; /* (P), P >= 1; copied */
    size_t P;
    uint64_t id; /* hash64 of the prompt's id string */
    size_t n;    /* candidates, numbered from 0 */
    void *tag;   /* the caller's, comes back with each completion */
};

enum generate_finish { GENERATE_EOS, GENERATE_STOP, GENERATE_LENGTH };

struct generate_completion {
    void *tag;
    size_t cand, n, P;
    size_t T;           /* tokens, the end token among them */
    const int32_t *ids; /* (T) */
    const float *logp;  /* (T) full softmax at sample_temperature(temperature) */
    enum generate_finish finish;
    const float *rows;    /* (T, P) or (L', H, T, P); NULL without capture */
    const float *outside; /* (T) or (L', H, T) */
};

struct generate_opts {
    size_t rows;       /* candidates in a step */
    size_t max_tokens; /* of a response; the model's context cuts earlier */
    struct sample_opts sample;
    uint64_t seed;
    const int32_t *eos; /* (neos) ids that end a response; borrowed */
    size_t neos;
    int ignore_eos;                     /* drawn they may be, but they end nothing */
    const struct capture_spec *capture; /* NULL: none; borrowed */

    /* The next prompt: 1 with *p filled (ids borrowed until the next call), 0 at the
     * end, or an error that is passed on. */
    int (*source)(void *ctx, struct generate_prompt *p, struct err *e);
    /* After each token: 1 ends the candidate (finish GENERATE_STOP).  `slot` < rows is
     * the candidate's as long as it lives; T == 1 is its first token.  NULL: none. */
    int (*stop)(void *ctx, size_t slot, const struct generate_completion *so_far);
    void *ctx;
};

struct generator;

/* m was opened with MODEL_SAMPLE and is borrowed, as opts is not (copied).  ERR_USAGE,
 * ERR_NOMEM. */
int generator_new(struct generator **out, struct model *m,
                  const struct generate_opts *opts, struct err *e) MUST_CHECK;
void generator_free(struct generator *g); /* NULL is fine */

/* The next completion in order: 1 with *out, borrowed until the next call; 0 when the
 * source has ended and all are delivered; ERR_RECORD: an id outside the vocabulary, or a
 * prompt that leaves no room in the model's context (its tag's turn has come; the
 * generator cannot be used further: check before with model_room); ERR_NUMERIC:
 * logits that are not numbers; ERR_NOMEM. */
int generator_next(struct generator *g, const struct generate_completion **out,
                   struct err *e) MUST_CHECK;

/* Work done so far: for figures. */
struct generate_work {
    size_t steps, tokens; /* decoding steps; tokens drawn by them */
    size_t prompts, prompt_tokens;
};
struct generate_work generator_work(const struct generator *g);

#endif
