/*
 * The only threads: a pool that runs a loop.
 *
 * What a loop computes must not depend on the number of threads: iteration i does the
 * same work whoever runs it.  Iterations are handed out dynamically, one at a time.
 */
#ifndef CAGSR_BASE_PAR_H
#define CAGSR_BASE_PAR_H

#include "base/err.h"

#include <stddef.h>

struct par;

/* A pool of `threads` threads, the caller among them (1: no thread is made).  0 asks
 * for the number of processors this process may use. */
int par_new(struct par **out, size_t threads, struct err *e) MUST_CHECK;
void par_free(struct par *p); /* joins; NULL is fine */

/* Threads of the pool; NULL is a pool of one. */
size_t par_threads(const struct par *p);

/* fn(ctx, i, worker) for every i < n; returns when all are done.  worker <
 * par_threads(p) says who runs it, for scratch memory.  Must not be called from inside
 * fn.  p may be NULL. */
void par_for(struct par *p, size_t n, void (*fn)(void *ctx, size_t i, size_t worker),
             void *ctx);

/* x (n) = 0, by all threads. */
void par_zero(struct par *p, float *x, size_t n);

#endif
