/*
 * Words that were encoded before, and their tokens.  A table without chains: a word takes
 * the place of the one that was there.
 */
#ifndef CAGSR_TOK_CACHE_H
#define CAGSR_TOK_CACHE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct cached_word;

/* Zero-initialised remembers nothing, and finds nothing. */
struct cache {
    struct cached_word *word; /* by hash */
};
void cache_release(struct cache *c);
int cache_init(struct cache *c, struct err *e) MUST_CHECK; /* ERR_NOMEM */

/* The tokens of word[0..n) and the bytes each covers, with room for n each: their number;
 * -1 if the word is not known. */
int64_t cache_get(const struct cache *c, const char *word, size_t n, int32_t *id,
                  uint32_t *len);

/* Remembers a word (longer ones are not worth it). */
void cache_put(struct cache *c, const char *word, size_t n, const int32_t *id,
               const uint32_t *len, size_t tokens);

#endif
