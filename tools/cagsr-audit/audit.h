/*
 * What the files of cagsr-audit share.
 *
 *   corrupt.c   one response made worse in a way that has a name
 *   make.c      --make: a stream of samples with their corruptions behind them
 *   board.c     rewarded samples as columns of numbers, prompt by prompt
 *   features.c  the coverage that each head and layer would give alone
 *   judge.c     correlations, areas under curves, best of N, with intervals
 *   fit.c       --fit: weights of heads
 */
#ifndef CAGSR_AUDIT_H
#define CAGSR_AUDIT_H

#include "base/err.h"
#include "cli/cells.h"
#include "cli/cli.h"
#include "metrics/boot.h"
#include "rec/sample.h"
#include "rec/stream.h"
#include "reward/salient.h"
#include "reward/strtab.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum by { BY_NOTHING, BY_LAYER, BY_HEAD };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    const char *make, *with, *given, *fit;
    int format, by, salient;
    size_t resamples;
    double level, ridge;
};

/* ---- corrupt.c ------------------------------------------------------------------------- */
struct made; /* a response in the making, its memory kept */
int made_new(struct made **out, struct err *e) MUST_CHECK;
void made_free(struct made *m); /* NULL is fine */

/* What a corruption may draw on. */
struct material {
    const struct sample *own, *other; /* other: an answer to another prompt, or NULL */
    uint64_t seed;
    int32_t end; /* the end token, or -1: nobody in this group drew one */
};

struct corruption {
    const char *name;
    int once; /* one for each prompt, not for each of its answers */
    /* 1 with the response in m, 0 if there is none (nothing would change). */
    int (*make)(struct made *m, const struct material *from, struct err *e);
};
extern const struct corruption corruptions[]; /* ends with a NULL name */
#define MISMATCHED "mismatched"

/* Writes the response in m into r, a copy of the own sample's record, under that name and
 * number: what the old response was measured with goes.  0 if it would be no UTF-8. */
int made_write(struct rec *r, const struct made *m, const struct material *from,
               const char *name, uint64_t cand);

/* ---- make.c ---------------------------------------------------------------------------- */
int make_run(const struct opts *o, const struct cli_tool *tool,
             struct err *e) MUST_CHECK;

/* ---- board.c --------------------------------------------------------------------------- */

/* Samples as rows, numbers as columns by name.  A number that is absent is NaN. */
struct board {
    struct strtab columns, ids,
        kinds; /* kinds: "" (own) is 0, then corruptions as met */
    struct board_row {
        size_t prompt, kind;
        size_t from, to; /* entries of its numbers */
        float *feature;  /* (features) or NULL */
    } * row;
    struct board_entry {
        size_t column;
        double x;
    } * entry;
    size_t rows, entries, row_cap, entry_cap;
    unsigned char *is_reward; /* (columns) 1: a component, 0: a measure */
    size_t is_reward_cap;
    size_t features, layers, heads, first_layer; /* 0: attention is not kept apart */
};
void board_release(struct board *b);

/* Adds a sample; attention kept apart is measured with `work`. */
struct feature_work;
int board_add(struct board *b, struct sample *s, const struct rec *r,
              struct feature_work *work, struct err *e) MUST_CHECK;

/* Rows in the order of prompts: first (prompts+1) out, malloc'd, order (rows) out. */
int board_sort(const struct board *b, size_t **first, size_t **order,
               struct err *e) MUST_CHECK;

/* x (rows) out: column's numbers in that order. */
void board_column(double *x, const struct board *b, const size_t *order, size_t column);

/* ---- features.c ------------------------------------------------------------------------ */
int feature_work_new(struct feature_work **out, enum salient_mode mode,
                     struct err *e) MUST_CHECK;
void feature_work_free(struct feature_work *w); /* NULL is fine */

/* out (L H + L): best-step coverage by each head alone, then by each layer's mean. */
int features_of(float *out, struct feature_work *w, const struct sample *s,
                struct err *e) MUST_CHECK;

/* ---- judge.c --------------------------------------------------------------------------- */
/* All tables, written to out. */
int judge(FILE *out, const struct opts *o, const struct board *b,
          struct err *e) MUST_CHECK;

/* ---- fit.c ----------------------------------------------------------------------------- */
/* What --fit needs, before anything is printed: heads apart, mismatched answers. */
int fit_check(const struct board *b, struct err *e) MUST_CHECK;

/* Weights of heads, written to o->fit; a line about how they do on prompts that they were
 * not fitted on, to out. */
int fit_heads(FILE *out, const struct opts *o, const struct board *b,
              struct err *e) MUST_CHECK;

#endif
