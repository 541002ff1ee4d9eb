/*
 * One update: groups of samples in, changed parameters out.
 *
 *     log-probabilities before (TOK_OLD), values      a forward pass, where needed
 *     advantages                                      train/algo.h
 *     for each epoch, for each minibatch of prompts:
 *         for each micro-batch of at most `rows` rows:
 *             forward, head, loss, head back, pass back     gradients add up
 *         norm, clip, AdamW
 *
 * A micro-batch holds whole prompts with as many of their candidates as fit; a group
 * that is larger than the budget is cut, and its prompt computed again.  The gradient
 * is that of the whole minibatch however it is cut (to rounding), and its bits are a
 * function of the data, the options and the machine, never of the number of threads.
 *
 * What is trained is the model, or its adapter alone (model_trained).
 *
 * Memory: parameters, gradients and two moments of what is trained, a pass over `rows`
 * rows, one chunk of logits.  It is taken by train_new; a later step takes more only if
 * its data is larger than any before.
 */
#ifndef CAGSR_TRAIN_STEP_H
#define CAGSR_TRAIN_STEP_H

#include "model/model.h"
#include "optim/adamw.h"
#include "optim/schedule.h"
#include "rl/advantage.h"
#include "rl/kl.h"
#include "train/algo.h"
#include "train/data.h"

#include <stddef.h>
#include <stdint.h>

struct train_opts {
    struct algo_opts algo;
    size_t rows;              /* of a micro-batch; a longer sample widens it */
    size_t minibatch;         /* prompts of an optimizer step; 0: the whole batch */
    size_t epochs;            /* over a batch */
    struct schedule schedule; /* by optimizer steps */
    struct adamw adamw;
    double decay;     /* of matrices; vectors (norms, biases) do not decay */
    double grad_clip; /* largest gradient norm; 0: none */
    struct kl_control kl;
    uint64_t seed;
    int recompute;  /* activations on the way back, not kept (PASS_RECOMPUTE) */
    int off_policy; /* TOK_OLD is the sampler's own where it is known; no check */
};

/* How far the samples' own log-probabilities are from what this model gives. */
struct train_check {
    size_t tokens, rounded; /* of all; of those with rounded weights, there or here */
    double max, mean;       /* of |difference|, nats */
};
/* What is taken for rounding: the largest |ratio - 1|; where weights were rounded to
 * bfloat16, the sampler's or in products here, the mean |difference| in nats, which grows
 * with the model's depth. */
enum { TRAIN_RATIO_PERCENT = 1, TRAIN_ROUNDED_PERCENT = 5 };

/* What an update did. */
struct train_result {
    struct algo_stats stats; /* sums over all optimizer steps */
    struct train_check check;
    double loss;            /* mean over the optimizer steps */
    double first_ratio_dev; /* largest |ratio - 1| in the first minibatch */
    double lr, grad_norm;   /* of the last; the mean norm before clipping */
    double kl;              /* mean nats per sequence against the reference, k1 */
    double entropy;         /* mean per token before the update */
    double beta;            /* KL coefficient that was used */
    size_t steps;           /* optimizer steps */
    size_t rows;            /* rows of forward passes, all counted */
    size_t ref_tokens;      /* tokens with a reference */
};

/* One linear on hidden rows: the critic, or the reward model's score. */
struct train_head {
    size_t C;
    float *w, *g, *m, *v; /* (C+1) each: weights, then the bias */
};

struct train {
    struct train_opts o;
    struct model *m;
    struct train_head head; /* C == 0: the algorithm has none */
    float *grads, *exp_avg, *exp_avg_sq;
    /* What a resumed run goes on from. */
    uint64_t steps;      /* optimizer steps */
    uint64_t iterations; /* updates */
    struct kl_control kl;
    struct advantage_running baseline;
    struct train_work *work; /* private */
};

/* m is borrowed and its parameters, or its adapter's, are changed.  o is copied.  ERR_NOMEM. */
int train_new(struct train **out, struct model *m, const struct train_opts *o,
              struct err *e) MUST_CHECK;
void train_free(struct train *t); /* NULL is fine */

/* Bytes beside the parameters themselves. */
size_t train_bytes(const struct model *m, const struct train_opts *o);

/* One update on d.  Errors leave the parameters as after the last optimizer step:
 *   ERR_NUMERIC  a loss or gradient is not finite (that step is not taken)
 *   ERR_RECORD   the samples were not drawn by this model (first step; not off_policy)
 *   ERR_NOMEM */
int train_update(struct train *t, struct train_data *d, struct train_result *r,
                 struct err *e) MUST_CHECK;

/* The two halves of it.  train_prepare: everything before the first gradient, old
 * log-probabilities, values and advantages.  train_gradient: of the first minibatch of
 * prepared data into t->grads and t->head.g, not clipped; no step is taken; r->loss is
 * its loss.  May be called again with other parameters: advantages stay. */
int train_prepare(struct train *t, struct train_data *d, struct train_result *r,
                  struct err *e) MUST_CHECK;
int train_gradient(struct train *t, struct train_data *d, struct train_result *r,
                   struct err *e) MUST_CHECK;

#endif
