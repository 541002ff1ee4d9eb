/*
 * SentencePiece's compiled normaliser: rules "these bytes become those", as a file holds
 * them.  Little-endian:
 *   u32 bytes of the trie | the trie: a Darts double array, u32 units | the replacements,
 *   UTF-8, each ended by a NUL; the trie's values are offsets into them.
 * Every index is checked against its array when it is used, so a hostile trie finds wrong
 * rules, or none.
 */
#ifndef CAGSR_TOK_CHARSMAP_H
#define CAGSR_TOK_CHARSMAP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct charsmap;

/* Takes a copy of data[0..n).  ERR_FILE if it is none.  The caller owns *out. */
int charsmap_new(struct charsmap **out, const void *data, size_t n, const char *where,
                 struct err *e) MUST_CHECK;
void charsmap_free(struct charsmap *m); /* NULL is fine */

/* The file's bytes, as they were given; they live as long as m. */
const char *charsmap_bytes(const struct charsmap *m, size_t *n);

/* What the shortest rule that begins s[0..n) makes of it: valid UTF-8 that lives as long
 * as m, *len bytes; NULL if there is no rule. */
const char *charsmap_find(const struct charsmap *m, const char *s, size_t n,
                          size_t *len);

#endif
