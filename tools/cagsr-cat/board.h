/*
 * Metric records as the numbers of an event file, for TensorBoard.
 */
#ifndef CAGSR_CAT_BOARD_H
#define CAGSR_CAT_BOARD_H

#include "event/event.h"
#include "rec/record.h"

struct board {
    struct event_file file;
    int open; /* from the first record on: it says at which step the file begins */
};

/* The finite numbers of a metric record at its step, by their names; other records, and
 * those without a step, are passed over.  ERR_IO, ERR_FILE, ERR_NOMEM. */
int board_put(struct board *b, const char *dir, const struct rec *r,
              struct err *e) MUST_CHECK;

/* rc is the result so far.  Returns rc, or ERR_IO. */
int board_close(struct board *b, int rc, struct err *e) MUST_CHECK;

#endif
