/*
 * Arrays that grow.
 */
#ifndef CAGSR_BASE_RESERVE_H
#define CAGSR_BASE_RESERVE_H

#include "base/err.h"

#include <stddef.h>

/* Room for at least n elements of `size` bytes in *array, a pointer to malloc'd memory or
 * NULL, of which *cap have room; never shrinks, doubles at least.  ERR_NOMEM: all stays as
 * it was. */
int reserve(void *array, size_t *cap, size_t n, size_t size, struct err *e) MUST_CHECK;

#endif
