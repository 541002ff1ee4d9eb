/*
 * Byte-pair merges: a word, byte by byte or character by character, joined pair by pair in
 * the order of the ranks.
 */
#ifndef CAGSR_TOK_BPE_H
#define CAGSR_TOK_BPE_H

#include "base/err.h"
#include "tok/vocab.h"

#include <stddef.h>
#include <stdint.h>

struct bpe_merge {
    int32_t left, right; /* tokens that are joined */
    int32_t id;          /* what they become */
    uint32_t rank;       /* lower is earlier */
};

struct bpe_symbol {
    int32_t id; /* < 0: joined into the one before, or a byte without a token */
    uint32_t n; /* bytes */
    uint32_t prev, next; /* neighbours, BPE_NONE at the ends */
};

struct bpe_pair {
    uint32_t rank, at; /* at: the left symbol */
    int32_t left, right;
};

/* Zero-initialised is empty. */
struct bpe {
    struct bpe_merge *merge; /* (merges), pairs as they came */
    size_t merges;
    uint32_t *slot; /* (slots) open addressing by (left, right): 1 + the merge, or 0 */
    size_t slots;
    int32_t newest;       /* what the merge makes that was added last */
    int32_t byte_id[256]; /* the token of each byte; -1: none, the byte is dropped as
                             by the tokenizers library */
    const struct vocab *vocab; /* not NULL: words go by characters, which are tokens of
                                  this one below vocab_size; byte_id is the fallback */
    int32_t vocab_size, unk;   /* unk: of other characters; -1: they are dropped */
    int byte_fallback, fuse_unk;
    struct bpe_symbol *symbol; /* scratch of the longest word so far */
    struct bpe_pair *heap;
    size_t room; /* bytes of a word that the scratch holds */
};
void bpe_release(struct bpe *b);

/* Makes room for `merges` merges.  ERR_NOMEM. */
int bpe_init(struct bpe *b, size_t merges, struct err *e) MUST_CHECK;

/* left right -> id at this rank; a pair given again takes the later rank.  At most as
 * many as bpe_init was told. */
void bpe_add(struct bpe *b, int32_t left, int32_t right, int32_t id, uint32_t rank);

/* The merge of a pair, or NULL. */
const struct bpe_merge *bpe_find(const struct bpe *b, int32_t left, int32_t right);

/* All merges by rank, b->merges of them, malloc'd; NULL: no memory. */
struct bpe_merge *bpe_by_rank(const struct bpe *b);

/* Tokens of word[0..n), n > 0: ids into id[] and the bytes each covers into len[], with
 * room for n each.  Returns their number, or ERR_NOMEM. */
int64_t bpe_encode(struct bpe *b, const unsigned char *word, size_t n, int32_t *id,
                   uint32_t *len, struct err *e) MUST_CHECK;

#endif
