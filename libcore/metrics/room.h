/*
 * Arrays that grow, for this module's scratch memory.
 */
#ifndef CAGSR_METRICS_ROOM_H
#define CAGSR_METRICS_ROOM_H

#include "base/err.h"

#include <stddef.h>

/* array: the address of a malloc'd array (or NULL) with room for *cap elements of `size`
 * bytes; it gets room for n, at least doubled when it grows.  ERR_NOMEM: it is as it was. */
int room_for(void *array, size_t *cap, size_t n, size_t size, struct err *e) MUST_CHECK;

#endif
