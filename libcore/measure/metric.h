/*
 * The metrics that samples are measured by, in one table: their names, families, what each
 * needs, and which way is better.  cagsr-eval(1) has the same list, for people.
 */
#ifndef CAGSR_MEASURE_METRIC_H
#define CAGSR_MEASURE_METRIC_H

#include "metrics/boot.h"

#include <stddef.h>

enum metric {
    M_RELEVANCE,
    M_RELEVANCE_SHUFFLED,
    M_RELEVANCE_GAP,
    M_SIMILARITY,
    M_TFIDF,
    M_TFIDF_SHUFFLED,
    M_TFIDF_GAP,
    M_TFIDF_REFERENCE,
    M_ROUGE_1,
    M_ROUGE_2,
    M_ROUGE_L,
    M_ROUGE_LSUM,
    M_STEM_1,
    M_STEM_2,
    M_STEM_L,
    M_STEM_LSUM,
    M_EXACT,
    M_F1,
    M_GSM8K,
    M_STEPS,
    M_REP_2,
    M_REP_3,
    M_REP_4,
    M_DIVERSITY,
    M_COPY,
    M_DISTINCT_1,
    M_DISTINCT_2,
    M_SELF_BLEU,
    M_CONSISTENCY,
    M_CONSISTENCY_COSINE,
    M_LENGTH,
    M_WORDS,
    M_EOS,
    M_STOP,
    M_CUT,
    M_LOGP,
    M_REF,
    M_ENTROPY,
    M_KL,
    M_KL3,
    M_PPL_RESPONSE,
    M_PPL_REFERENCE,
    M_PPL_FOLLOWUP,
    M_REWARD,
    M_JUDGE,
    METRICS
};

enum of { OF_SAMPLE, OF_GROUP, OF_STREAMS }; /* what a number belongs to */

struct metric_info {
    const char *name, *family;
    int better; /* 1: more is better; -1: less; 0: neither */
    enum of of;
    enum boot_form form;
    int per_token;     /* a ratio of sums over samples, not a mean over prompts */
    const char *needs; /* what a record must have, for the sentence that misses it */
};
extern const struct metric_info metric_table[METRICS];

#endif
