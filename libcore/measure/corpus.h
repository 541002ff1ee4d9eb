/*
 * Samples of one stream or two as prompts, rows and texts, with the numbers of each sample.
 *
 * What a group of candidates says by itself is measured while it is read (group.h); what
 * needs the other prompts comes when all are there (relate.h); what needs a model is the
 * caller's, who sets it in the rows.  In memory are texts, each once, and numbers.
 */
#ifndef CAGSR_MEASURE_CORPUS_H
#define CAGSR_MEASURE_CORPUS_H

#include "base/err.h"
#include "measure/metric.h"
#include "rec/sample.h"
#include "rec/stream.h"
#include "reward/strtab.h"

#include <stddef.h>
#include <stdint.h>

#define NO_TEXT SIZE_MAX

/* One sample.  den 0: it has no such number. */
struct row {
    size_t prompt;         /* of corpus.prompt */
    size_t text, question; /* the answer; the user's part of its prompt; or NO_TEXT */
    size_t ref, refs;      /* references: corpus.ref[ref..ref+refs) */
    size_t from, to;       /* the group it stands in: rows from..to-1 */
    size_t lead;           /* for models: whose references are scored for it */
    unsigned char side;    /* 0, or 1 of what it is compared with */
    unsigned char apart;   /* a corrupted one: measured, but in no mean */
    struct ratio v[METRICS];
};

struct corpus_prompt {
    size_t question; /* text of its first row */
    size_t rows[2];  /* of each side */
    size_t partner;  /* the prompt that controls; itself where there is no other */
};

/* Texts are kept once each, by number. */
struct corpus {
    struct strtab ids, texts;
    struct corpus_prompt *prompt;
    struct row *row;
    size_t *ref;
    size_t prompts, rows, refs, prompt_cap, row_cap, ref_cap;
    int came_again; /* a prompt's candidates stood in more than one group of a side */
};
void corpus_release(struct corpus *c);

/* What reading needs from sample to sample. */
struct reading {
    const char *reference; /* the field with the right answer */
    struct corpus *c;
    unsigned char side;
    struct sample sample;
    struct group_work *work;
    struct rec_buf question; /* the user's part of a prompt, put together */
};
int reading_begin(struct reading *r, const char *reference, struct corpus *c,
                  struct err *e) MUST_CHECK;
void reading_end(struct reading *r);

/* Adds the samples of a group to the corpus, measured as far as they can be alone.
 * Records of other kinds are passed over. */
int corpus_add(struct reading *r, const struct rec_group *g, struct err *e) MUST_CHECK;

/* The text of that number; *n gets its bytes. */
const char *corpus_text(const struct corpus *c, size_t text, size_t *n);

void row_set(struct row *row, enum metric m, double value);
double row_get(const struct row *row, enum metric m); /* NaN: none */

/* 1 if the row is of that side, in the means, and has metric m. */
int row_counts(const struct row *row, unsigned char side, enum metric m);

/* 1 if some row of that side that counts has metric m. */
int corpus_has(const struct corpus *c, unsigned char side, enum metric m);

/* out (prompts): of a mean over prompts the mean of each prompt's samples, of a ratio over
 * tokens its sums; for boot.h. */
void corpus_sums(struct ratio *out, const struct corpus *c, unsigned char side,
                 enum metric m);

#endif
