/*
 * One rendering under way: its memory, its limits, where it is, and how it fails.
 *
 * What takes a `struct interp` and can fail returns 0 or a negative `enum errcode`, with
 * the sentence in in->e.  Memory is the pool's, so an early return leaves nothing to clean
 * up: TRY passes a failure on.
 */
#ifndef CAGSR_JINJA_INTERP_H
#define CAGSR_JINJA_INTERP_H

#include "base/err.h"
#include "jinja/pool.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TRY(call)                                                                      \
    do {                                                                               \
        const int try_rc_ = (call);                                                    \
        if (try_rc_ < 0)                                                               \
            return try_rc_;                                                            \
    } while (0)

/* What a template may take: far more than any conversation needs. */
enum {
    INTERP_STEPS = 10 * 1000 * 1000,   /* expressions and statements evaluated; work on
                                          texts counts by the kilobyte */
    INTERP_DEPTH = 400,                /* expressions, macros, values in each other */
    INTERP_MEMORY = 256 * 1024 * 1024, /* bytes */
    INTERP_TEXT = 64 * 1024 * 1024,    /* bytes of one string, the output included */
};

/* Zero but for pool, e and where, it serves to build values before a rendering. */
struct interp {
    struct pool *pool; /* borrowed */
    struct err *e;     /* borrowed */
    const char *where; /* the template's file, for sentences; borrowed */
    int line;          /* of the template; 0 outside it */
    int depth;
    size_t steps;
    const struct tm *now; /* what strftime_now shows */
};

/* Fails with "FILE: chat template, line N: ...": ERR_RECORD where the data are to blame or
 * may be, ERR_FILE where the template is. */
int interp_fault(struct interp *in, enum errcode code, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* Counts n steps; ERR_RECORD beyond the limit. */
int interp_steps(struct interp *in, size_t n) MUST_CHECK;

/* One level deeper, ERR_RECORD beyond the limit; interp_leave comes back.  After a failure
 * there is no way back. */
int interp_enter(struct interp *in) MUST_CHECK;
void interp_leave(struct interp *in);

/* *(void **)out = n * size bytes of the pool, not initialised; ERR_NOMEM. */
int interp_take(struct interp *in, void *out, size_t n, size_t size) MUST_CHECK;

#endif
