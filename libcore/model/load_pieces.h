/*
 * Parameters in pieces.  A piece is read, looked through for what is not a finite number, packed
 * and hashed by one thread, while it is in a cache near by; pieces are hashed in their order.
 * Private to load.c.
 */
#ifndef CAGSR_MODEL_LOAD_PIECES_H
#define CAGSR_MODEL_LOAD_PIECES_H

#include "base/hash.h"
#include "io/weights.h"
#include "kern/gemm.h"

/* Some rows of a parameter. */
struct piece {
    const struct weights_tensor *t; /* where they come from; NULL: zeros of nowhere */
    const float *there; /* (rows, cols) where they lie already; NULL: they are read */
    float *to;          /* to this place */
    size_t row, rows, cols;
    size_t head_dim;             /* weights_read's */
    float less;                  /* taken from all that is read */
    const struct gemm_weight *w; /* NULL: not packed; else as its rows from `at` on */
    size_t at;
};

/* Zero-initialised is empty. */
struct pieces {
    struct piece *piece;
    size_t n, room;
};
void pieces_release(struct pieces *p);

/* Appends `whole`, cut into pieces of rows that can be packed by themselves.  `whole`'s there, to,
 * row and at are those of its first row.  ERR_NOMEM. */
int pieces_add(struct pieces *p, const struct piece *whole, struct err *e) MUST_CHECK;

/* All pieces by all threads; then there are none.  hash NULL: none is wanted.  ERR_NUMERIC: the
 * first piece that holds what is not a finite number; the sentence names its tensor. */
int pieces_run(struct pieces *p, struct kern *k, struct hasher *hash,
               struct err *e) MUST_CHECK;

#endif
