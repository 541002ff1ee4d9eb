/*
 * Memory of one rendering: pieces are carved from chunks, nothing is freed by itself,
 * all of it at once.  A cap bounds what a template can take.
 */
#ifndef CAGSR_JINJA_POOL_H
#define CAGSR_JINJA_POOL_H

#include <stddef.h>

struct pool_chunk;

/* Zero-initialised it is empty, with a cap of 0: set `cap`. */
struct pool {
    struct pool_chunk *last; /* owned */
    size_t used;             /* bytes asked of malloc */
    size_t cap;              /* and how many there may be */
};

/* n * size bytes, aligned to 16 and not initialised; NULL beyond the cap, without memory,
 * or if the product overflows.  n = 0 is no failure.  Lives until pool_release. */
void *pool_take(struct pool *p, size_t n, size_t size);

/* Frees all pieces and keeps the cap; a zeroed pool is fine. */
void pool_release(struct pool *p);

#endif
