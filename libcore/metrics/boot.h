/*
 * Bootstrap over prompts (Efron 1979): all that was measured on a prompt stays together,
 * for the candidates of one prompt are no independent draws.
 *
 * Every number to be resampled is a ratio of sums over prompts,
 *
 *     theta = sum_i num_i / sum_i den_i,
 *
 * num_i = the mean of the prompt's candidates and den_i = 1 for a mean over prompts; num_i
 * = the prompt's negative log-likelihood and den_i its tokens for that of a corpus.  A
 * prompt without such a number has num_i = den_i = 0, and is no zero.
 *
 * Resample b draws its n prompts by Philox at (seed, b): intervals are the same whatever
 * the order of metrics, and the same draws serve them all, so differences are paired.
 */
#ifndef CAGSR_METRICS_BOOT_H
#define CAGSR_METRICS_BOOT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct ratio {
    double num, den;
};

/* What is shown is theta or exp(theta), which makes a log-likelihood a perplexity. */
enum boot_form { BOOT_PLAIN, BOOT_EXP };

struct boot_plan {
    size_t resamples; /* >= 1; 10000 is usual */
    double level;     /* 0.95 */
    uint64_t seed;
};

/* n: prompts that have a number; the others NaN where n is 0.  lo..hi is the percentile
 * interval; NaN below two prompts. */
struct interval {
    double value, lo, hi;
    size_t n;
};

/* out (M): of the M statistics over n prompts x (M, n), form (M).  ERR_NOMEM only. */
int boot_intervals(struct interval *out, const struct ratio *x,
                   const enum boot_form *form, size_t M, size_t n,
                   const struct boot_plan *plan, struct err *e) MUST_CHECK;

/* The difference a - b with its interval; p: twice the share of resamples on the other
 * side of zero, (k + 1) / (B + 1), at most 1; NaN below two prompts. */
struct difference {
    struct interval d;
    double a, b, p;
};

/* out (M): prompt i of a (M, n) is prompt i of b; one that lacks a number on either side
 * counts on neither.  ERR_NOMEM only. */
int boot_differences(struct difference *out, const struct ratio *a,
                     const struct ratio *b, const enum boot_form *form, size_t M,
                     size_t n, const struct boot_plan *plan, struct err *e) MUST_CHECK;

/* Holm's step-down correction (1979) of n p-values, into out (may be p); NaN stays and
 * does not count.  order (n): scratch. */
void boot_holm(double *out, const double *p, size_t n, size_t *order);

/* The rows of a tool's option table for its numbers of resamples (size_t, N by default) and
 * level (double), members of struct T. */
#define BOOT_OPTIONS(T, resamples, level, N)                                           \
    {"resamples", 'B',                                                                 \
     CLI_SIZE,    offsetof(T, resamples),                                              \
     "N",         "of the bootstrap over prompts (default " #N ")",                    \
     .lo = 100,   .hi = 1e7},                                                          \
    {                                                                                  \
        "level", 0, CLI_DOUBLE, offsetof(T, level), "X",                               \
            "of the intervals (default .95)", .lo = 0.5, .hi = 0.9999                  \
    }

#endif
