/*
 * Returns over turns or reasoning steps (F8):  G_t = sum_{u>=t} lambda_u R_u.
 *
 * Turn t's tokens are credited with G_t, so its value must not be added up once more
 * over turns.  Nothing allocates or fails.
 */
#ifndef CAGSR_REWARD_TURNS_H
#define CAGSR_REWARD_TURNS_H

#include <stddef.h>

enum turn_weights {
    TURN_UNIFORM,   /* 1 */
    TURN_GEOMETRIC, /* gamma^(u-t) */
    TURN_LIST,      /* list[u] */
};

struct turn_lambda {
    enum turn_weights kind;
    double gamma;       /* TURN_GEOMETRIC; METHOD's default .95 */
    const double *list; /* TURN_LIST: (n) */
};

/* G (n) out: the weighted mean of the rewards R (n) from turn t on (weights divided by
 * their sum over the turns that remain; 0 where that sum is 0).  A NaN in R (abstained)
 * is left out of sum and weights; NaN if nothing is left. */
void turns_return(double *G, const double *R, size_t n, const struct turn_lambda *l);

/* The same without dividing. */
void turns_sum(double *G, const double *R, size_t n, const struct turn_lambda *l);

#endif
