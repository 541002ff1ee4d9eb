/*
 * The files of cagsr-view: operands and those of --run, each a stream or a table of
 * metrics, and each a run of its own.  A directory is a run of cagsr-loop: what it has of
 * samples and metrics, step by step, and its evaluations.
 */
#ifndef CAGSR_VIEW_INPUTS_H
#define CAGSR_VIEW_INPUTS_H

#include "cli/cli.h"
#include "rec/record.h"
#include "view/curves.h"

struct input {
    char *file, *set; /* owned; set: the name of --run, or "" */
};

/* Zeroed is empty. */
struct inputs {
    struct input *input; /* (n) */
    size_t n, cap;
    const char **stream; /* (streams) those that are no tables */
    size_t streams, stream_cap;
};

/* Lists the operands, then runs as NAME=FILE.  ERR_USAGE; ERR_FILE for a directory that is no
 * run; ERR_NOMEM. */
int inputs_list(struct inputs *in, const struct cli_common *c,
                const struct cli_list *runs, struct err *e) MUST_CHECK;

/* Which of them a record came from. */
size_t inputs_of(const struct inputs *in, const struct rec *r);

/* Reads the tables.  ERR_FILE, ERR_NOMEM. */
int inputs_tables(const struct inputs *in, struct curves *c, struct err *e) MUST_CHECK;

void inputs_release(struct inputs *in); /* zeroes it */

#endif
