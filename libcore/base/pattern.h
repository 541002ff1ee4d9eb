/*
 * Regular expressions as adapter configurations have them: Python's `re`, as far as
 * PCRE2 reads it alike.
 */
#ifndef CAGSR_BASE_PATTERN_H
#define CAGSR_BASE_PATTERN_H

#include "base/err.h"

/* 1 if the expression matches all of `text` (re.fullmatch), 0 if not.  ERR_FILE, naming
 * `where`, if it is no regular expression or takes too many steps; ERR_NOMEM. */
int pattern_matches(const char *expression, const char *text, const char *where,
                    struct err *e) MUST_CHECK;

#endif
