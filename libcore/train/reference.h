/*
 * The frozen model that a policy is held to, when the records do not bring its
 * log-probabilities.
 */
#ifndef CAGSR_TRAIN_REFERENCE_H
#define CAGSR_TRAIN_REFERENCE_H

#include "model/model.h"
#include "train/data.h"

#include <stddef.h>

struct train_reference;

enum reference_kind {
    REFERENCE_MODEL, /* the model as it is */
    REFERENCE_BASE,  /* the same without its adapter, which it has */
};

/* m is borrowed until train_reference_free; its vocabulary must be the policy's, which
 * the caller checks.  rows: of a forward pass; 0: score's default.  ERR_NOMEM. */
int train_reference_new(struct train_reference **out, struct model *m,
                        enum reference_kind kind, size_t rows,
                        struct err *e) MUST_CHECK;
void train_reference_free(struct train_reference *r); /* NULL is fine */

/* TOK_REF of all candidates, at each one's temperature.  ERR_RECORD, ERR_NUMERIC,
 * ERR_NOMEM. */
int train_reference_score(struct train_reference *r, struct train_data *d,
                          struct err *e) MUST_CHECK;

#endif
