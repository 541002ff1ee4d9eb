/*
 * One token from one row of logits.
 *
 * Order, as elsewhere: temperature, top-k, top-p (the smallest set of the likeliest
 * tokens whose probability reaches top_p), min-p (at least min_p times the likeliest);
 * each on what the one before left, ties to the lower id.  What is kept is drawn from
 * by one uniform number, tokens in ascending order of id.
 */
#ifndef CAGSR_MODEL_SAMPLE_H
#define CAGSR_MODEL_SAMPLE_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

struct sample_opts {
    double temperature; /* 0: greedy, the likeliest, ties to the lower id */
    size_t top_k;       /* 0: off */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
};

/* Log-probabilities of a greedy record (temperature 0) are at temperature 1. */
double sample_temperature(double temperature);

/* Scratch bytes for a vocabulary of V; 64-byte aligned. */
size_t sample_scratch(size_t V);

/*
 * z (V) logits; u uniform in [0, 1), not used when greedy.  Returns the token, and in
 * *logp its log-probability under the full softmax at sample_temperature(temperature):
 * what was cut off is not taken out.  -1 if a logit is not finite.  Depends on z, u, the
 * options and the instruction set only.
 */
int32_t sample_token(enum isa isa, const struct sample_opts *o, const float *z,
                     size_t V, double u, float *logp, void *scratch);

#endif
