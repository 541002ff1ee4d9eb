/*
 * Texts of a model's files by name: special tokens as chat templates call them, chat
 * templates beside the default.  Private to tok/ but for struct tok_named.
 */
#ifndef CAGSR_TOK_NAMED_H
#define CAGSR_TOK_NAMED_H

#include "tok/tok.h"

enum { NAMED_MAX = 256 };

/* Zero-initialised is empty; owns its strings. */
struct named {
    struct tok_named *v;
    size_t n;
};
void named_release(struct named *list);

/* The text of that name becomes s[0..n), from the file `where`.  ERR_FILE if there are
 * more than NAMED_MAX, ERR_NOMEM. */
int named_set(struct named *list, const char *name, const char *s, size_t n,
              const char *where, struct err *e) MUST_CHECK;

/* NULL if there is none. */
const struct tok_named *named_find(const struct named *list, const char *name);

#endif
