/*
 * A scene: one prompt and its candidates, as a picture of them needs it.
 *
 * There is one description and there are three renderers.  scene.c makes the description
 * of a group of records; term.h (a terminal), svg.h and cagsr-view's html.c (a page) take
 * it, ask nothing of the records, and compute nothing about attention or reward but what
 * the functions below answer.  curves.h is its counterpart for the metrics of a run.
 *
 *     records ─► scene_read ─► struct scene ─► term, svg, html
 *     metrics ─► curves_add ─► struct curves ─┘
 *
 * What the records say of themselves wins: the field `explain` (cagsr-reward --explain=
 * record) brings weights, words and spans.  Without it, words and spans are found as
 * cagsr-reward finds them with no options (every idf 1, trigrams repeated, 4-grams
 * copied), and weights are those of a known sum that gives the record's reward exactly, or
 * unknown: nothing is guessed.
 *
 * Letters: P tokens of prompt, T of the answer, L layers and H heads where the record
 * keeps them apart, G groups of salient positions ("words").
 */
#ifndef CAGSR_VIEW_SCENE_H
#define CAGSR_VIEW_SCENE_H

#include "base/err.h"
#include "explain/planes.h"
#include "explain/prompt.h"
#include "rec/sample.h"
#include "rec/stream.h"
#include "reward/ngram.h"

#include <stddef.h>
#include <stdint.h>

/* One summand of the reward. */
struct scene_term {
    struct rec_str name;
    double value;  /* NaN: abstained */
    double weight; /* NaN: nobody knows */
};

enum { SCENE_WORD = 64 };

/* A word that the answer should read. */
struct scene_word {
    char name[SCENE_WORD];
    const uint32_t *pos; /* (n) positions in the prompt */
    size_t n;
    double weight, best; /* the largest mass that any step put on it ... */
    size_t step;         /* ... and that step */
    int hardly;          /* 1: hardly read, see coverage_hardly() */
};

/* A stretch of tokens [from, to). */
struct scene_span {
    size_t from, to;
};
struct scene_spans {
    struct scene_span *span;
    size_t n, cap;
};

/* Where each token's text lies; where a record has no text, a token is called " #ID". */
struct scene_tokens {
    struct rec_str *token;
    size_t n;
    char *label;
    size_t cap, label_cap;
};

struct scene_cand {
    struct sample sample;
    struct scene_tokens tokens; /* (T) */
    double reward;              /* NaN: none */
    size_t steps;               /* rows that count: not the end token's */
    double *A;                  /* (T,P) the plane looked at; NULL: no attention */
    struct scene_term *term;
    size_t terms;
    struct scene_word *word; /* (G) */
    size_t words;
    struct scene_spans repeated, copied;
    /* private */
    double *rows;
    uint32_t *pos;
    size_t rows_cap, term_cap, word_cap, pos_cap;
};

struct scene {
    struct rec_str id;
    struct scene_tokens prompt;   /* (P) */
    const unsigned char *user;    /* (P) 1: the user's own tokens; NULL: all are */
    const unsigned char *support; /* (P) 1: may count, V */
    const uint32_t *pos;          /* (npos) the same as positions, ascending */
    size_t npos;
    struct scene_cand *cand; /* (n) as they came */
    size_t n;
    size_t *order; /* (n) best reward first; without a reward last */
    /* private */
    struct prompt reads;
    struct ngram_table table;
    unsigned char *mark;
    int32_t *ids;
    size_t cap, order_cap, mark_cap, ids_cap;
};

/* Which attention is looked at. */
enum { SCENE_ALL = -1 };
enum scene_over {
    SCENE_BEST, /* the largest of the steps, the first left out, as coverage does */
    SCENE_MEAN, /* their mean */
};
struct scene_look {
    long layer, head; /* index among those in the record, or SCENE_ALL: their mean */
    long token;       /* one step, or SCENE_ALL */
    enum scene_over over; /* what is shown of all steps */
    int share;            /* 1: each row as shares of its mass on the support */
};

/* Describes a group; s starts zeroed, is reused from group to group, and borrows from g
 * until then.  ERR_RECORD for records that contradict themselves or each other, ERR_USAGE
 * for a layer or head that is not there, ERR_NUMERIC for attention that is no number. */
int scene_read(struct scene *s, const struct rec_group *g,
               const struct scene_look *look, struct err *e) MUST_CHECK;
void scene_release(struct scene *s); /* zeroes it */

/* w (2 P; the second half is scratch) out: how much the candidate read each token of the
 * prompt.  Returns the largest on the support, 0 if nothing was read.  All 0 without
 * attention or for a step that is not there. */
double scene_weights(double *w, const struct scene *s, const struct scene_cand *c,
                     const struct scene_look *look);

/* Row t (P) out, as look->share says. */
void scene_row(double *w, const struct scene *s, const struct scene_cand *c, size_t t,
               const struct scene_look *look);

/* Mass on the support in each layer and head at the step look->token, or its mean over
 * the steps that count, into mass (L,H); only of records that keep them apart. */
void scene_planes(double *mass, const struct scene *s, const struct scene_cand *c,
                  const struct scene_look *look);

/* weight * value; NaN where one of them is not known. */
double scene_share(const struct scene_term *t);

/* 1 if every term of the candidate has a weight. */
int scene_weighed(const struct scene_cand *c);

/* The candidate numbered `cand`, or NULL. */
const struct scene_cand *scene_find(const struct scene *s, uint64_t cand);

#endif
