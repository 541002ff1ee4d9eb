/*
 * WordPiece: from left to right the longest token that fits; tokens inside a word are
 * written with a prefix ("##").  A word that does not come out is the unknown token, and
 * so is one of too many characters.
 */
#ifndef CAGSR_TOK_WORDPIECE_H
#define CAGSR_TOK_WORDPIECE_H

#include "base/err.h"
#include "tok/trie.h"
#include "tok/vocab.h"

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct wordpiece {
    struct trie trie;
    int64_t inside; /* the node behind the prefix; -1: no token inside words */
    int32_t unk;
    size_t longest; /* characters of a word */
};
void wordpiece_release(struct wordpiece *w);

/* ERR_NOMEM. */
int wordpiece_build(struct wordpiece *w, const struct vocab *v, const char *prefix,
                    int32_t unk, size_t longest, struct err *e) MUST_CHECK;

/* Tokens of word[0..n), n > 0: ids into id[] and the bytes each covers into len[], with
 * room for n each.  Returns their number; cannot fail. */
size_t wordpiece_encode(const struct wordpiece *w, const char *word, size_t n,
                        int32_t *id, uint32_t *len);

#endif
