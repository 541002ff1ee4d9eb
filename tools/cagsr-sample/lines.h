/*
 * Plain text, a prompt a line; empty lines are none.
 */
#ifndef CAGSR_SAMPLE_LINES_H
#define CAGSR_SAMPLE_LINES_H

#include "base/err.h"

#include <stddef.h>

struct lines;

/* "-" is standard input; no files are "-".  Lines over `max` bytes (0: 64 MiB) are
 * refused.  ERR_FILE. */
int lines_new(struct lines **out, const char *const *files, size_t nfiles, size_t max,
              struct err *e) MUST_CHECK;
void lines_free(struct lines *l); /* NULL is fine */

/* 1 with the next line, without its end, borrowed until the next call; 0 at the end;
 * ERR_IO, ERR_RECORD (too long), ERR_FILE. */
int lines_next(struct lines *l, const char **text, size_t *n, struct err *e) MUST_CHECK;

/* Puts "FILE: line N: " before e's sentence; returns its code. */
int lines_fault(const struct lines *l, struct err *e);

#endif
