/*
 * A batch of responses as the losses see it: ragged, tokens end to end, no padding.
 *
 * Sequence i has the tokens off[i] .. off[i+1]-1 of every per-token array (log-
 * probabilities, values, advantages: doubles, nats).  Everything here is pure: float
 * arrays in, float arrays out, sums in double and in index order, so that a number does
 * not depend on threads or on how a batch was cut.
 */
#ifndef CAGSR_RL_SEQS_H
#define CAGSR_RL_SEQS_H

#include <stddef.h>

struct seqs {
    size_t n;          /* sequences */
    const size_t *off; /* (n+1), off[0] = 0: where each begins; off[n] = all tokens */
};

/* Tokens of sequence i. */
static inline size_t seqs_len(const struct seqs *s, size_t i)
{
    return s->off[i + 1] - s->off[i];
}

/* How token losses become one number (TRL's names).  A loss is sum_i w_i sum_t l_it. */
enum seqs_mean {
    MEAN_GRPO,    /* mean over sequences of the mean over tokens: w = 1 / (n T_i) */
    MEAN_BNPO,    /* mean over the tokens of this batch: w = 1 / sum T */
    MEAN_DAPO,    /* sum over tokens / tokens of the whole batch: w = 1 / total */
    MEAN_DR_GRPO, /* sum over tokens / (n t_max): w = 1 / (n t_max), no length bias */
};

/* The weight of one token of a sequence of T, in a batch of n sequences and `tokens`
 * tokens that is part of one of `total` tokens (MEAN_DAPO); t_max is the longest
 * response allowed (MEAN_DR_GRPO).  0 for T == 0. */
double seqs_weight(enum seqs_mean mean, size_t T, double n, double tokens, double total,
                   double t_max);

/* The same for every sequence of s, into w (n). */
void seqs_weights(double *w, const struct seqs *s, enum seqs_mean mean, double total,
                  double t_max);

/* Standardises n numbers in place: x = (x - mean) / sqrt(var + 1e-8).
 * WHITEN_UNBIASED divides the variance by n-1 (0 below two numbers); WHITEN_KEEP_MEAN
 * scales about 0 and leaves the mean where it was. */
enum whiten { WHITEN_POPULATION = 0, WHITEN_UNBIASED = 1, WHITEN_KEEP_MEAN = 2 };
void whiten(double *x, size_t n, unsigned flags);

#endif
