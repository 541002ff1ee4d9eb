/*
 * What the files of cagsr-diff share.
 *
 *   read.c     two streams become one corpus (libcore/measure) and numbers of each sample
 *   pairs.c    which sample after belongs to which before; how far attention moved
 *   stats.c    the measures, their means and differences, and what got worse
 *   report.c   all of it as lines of cells
 *   show.c     for people: two texts side by side, the sentences at the end
 */
#ifndef CAGSR_DIFF_H
#define CAGSR_DIFF_H

#include "base/err.h"
#include "cli/cells.h"
#include "cli/cli.h"
#include "explain/prompt.h"
#include "measure/corpus.h"
#include "rec/buf.h"
#include "view/paint.h"

#include <stddef.h>
#include <stdint.h>

#define NONE SIZE_MAX

enum { BEFORE, AFTER, SIDES };
enum sort { SORT_AUTO, SORT_REWARD, SORT_TEXT, SORT_ATTENTION, SORT_INPUT };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    const char *reference, *id;
    int sort, format, color, all;
    size_t cand, prompts, resamples, width;
    double level;
};

/* A number of a sample that is no metric of the corpus; NaN is none. */
struct number {
    size_t row, name; /* of corpus.row; of diff.names */
    double x;
};

/* What else is known of corpus.row[i]. */
struct seen {
    uint64_t cand;
    size_t next;          /* the next row of its prompt and side; NONE */
    size_t at, planes, n; /* diff.profile[at..at + planes n); planes 0: no attention */
    size_t layer;         /* number of the first; planes - 1 of them behind the mean */
    size_t positions;     /* P of its prompt: profiles of one prompt compare */
};

struct pair {
    size_t row[SIDES];
    double change; /* the larger, the earlier it is shown */
};

/* Lines whose p-values are corrected together: many layers take nothing from the rest. */
enum family { FAMILY_MEASURES, FAMILY_REWARDS, FAMILY_ATTENTION, FAMILIES };

/* A line of the summary. */
struct summary_row {
    const char *name;
    int better;    /* 1: more is better; -1: less; 0: neither, or the reward's own */
    int is_metric; /* key: enum metric; else of diff.names */
    int alone;     /* a number of the pair: nothing stands before it */
    enum family family;
    size_t key;
    struct difference d; /* a: after, b: before */
    double p_holm;
};

struct diff {
    const struct opts *o;
    struct corpus corpus;
    struct reading reading;
    struct strtab
        names; /* "rewards/NAME", "attention", "attention/LAYER", "moved" ... */
    struct number *number;
    struct seen *seen; /* (corpus.rows) */
    float *profile;
    struct pair *pair;
    struct summary_row *stat;
    double *value; /* (rows, names) once all is read */
    size_t numbers, profiles, pairs, stats;
    size_t lonely[SIDES]; /* prompts that the other stream has not */
    size_t same;          /* pairs of the same text */
    size_t unlike;        /* pairs whose attention cannot be compared */
    /* private */
    struct sample sample;
    struct prompt reads;
    struct rec_buf name;
    double *A, *work;
    size_t number_cap, seen_cap, profile_cap, pair_cap, A_cap, work_cap;
};
void diff_release(struct diff *d);

/* ---- read.c ---------------------------------------------------------------------------- */
int diff_take(struct diff *d, const struct rec_group *g, unsigned char side,
              struct err *e) MUST_CHECK;

/* Adds x to row's numbers; the name is made fit to be seen. */
int diff_number(struct diff *d, size_t row, const char *name, size_t n, double x,
                struct err *e) MUST_CHECK;

/* ---- pairs.c --------------------------------------------------------------------------- */

/* With all read: d->pair, in the order of the prompts. */
int pairs_join(struct diff *d, struct err *e) MUST_CHECK;

/* order (d->pairs) out: those to be shown, of d->pair, as the options say; *n of them. */
int pairs_choose(size_t *order, size_t *n, struct diff *d, struct err *e) MUST_CHECK;

/* 1 in mark (n bytes of the text) where a word of it is not among those that both texts
 * have in the same order; also for the other's. */
int pairs_mark(unsigned char *mark[SIDES], const struct diff *d, const struct pair *p,
               struct err *e) MUST_CHECK;

/* Share of their words that are not; 0 for equal texts. */
int pairs_changed(double *out, const struct diff *d, const struct pair *p,
                  struct err *e) MUST_CHECK;

/* ---- stats.c --------------------------------------------------------------------------- */
int stats_make(struct diff *d, struct err *e) MUST_CHECK;

/* Of one sample; NaN: none. */
double stats_value(const struct diff *d, const struct summary_row *s, size_t row);

/* "better", "worse", "up", "down" where the difference stands after correction, else "". */
const char *stats_verdict(const struct diff *d, const struct summary_row *s);

/* 1 if it got worse: its interval is on the wrong side of 0; 2 if that stands after
 * correction, too. */
int stats_worse(const struct diff *d, const struct summary_row *s);

/* The reward's line, or NULL. */
const struct summary_row *stats_reward(const struct diff *d);

/* ---- report.c -------------------------------------------------------------------------- */
int report_write(int fd, struct diff *d, struct err *e) MUST_CHECK;

/* ---- show.c ---------------------------------------------------------------------------- */
struct screen {
    enum paint_depth depth;
    size_t width;
};

/* The prompt, and both answers side by side. */
int show_texts(struct rec_buf *out, const struct diff *d, const struct pair *p,
               const struct screen *s, struct err *e) MUST_CHECK;

/* How many there are of what. */
void show_counts(struct rec_buf *out, const struct diff *d);

/* What the numbers say of the reward; begins with "WARNING" if it rose while something
 * else got worse, beyond chance.  Returns 1 then. */
int show_verdict(struct rec_buf *out, const struct diff *d);

/* Text wrapped at the width, behind a head. */
void show_wrapped(struct rec_buf *out, const char *head, const char *s, size_t n,
                  struct paint p, const struct screen *screen);

#endif
