/*
 * Unigram: of all ways to cut a word into pieces, the one whose scores (log-probabilities)
 * add up to most; Viterbi over a trie of the pieces, linear in the word's length.
 * A character that no piece begins with stands for the unknown piece, 10 below the lowest
 * score; neighbours of that kind are one token, or one token per byte with byte fallback.
 */
#ifndef CAGSR_TOK_UNIGRAM_H
#define CAGSR_TOK_UNIGRAM_H

#include "base/err.h"
#include "tok/trie.h"
#include "tok/vocab.h"

#include <stddef.h>
#include <stdint.h>

/* Longer pieces are refused: encoding costs up to this much per byte of text. */
enum { UNIGRAM_MAX_PIECE = 1024 };

struct unigram_best; /* the best way to a place */

/* Zero-initialised is empty. */
struct unigram {
    struct trie trie;
    double *score; /* (size) by id */
    size_t size;
    double lowest;  /* score of a piece */
    double unknown; /* of an unknown character */
    int32_t unk;    /* -1: none */
    int bytes;      /* byte fallback */
    int32_t byte_id[256];
    struct unigram_best *best; /* scratch */
    size_t room;
};
void unigram_release(struct unigram *u);

/* Piece `id` has this score; NaN is refused.  ERR_FILE, ERR_NOMEM. */
int unigram_score(struct unigram *u, size_t id, double score, const char *where,
                  struct err *e) MUST_CHECK;

/* Token `id` is no piece: no text becomes it.  Its score does not count.  ERR_NOMEM. */
int unigram_leave_out(struct unigram *u, size_t id, const char *where,
                      struct err *e) MUST_CHECK;

/* 1 if that was said of id < u->size. */
int unigram_is_out(const struct unigram *u, size_t id);

/* All scores are there: builds the trie over the vocabulary's first u->size tokens.
 * ERR_FILE, ERR_NOMEM. */
int unigram_build(struct unigram *u, const struct vocab *v, const char *where,
                  struct err *e) MUST_CHECK;

/* Tokens of word[0..n), n > 0, valid UTF-8: ids into id[] and the bytes each covers into
 * len[], with room for n each.  Returns their number; ERR_RECORD where a character is
 * unknown and there is no unknown token; ERR_NOMEM. */
int64_t unigram_encode(struct unigram *u, const char *word, size_t n, int32_t *id,
                       uint32_t *len, struct err *e) MUST_CHECK;

#endif
