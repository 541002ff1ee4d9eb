/*
 * One block of memory, measured first and carved then; it never grows.
 *
 * The same walk is made twice: over an arena without memory, which only adds up, and
 * over one of the size found.  Pieces are 64-byte aligned (a cache line, a zmm
 * register).
 */
#ifndef CAGSR_BASE_ARENA_H
#define CAGSR_BASE_ARENA_H

#include "base/err.h"

#include <stddef.h>

enum { ARENA_ALIGN = 64 };

struct arena {
    char *base;  /* NULL while measuring */
    size_t used; /* bytes carved, or needed so far */
    size_t size; /* bytes owned */
};

/* n * size bytes, 64-byte aligned, zeroed at arena_alloc; NULL while measuring.  A
 * product that overflows, or a carve beyond the measured size, aborts: it is a bug in
 * the walk, and lengths from files are checked before they come here. */
void *arena_take(struct arena *a, size_t n, size_t size);

/* Turns a measured arena (base NULL, used > 0) into one that owns `used` zeroed bytes,
 * ready for the second walk.  ERR_NOMEM names `what` and the size. */
int arena_alloc(struct arena *a, const char *what, struct err *e) MUST_CHECK;

/* Frees the block and zeroes *a; a zeroed arena is fine. */
void arena_release(struct arena *a);

#endif
