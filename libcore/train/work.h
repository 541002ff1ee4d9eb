/*
 * What a trainer works in: its memory, and what its algorithm asks of it.  Private to
 * train/step and train/gradient.
 */
#ifndef CAGSR_TRAIN_WORK_H
#define CAGSR_TRAIN_WORK_H

#include "base/arena.h"
#include "model/head.h"
#include "model/pass.h"
#include "train/micro.h"
#include "train/step.h"

#include <stddef.h>

struct train_work {
    struct arena arena;
    struct pass *pass;
    struct head *head;
    struct micro micro; /* the one at hand */
    size_t max_rows;
    float *dh;                                /* (max_rows, C) */
    float *logp, *entropy, *dlogp, *dentropy; /* (items) */
    size_t cap_items;
    struct adamw_run *run, *head_run;
    size_t nruns, nhead_runs;
    double *norm_scratch;
    size_t *order, cap_groups; /* (groups) those of the batch, in the order they go */
};

/* ALGO_* of the run's algorithm. */
static inline unsigned work_flags(const struct train *t)
{
    return algo_get(t->o.algo.kind)->flags;
}

/* Floats of the small head on top: 0 where the algorithm has none. */
static inline size_t work_head_floats(const struct train *t)
{
    return work_flags(t) & (ALGO_VALUE | ALGO_SCORE) ? t->m->arch.C + 1 : 0;
}

/* Room for the data: taken before a step, and only when it is larger than any before.
 * ERR_NOMEM. */
int work_reserve(struct train *t, const struct train_data *d, struct err *e) MUST_CHECK;

/* A walk over the groups order[from .. from+n); the next micro-batch of it into
 * work->micro: 1, 0 at its end, or ERR_NOMEM. */
struct micro_walk work_walk(const struct train *t, size_t from, size_t n);
int work_next(struct train *t, struct micro_walk *walk, const struct train_data *d,
              struct err *e) MUST_CHECK;

#endif
