/*
 * What rows of attention say about one response.
 *
 * Row t is the query that predicts token t of the response (position P+t-1, F1), column
 * j a token of the prompt.  A row's mass falls on three parts that add to 1:
 *
 *     m^V   on the support V: prompt tokens that carry content
 *     m^S   on the rest of the prompt: position 0 (the sink), template, punctuation
 *     m^R   on the response so far
 *
 * Everything is double: the numbers agree with the reference to 1e-12.  No function
 * here allocates or fails, except where it says so; all are safe from many threads.
 */
#ifndef CAGSR_ATTN_STATS_H
#define CAGSR_ATTN_STATS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A step whose mass on the support is below this says nothing and is skipped (F2). */
#define ATTN_MASS_MIN 1e-6

struct attn_rows {
    size_t T, P;         /* rows and columns of A */
    const double *A;     /* (T,P) row-major, averaged over layers and heads */
    size_t steps;        /* rows that count: T, or T-1 if the last token is the end
                            token, whose attention is driven by the template */
    const uint32_t *pos; /* (n) V: positions below P, ascending */
    size_t n;
};

/* A (n) += w * x (n): averages layers and heads, one plane after another (F1). */
void attn_add(double *A, const double *x, size_t n, double w);
void attn_add_f32(double *A, const float *x, size_t n, double w);

/* A (n) = x (n). */
void attn_widen(double *A, const float *x, size_t n);

/* ERR_NUMERIC, naming step and position, if any of A (T,P) is not finite or below 0. */
int attn_check(const double *A, size_t T, size_t P, struct err *e) MUST_CHECK;

/* pos (P) out: where mask (P) is not 0, ascending.  Returns how many. */
size_t attn_support(uint32_t *pos, const unsigned char *mask, size_t P);

/* The three masses of every row, each (T) out; response = 1 - support - sink. */
void attn_masses(double *support, double *sink, double *response,
                 const struct attn_rows *r);

/* Steps t < r->steps with m^V >= ATTN_MASS_MIN, ascending, into kept (steps).  Of step
 * kept[i], mass[i] gets its m^V and entropy[i] the entropy of its row renormalised over
 * the support (F2), in nats; both have room for steps.  Returns how many. */
size_t attn_kept(size_t *kept, double *mass, double *entropy,
                 const struct attn_rows *r);

/* The largest mass that a step first <= t < r->steps gives the positions pos (n) together;
 * *step is the first step that does.  0 and `first` if none gives any. */
double attn_best(size_t *step, const struct attn_rows *r, size_t first,
                 const uint32_t *pos, size_t n);

/* What a response read at its best: profile (n) out has for each position of V the largest
 * mass that a step gave it, the first step left out where there are more (it is the same
 * for all responses), divided by their sum.  Returns that sum; 0, and all 0, if nothing was
 * read. */
double attn_profile(double *profile, const struct attn_rows *r);

/* Mean over the steps that count of the mass on the support; 0 without steps. */
double attn_mean_mass(const struct attn_rows *r);

/* Total variation distance of two profiles (n), half the sum of |p - q|: 0 the same, 1
 * nothing in common. */
double attn_apart(const float *p, const float *q, size_t n);

#endif
