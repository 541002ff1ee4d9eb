/*
 * The learning rate of a step.
 *
 *     step < warmup:   lr (step + 1) / warmup          so that no step is wasted at 0
 *     constant:        lr
 *     cosine:          lr (floor + (1 - floor) (1 + cos(pi u)) / 2),
 *                      u = (step - warmup) / (total - warmup), held at 1 from there on
 */
#ifndef CAGSR_OPTIM_SCHEDULE_H
#define CAGSR_OPTIM_SCHEDULE_H

#include <stddef.h>

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_COSINE };

struct schedule {
    enum schedule_kind kind;
    double lr;     /* the highest */
    size_t warmup; /* steps */
    size_t total;  /* steps of the run, for cosine */
    double floor;  /* share of lr left at the end, 0 .. 1 */
};

/* step: 0-based. */
double schedule_lr(const struct schedule *s, size_t step);

#endif
