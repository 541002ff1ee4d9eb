/*
 * What the files of cagsr-eval share.
 *
 *   metrics.c    the table of metrics: names, families, what each needs
 *   corpus.c     a stream becomes prompts, rows (samples) and texts
 *   group.c      what one group of candidates says by itself
 *   relate.c     relevance: prompt, another prompt, reference against the answer
 *   encode.c     the texts as vectors of a sentence encoder
 *   frozen.c     perplexities under a frozen model
 *   report.c     means and differences with their intervals, as table, tsv, json
 */
#ifndef CAGSR_EVAL_H
#define CAGSR_EVAL_H

#include "base/err.h"
#include "cli/cli.h"
#include "kern/kern.h"
#include "metrics/boot.h"
#include "rec/sample.h"
#include "rec/spool.h"
#include "rec/stream.h"
#include "reward/strtab.h"

#include <stddef.h>
#include <stdint.h>

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    const char *metrics, *reference, *followup, *encoder;
    struct cli_list against;
    int format, each;
    size_t resamples;
    double level;
};

/* ---- metrics.c ------------------------------------------------------------------------- */
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

/* 1 if the name (n bytes) is the metric's or its family's. */
int metric_named(enum metric m, const char *name, size_t n);

/* chosen (METRICS) out: 1 for what `list` names (metrics and families, by commas), else
 * 0; list NULL: 1 for all.  ERR_USAGE names what is neither. */
int metrics_choose(unsigned char *chosen, const char *list, struct err *e) MUST_CHECK;

/* ---- corpus.c -------------------------------------------------------------------------- */
#define NO_TEXT SIZE_MAX

/* One sample.  den 0: it has no such number. */
struct row {
    size_t prompt;         /* of corpus.prompt */
    size_t text, question; /* the answer; the user's part of its prompt; or NO_TEXT */
    size_t ref, refs;      /* references: corpus.ref[ref..ref+refs) */
    size_t from, to;       /* the group it stands in: rows from..to-1 */
    size_t lead;        /* frozen.c: whose references are scored for it, in the group */
    unsigned char side; /* 0, or 1 of --against */
    unsigned char apart; /* a corrupted one: measured, but in no mean */
    struct ratio v[METRICS];
};

struct prompt {
    size_t question; /* text of its first row */
    size_t rows[2];  /* of each side */
    size_t partner;  /* the prompt that controls; itself where there is no other */
};

/* Texts are kept once each, by number. */
struct corpus {
    struct strtab ids, texts;
    struct prompt *prompt;
    struct row *row;
    size_t *ref;
    size_t prompts, rows, refs, prompt_cap, row_cap, ref_cap;
    int came_again; /* a prompt's candidates stood in more than one group of a side */
};
void corpus_release(struct corpus *c);

/* What reading needs from sample to sample. */
struct reading {
    const struct opts *o;
    struct corpus *c;
    struct frozen *frozen; /* NULL: no --model */
    unsigned char side;
    struct sample sample;
    struct group_work *work;
    struct rec_buf question; /* the user's part of a prompt, put together */
};
int reading_begin(struct reading *r, const struct opts *o, struct corpus *c,
                  struct err *e) MUST_CHECK;
void reading_end(struct reading *r);

/* Adds the samples of a group to the corpus, measured as far as they can be alone.
 * Records of other kinds are passed over. */
int corpus_add(struct reading *r, const struct rec_group *g, struct err *e) MUST_CHECK;

/* The text of that number; *n gets its bytes. */
const char *corpus_text(const struct corpus *c, size_t text, size_t *n);

void row_set(struct row *row, enum metric m, double value);
double row_get(const struct row *row, enum metric m); /* NaN: none */

/* ---- group.c --------------------------------------------------------------------------- */
struct group_work;
int group_work_new(struct group_work **out, struct err *e) MUST_CHECK;
void group_work_free(struct group_work *w); /* NULL is fine */

/* Candidate i of the group being read: its texts and tokens. */
int group_take(struct group_work *w, const struct corpus *c, const struct row *row,
               const struct sample *s, size_t i, struct err *e) MUST_CHECK;

/* Measures rows from..to-1, which were taken as candidates 0, 1, ... */
int group_measure(struct group_work *w, struct corpus *c, size_t from, size_t to,
                  struct err *e) MUST_CHECK;

/* ---- relate.c -------------------------------------------------------------------------- */
/* Every prompt gets another for its partner, by the seed. */
int relate_partners(struct corpus *c, uint64_t seed, struct err *e) MUST_CHECK;

/* The four metrics from `first` on, in the order of the enum: answer against its prompt,
 * against the partner's, the difference, and against the reference it is nearest to.
 * cosine: of two texts by number. */
void relate_texts(struct corpus *c, enum metric first,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space);

/* Mean cosine of a group's candidates, M_CONSISTENCY_COSINE. */
void relate_among(struct corpus *c,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space);

/* By tf-idf, idf over prompts and references. */
int relate_tfidf(struct corpus *c, struct err *e) MUST_CHECK;

/* By a sentence encoder; hash (HASH_HEX) out, of its weights. */
int relate_encoder(struct corpus *c, const char *dir, struct kern *kern, char *hash,
                   struct err *e) MUST_CHECK;

/* The judge: z(relevance) + z(ROUGE-L) - z(rep-3) - z(copy), over the rows of both sides. */
void relate_judge(struct corpus *c);

/* ---- frozen.c -------------------------------------------------------------------------- */
struct frozen;
int frozen_open(struct frozen **out, const struct opts *o, struct kern *kern,
                struct err *e) MUST_CHECK;
void frozen_close(struct frozen *f); /* NULL is fine */
const char *frozen_hash(const struct frozen *f);

/* Samples whose prompt the model's tokenizer reads as another text than it is. */
size_t frozen_strange(const struct frozen *f);

/* Sets the perplexities of the rows (n) of a group's records. */
int frozen_measure(struct frozen *f, const struct corpus *c, struct row *row,
                   const struct rec *rec, size_t n, struct err *e) MUST_CHECK;

/* ---- report.c -------------------------------------------------------------------------- */
/* Means of one side, or differences of two, of the metrics chosen, written to fd. */
int report_means(int fd, const struct opts *o, const struct corpus *c,
                 const unsigned char *chosen, struct err *e) MUST_CHECK;
int report_differences(int fd, const struct opts *o, const struct corpus *c,
                       const unsigned char *chosen, struct err *e) MUST_CHECK;

/* 1 if some row of that side that counts has metric m. */
int report_has(const struct corpus *c, unsigned char side, enum metric m);

/* Sets `metrics` of a record. */
void report_each(struct rec *r, const struct row *row, const unsigned char *chosen);

#endif
