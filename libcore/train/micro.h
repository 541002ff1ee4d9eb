/*
 * Micro-batches: groups cut to what one pass can take, and the heads on top of it.
 * Private to train/step.
 */
#ifndef CAGSR_TRAIN_MICRO_H
#define CAGSR_TRAIN_MICRO_H

#include "model/batch.h"
#include "model/head.h"
#include "train/data.h"

#include <stddef.h>

/* Which rows are wanted of a response of T tokens. */
enum micro_kind {
    MICRO_TOKENS, /* T - 1: those that predict its tokens, with the prompt's last */
    MICRO_LAST,   /* T: the row of the last token is read */
};

/* How groups become batches. */
struct micro_form {
    const struct arch *arch; /* borrowed: what takes the place of a prompt */
    enum micro_kind kind;
    size_t together; /* candidates stay together in runs of so many (2 for pairs) */
};

struct micro_piece {
    size_t c0, n; /* candidates of one group */
};

struct micro {
    struct batch batch;
    struct micro_piece *piece;
    size_t npieces;
    struct head_item *item; /* (n) one prediction, or one score, each */
    size_t *token;          /* (n) its place in the per-token arrays */
    float *weight;          /* (n) per item, the caller's use */
    size_t n;
    size_t cap_items, cap_pieces;
};

/* Where a walk over the groups order[0..n) stands. */
struct micro_walk {
    const size_t *order;
    size_t n, at; /* position in order */
    size_t cand;  /* candidates of order[at] that are done */
};

/* Room for whatever a walk over d can make.  ERR_NOMEM. */
int micro_reserve(struct micro *m, const struct train_data *d,
                  struct err *e) MUST_CHECK;
void micro_release(struct micro *m);

/* Rows that the longest candidate of d takes with its prompt; with pairs, that the
 * largest pair takes. */
size_t micro_longest(const struct train_data *d, const struct micro_form *f);

/* Fills *m with the next micro-batch of at most max_rows rows, an encoder's among them.
 * 1, or 0 at the end of the walk, or ERR_NOMEM.  max_rows must be at least
 * micro_longest(). */
int micro_next(struct micro *m, struct micro_walk *w, const struct train_data *d,
               size_t max_rows, const struct micro_form *f, struct err *e) MUST_CHECK;

#endif
