/*
 * Log-probabilities of samples under the model, and the gradient of a minibatch's loss,
 * one micro-batch after another.  Private to train/step.
 */
#ifndef CAGSR_TRAIN_GRADIENT_H
#define CAGSR_TRAIN_GRADIENT_H

#include "train/step.h"

#include <stddef.h>

/* What a minibatch is made of. */
struct mini {
    size_t from, n;    /* groups work->order[from .. from+n) */
    size_t nseq, ntok; /* that enter the loss: filled by gradient_mini */
    int fused;         /* TOK_OLD is not known yet: it is what this pass gives */
};

/* TOK_OLD, TOK_ENTROPY, TOK_VALUE of the groups order[0 .. ngroups).  ERR_NOMEM. */
int gradient_score(struct train *t, struct train_data *d, struct train_result *r,
                   struct err *e) MUST_CHECK;

/* Gradient of the minibatch's loss, with beta nats per nat of KL, into t->grads and
 * t->head.g; the loss into *loss.  ERR_NUMERIC if that is not a number, ERR_NOMEM. */
int gradient_mini(struct train *t, struct train_data *d, struct mini *mini, double beta,
                  double *loss, struct train_result *r, struct err *e) MUST_CHECK;

#endif
