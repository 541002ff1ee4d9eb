/*
 * A sample record as C sees it: ids, log-probabilities, attention, rewards, checked
 * against each other.
 *
 * Letters: P tokens of prompt, T tokens of response.  Everything points into the record
 * or into the view's own buffers, which are reused: reading sample after sample into
 * the same struct allocates only when one is larger than all before.
 */
#ifndef CAGSR_REC_SAMPLE_H
#define CAGSR_REC_SAMPLE_H

#include "base/err.h"
#include "rec/record.h"

#include <stddef.h>
#include <stdint.h>

/* Which fields: what a tool needs, and what it takes if it is there. */
enum {
    SAMPLE_ID = 1 << 0,          /* id */
    SAMPLE_CAND = 1 << 1,        /* cand, n */
    SAMPLE_PROMPT = 1 << 2,      /* prompt */
    SAMPLE_TEXT = 1 << 3,        /* text */
    SAMPLE_PROMPT_IDS = 1 << 4,  /* prompt_ids: P >= 1 */
    SAMPLE_IDS = 1 << 5,         /* ids: T >= 0 */
    SAMPLE_PROMPT_ENDS = 1 << 6, /* prompt_ends: P, ascending, within prompt */
    SAMPLE_ENDS = 1 << 7,        /* ends: T, ascending, within text */
    SAMPLE_PROMPT_MASK = 1 << 8, /* prompt_mask: P */
    SAMPLE_LOGP = 1 << 9,        /* logp: T, finite */
    SAMPLE_REF = 1 << 10,        /* ref: T, finite */
    SAMPLE_TEMPERATURE = 1 << 11,
    SAMPLE_FINISH = 1 << 12,
    SAMPLE_ATTN = 1 << 13,    /* attn; its numbers are not looked at (NaN passes) */
    SAMPLE_REWARD = 1 << 14,  /* reward: finite; null or absent is "abstained" */
    SAMPLE_SUPPORT = 1 << 15, /* support: P */
};

enum sample_finish {
    FINISH_NONE,   /* absent */
    FINISH_EOS,    /* "eos": the last id is the end token */
    FINISH_STOP,   /* "stop": a stop string */
    FINISH_LENGTH, /* "length": cut */
    FINISH_OTHER,  /* a word of some other sampler */
};

/* The attention block.  rows is (T,P), or (L,H,T,P) with heads "each"; row t is the
 * query that predicts ids[t], position P+t-1.  outside is what of each row's mass lies
 * outside the prompt: (T) or (L,H,T). */
struct sample_attn {
    struct rec_str kind;   /* "self" or "cross" */
    struct rec_str layers; /* "A:B", layers A <= l < B that were used */
    struct rec_str heads;  /* "mean", "each", or "weights:HASH" */
    struct rec_str reduce; /* "mean" or "norm" */
    struct rec_str model;  /* hash of the weights, hex */
    size_t L, H;           /* 0, 0 unless heads are kept apart */
    size_t T, P;
    const float *rows;
    const float *outside; /* NULL where it was not recorded */
};

struct sample {
    unsigned has;          /* SAMPLE_ bits that were asked for and are there */
    const struct rec *rec; /* the record read */
    struct rec_str id;     /* also the key of random numbers, by hash64 */
    uint64_t cand, n;      /* which candidate of how many; n 0: not said */
    struct rec_str prompt, text;
    size_t P, T;
    const int32_t *prompt_ids, *ids;
    const uint32_t *prompt_ends, *ends; /* byte offsets where each token ends */
    const unsigned char *prompt_mask;   /* 1 = the user's content */
    const unsigned char *support;
    const float *logp, *ref; /* nats */
    double temperature;
    enum sample_finish finish;
    double reward; /* meaningful only with SAMPLE_REWARD in has */
    struct sample_attn attn;
    struct rec_buf buf[10]; /* the arrays live here */
};

/* Reads the fields in need (ERR_RECORD naming record and field if one is missing) and
 * in want (taken if there); others are not decoded.  Lengths are checked against each
 * other wherever both are read.  Non-finite logp, ref or reward is ERR_NUMERIC.  s
 * starts zeroed and is reused; r is borrowed and must stay as it is while s is in use.
 */
int sample_read(struct sample *s, const struct rec *r, unsigned need, unsigned want,
                struct err *e) MUST_CHECK;
void sample_release(struct sample *s);

/* Sets `attn` (all fields; rows and outside copied). */
void sample_set_attn(struct rec *r, const struct sample_attn *a);

/* Sets rewards.name[i] = value[i], different names; NaN stands for "abstained" and is
 * written as null.  Other members that `rewards` came with stay, in front. */
void sample_set_rewards(struct rec *r, size_t n, const char *const *name,
                        const double *value);

/* The component `name` of rewards: 1 with *out set, 0 if absent or null. */
int sample_component(const struct rec *r, const char *name, double *out,
                     struct err *e) MUST_CHECK;

#endif
