/*
 * What the files of cagsr-eval share.  Samples are measured by libcore/measure.
 *
 *   choose.c     which metrics: by name or family
 *   encode.c     the texts as vectors of a sentence encoder
 *   frozen.c     perplexities under a frozen model
 *   report.c     means and differences with their intervals, as table, tsv, json
 */
#ifndef CAGSR_EVAL_H
#define CAGSR_EVAL_H

#include "base/err.h"
#include "cli/cli.h"
#include "kern/kern.h"
#include "measure/corpus.h"
#include "measure/relate.h"
#include "rec/spool.h"
#include "rec/stream.h"

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

/* ---- choose.c -------------------------------------------------------------------------- */

/* 1 if the name (n bytes) is the metric's or its family's. */
int metric_named(enum metric m, const char *name, size_t n);

/* chosen (METRICS) out: 1 for what `list` names (metrics and families, by commas), else
 * 0; list NULL: 1 for all.  ERR_USAGE names what is neither. */
int metrics_choose(unsigned char *chosen, const char *list, struct err *e) MUST_CHECK;

/* ---- encode.c -------------------------------------------------------------------------- */

/* By a sentence encoder; hash (HASH_HEX) out, of its weights. */
int relate_encoder(struct corpus *c, const char *dir, struct kern *kern, char *hash,
                   struct err *e) MUST_CHECK;

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

/* Sets `metrics` of a record. */
void report_each(struct rec *r, const struct row *row, const unsigned char *chosen);

#endif
