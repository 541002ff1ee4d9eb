/*
 * A run of cagsr-update: everything it holds, and the loop over batches.
 */
#ifndef CAGSR_UPDATE_LOOP_H
#define CAGSR_UPDATE_LOOP_H

#include "update.h"

struct run {
    const struct cli_tool *tool;
    const struct opts *o;
    struct par *par;
    struct kern *kern;
    struct model *model, *ref_model;
    struct train *train;
    struct train_reference *reference;
    struct source source;
    struct output output;
    struct metric metric;
    struct cli_progress progress;
    char *start;            /* where the model came from */
    struct train_data data; /* the batch */
    struct train_data pool; /* the whole input, where it is passed over again */
    size_t *pool_order;
    int pool_ordered;
    size_t taken;     /* groups taken from the pool, over all passes */
    int ended;        /* the stream has ended */
    double rehearsal; /* seconds */
    struct train_result rehearsed;
};

/* Trains, or does what --dry-run or --grads asks for.  had: where the run that is
 * resumed was. */
int run_loop(struct run *r, const struct train_cursor *had, struct err *e);

#endif
