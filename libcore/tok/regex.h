/*
 * Regular expressions of tokenizer files: Oniguruma's dialect, run by PCRE2 with UTF and
 * UCP.
 */
#ifndef CAGSR_TOK_REGEX_H
#define CAGSR_TOK_REGEX_H

#include "base/err.h"

#include <stddef.h>

struct regex;

/* `where` names file and key: ERR_FILE if `pattern` is none, or says what PCRE2 would
 * understand differently.  The caller owns *out (regex_free). */
int regex_new(struct regex **out, const char *pattern, const char *where,
              struct err *e) MUST_CHECK;

/* One that matches `text` as it stands. */
int regex_new_literal(struct regex **out, const char *text, const char *where,
                      struct err *e) MUST_CHECK;
void regex_free(struct regex *r); /* NULL is fine */

/* The next match of at least one byte in s[from..n), valid UTF-8: 1 with its place at
 * [*at, *end), 0 if there is none, ERR_RECORD if the expression gives up (a hostile one).
 */
int regex_next(const struct regex *r, const char *s, size_t n, size_t from, size_t *at,
               size_t *end, struct err *e) MUST_CHECK;

#endif
