/*
 * What a run needs beside the model to go on as if it had never stopped: DIR/training/.
 *
 *   state.json               counters, coefficients, where in the data the run is
 *   exp_avg.safetensors      AdamW's first moments, named as the parameters
 *   exp_avg_sq.safetensors   its second moments
 *   head.safetensors         the critic's or the score's weights and moments
 *
 * The same bits go in as came out: doubles are written with 17 digits, tensors as
 * float32.
 */
#ifndef CAGSR_TRAIN_STATE_H
#define CAGSR_TRAIN_STATE_H

#include "io/checkpoint.h"
#include "train/step.h"

#include <stdint.h>

/* Where in the input a run is: groups taken so far, and a chained hash of them, so that
 * another input is told from the same one. */
enum { TRAIN_POLICIES = 64 };
struct train_cursor {
    uint64_t groups;
    uint64_t hash;
    uint64_t groups_kept; /* taken in all passes over an input that is kept */
    uint64_t versions;    /* published */
    uint64_t batches;     /* marks of the sampler that were answered */
    uint64_t episodes;    /* responses trained on */
    double loss;          /* running mean of the loss */
    uint64_t policy[TRAIN_POLICIES]; /* hashes of the policies whose samples are taken:
                                        what the run began with, what it published; a
                                        ring, npolicies counts all */
    size_t npolicies;
};

/* Writes training/ into a checkpoint that has begun.  ERR_IO, ERR_NOMEM. */
int train_state_write(const struct train *t, const struct train_cursor *c,
                      const struct checkpoint *to, struct err *e) MUST_CHECK;

/* Reads DIR/training/ into t, whose model must be DIR's.  ERR_FILE if there is none, it
 * is of another algorithm or seed, or not whole; ERR_SHAPE. */
int train_state_read(struct train *t, struct train_cursor *c, const char *dir,
                     struct err *e) MUST_CHECK;

/* Writes the head alone as PATH: "score.weight" (1, C), "score.bias" (1).  ERR_IO. */
int train_head_write(const struct train *t, const char *path, struct err *e) MUST_CHECK;

#endif
