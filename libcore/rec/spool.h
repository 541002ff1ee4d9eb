/*
 * A stream that must be read twice: its records go into a file without a name as they
 * come, and are read again from there, under the headers they came under.
 *
 *     rec_spool_open(&s, in, limits, e)        in: where the records come from
 *     while (...) rec_spool_put(&s, r, e)
 *     rec_spool_read(&again, &s, limits, e)    takes the place of standard input
 *     rec_spool_close(&s)                      behind the reader's last use
 */
#ifndef CAGSR_REC_SPOOL_H
#define CAGSR_REC_SPOOL_H

#include "base/err.h"
#include "rec/stream.h"

struct rec_spool {
    int fd; /* -1: none */
    struct rec_writer *w;
};

/* Makes the file in TMPDIR, or /tmp.  ERR_IO, ERR_NOMEM; then close it all the same. */
int rec_spool_open(struct rec_spool *s, const struct rec_reader *in,
                   const struct rec_limits *limits, struct err *e) MUST_CHECK;

/* Adds a record as it is.  rec_writer_put's errors. */
int rec_spool_put(struct rec_spool *s, const struct rec *r, struct err *e) MUST_CHECK;

/* Ends the file and opens it for reading, once; the reader is the caller's.  Standard
 * input is what is read: whatever it was must have been read to its end.  ERR_IO,
 * ERR_NOMEM. */
int rec_spool_read(struct rec_reader **out, struct rec_spool *s,
                   const struct rec_limits *limits, struct err *e) MUST_CHECK;

void rec_spool_close(struct rec_spool *s); /* fd -1 and w NULL: nothing */

#endif
