/*
 * Strings with numbers: each distinct string gets the next index, from 0.
 */
#ifndef CAGSR_REWARD_STRTAB_H
#define CAGSR_REWARD_STRTAB_H

#include "base/err.h"

#include <stddef.h>

struct strtab_entry {
    size_t at, n; /* place and length in the pool */
};

/* Zeroed is empty. */
struct strtab {
    struct strtab_entry *entry;
    size_t n, cap;
    /* private */
    char *pool;
    size_t pool_n, pool_cap;
    size_t *slot; /* 1 + index; open addressing */
    size_t slots;
};

/* Index of s (n bytes), added if it is new; negative: ERR_NOMEM. */
long strtab_add(struct strtab *t, const char *s, size_t n, struct err *e) MUST_CHECK;

/* Its index, or SIZE_MAX. */
size_t strtab_find(const struct strtab *t, const char *s, size_t n);

/* The string with a NUL behind it, borrowed until the next addition. */
const char *strtab_text(const struct strtab *t, size_t i);

void strtab_clear(struct strtab *t); /* keeps the memory */
void strtab_release(struct strtab *t);

#endif
