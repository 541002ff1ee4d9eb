/*
 * Strings with ids, found both ways: an array of spans by id, a hash table by text.
 */
#ifndef CAGSR_TOK_VOCAB_H
#define CAGSR_TOK_VOCAB_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* No file needs more; what claims more is refused before memory is taken. */
enum { VOCAB_MAX_ID = (1 << 22) - 1, VOCAB_MAX_TEXT = 1 << 16 };

/* A text's id, or -1, and its hash: most others are told from it without a look at them. */
struct vocab_slot {
    int32_t id;
    uint32_t hash;
};

struct vocab_span {
    size_t at;  /* in the pool */
    uint32_t n; /* bytes */
    uint32_t used;
};

/* Zero-initialised is empty. */
struct vocab {
    char *pool;
    size_t pool_n, pool_cap;
    struct vocab_span *span; /* (size) by id; used == 0: a hole */
    size_t size, span_cap;
    struct vocab_slot *slot; /* (slots) open addressing */
    size_t slots, count;     /* slots: a power of 2; count: of those that are taken */
    int twins;               /* a text has more than one id */
};
void vocab_release(struct vocab *v);

/* Takes memory for n texts at once.  Without it, or where there is no memory, tables grow as
 * texts come. */
void vocab_reserve(struct vocab *v, size_t n);

/* Gives text[0..n) the id.  `where` names the file in errors.  ERR_FILE if the id is out
 * of range or has another text already; a text that is there under another id stays
 * found under the first one.  ERR_NOMEM. */
int vocab_add(struct vocab *v, size_t id, const char *text, size_t n, const char *where,
              struct err *e) MUST_CHECK;

/* The same for a vocabulary whose texts are never looked for: vocab_find does not find it. */
int vocab_add_text(struct vocab *v, size_t id, const char *text, size_t n,
                   const char *where, struct err *e) MUST_CHECK;

/* The id of text[0..n), or -1. */
int32_t vocab_find(const struct vocab *v, const char *text, size_t n);

/* The same, faster if it is `likely` (any number). */
int32_t vocab_find_near(const struct vocab *v, const char *text, size_t n,
                        int32_t likely);

/* The text of an id, NULL with *n = 0 for a hole or an id out of range; borrowed until
 * the next vocab_add. */
const char *vocab_text(const struct vocab *v, int32_t id, size_t *n);

#endif
