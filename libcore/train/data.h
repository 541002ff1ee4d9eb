/*
 * The groups of one update: prompts, their candidates, what came with each token.
 *
 * Candidates lie in order, group after group; the tokens of all responses end to end
 * in the same order, so that the per-token arrays are what rl/seqs.h wants.  Storage
 * grows while groups are added and is reused after train_data_clear: nothing is
 * allocated while a step runs.
 */
#ifndef CAGSR_TRAIN_DATA_H
#define CAGSR_TRAIN_DATA_H

#include "base/err.h"
#include "rl/seqs.h"

#include <stddef.h>
#include <stdint.h>

/* Per-token arrays, double.  Log-probabilities are in nats, at the temperature. */
enum train_array {
    TOK_SAMPLER, /* of whoever drew the token; only where cand.has_logp */
    TOK_REF,     /* of the reference; only where cand.has_ref */
    TOK_OLD,     /* of the policy before this update */
    TOK_LOGP,    /* of the policy now */
    TOK_ENTROPY, /* of the policy's distribution, before this update */
    TOK_REWARD,  /* token reward */
    TOK_ADV,     /* advantage */
    TOK_RET,     /* return */
    TOK_VALUE,   /* critic before this update */
    TOK_VNEW,    /* critic now */
    TOK_DLOGP,   /* gradient of the loss */
    TOK_DVALUE,  /* gradient of the loss */
    TOK_ARRAYS
};

struct train_cand {
    size_t group;       /* its index */
    size_t T, ids0;     /* response tokens: data.ids[ids0 .. ids0+T) */
    double reward;      /* NaN: abstained */
    double temperature; /* > 0 */
    int has_logp, has_ref;
    int rounded; /* logp is of a sampler whose weights were rounded to bfloat16 */
    int ended;   /* finished by itself, not cut by a length limit */
};

struct train_group {
    size_t P, ids0;  /* prompt tokens: data.ids[ids0 .. ids0+P) */
    size_t cand0, n; /* its candidates */
};

struct train_data {
    struct train_group *group;
    struct train_cand *cand;
    size_t ngroups, ncands, nids;
    int32_t *ids;
    size_t *off;             /* (ncands+1): first token of each candidate */
    double *tok[TOK_ARRAYS]; /* (off[ncands]) each */
    double *scratch;         /* (8 ncands + 64) */
    size_t *of_group;        /* (ncands): group of each candidate, for rl/advantage.h */
    double *reward;          /* (ncands): what training uses; cand.reward is as read */
    double *component; /* (K, ncands), K = ncomponents: named rewards, NaN absent */
    size_t ncomponents;
    size_t cap_group, cap_cand, cap_ids, cap_tok, cap_component;
};

/* A candidate to add; logp and ref may be NULL, component (K) too. */
struct train_new {
    size_t T;
    const int32_t *ids;
    const float *logp, *ref;
    double reward, temperature;
    const double *component;
    int ended, rounded;
};

void train_data_release(struct train_data *d); /* zeroed is fine */
void train_data_clear(struct train_data *d);   /* keeps memory and ncomponents */

/* Opens a group; candidates go to the group opened last. P >= 1.  ERR_NOMEM. */
int train_data_group(struct train_data *d, const int32_t *prompt, size_t P,
                     struct err *e) MUST_CHECK;
int train_data_cand(struct train_data *d, const struct train_new *c,
                    struct err *e) MUST_CHECK;

/* Appends group g of src, whole.  Both have the same ncomponents. */
int train_data_copy(struct train_data *d, const struct train_data *src, size_t g,
                    struct err *e) MUST_CHECK;

/* Appends candidate k of src to the group opened last. */
int train_data_pick(struct train_data *d, const struct train_data *src, size_t k,
                    struct err *e) MUST_CHECK;

/* Tokens of all responses; candidates as sequences; those of candidates c0 .. c0+n-1,
 * whose arrays begin at off[c0] (seqs.off is not rebased: index with the whole arrays).
 */
static inline size_t train_data_tokens(const struct train_data *d)
{
    return d->ncands ? d->off[d->ncands] : 0;
}

static inline struct seqs train_data_seqs(const struct train_data *d)
{
    return (struct seqs){d->ncands, d->off};
}

static inline struct seqs train_data_some(const struct train_data *d, size_t c0,
                                          size_t n)
{
    return (struct seqs){n, d->off + c0};
}

#endif
