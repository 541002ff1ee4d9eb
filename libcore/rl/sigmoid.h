/*
 * The logistic function without overflow, for the losses on pairs.
 */
#ifndef CAGSR_RL_SIGMOID_H
#define CAGSR_RL_SIGMOID_H

#include <math.h>

/* log(1 / (1 + exp(-x))), exact to rounding for any x. */
static inline double log_sigmoid(double x)
{
    return x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

/* 1 / (1 + exp(-x)). */
static inline double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

#endif
