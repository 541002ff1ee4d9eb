/*
 * A trie over bytes, to find every string of a set that begins a text.
 *
 * Nodes stand in breadth-first order, the children of a node side by side and sorted, so
 * a node is 12 bytes and building takes one sort.
 */
#ifndef CAGSR_TOK_TRIE_H
#define CAGSR_TOK_TRIE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct trie_key {
    const char *s;
    uint32_t n; /* bytes */
    int32_t id; /* >= 0 */
};

struct trie_node {
    uint32_t child;    /* the first one */
    uint16_t children; /* how many */
    unsigned char byte;
    int32_t id; /* of the string that ends here; -1: none does */
};

/* Zero-initialised is empty.  Node 0 is the root, and no node's child. */
struct trie {
    struct trie_node *node;
    size_t n;
    uint32_t first[256]; /* the root's children by byte; 0: none */
};
void trie_release(struct trie *t);

/* Builds it from n keys, which are sorted on the way; of equal strings the highest id
 * stays.  ERR_NOMEM. */
int trie_build(struct trie *t, struct trie_key *key, size_t n,
               struct err *e) MUST_CHECK;

/* The child of a node by byte; 0: there is none. */
uint32_t trie_step(const struct trie *t, uint32_t node, unsigned char byte);

/* The node that s[0..n) leads to from `node`; 0: none (or n is 0 at the root). */
uint32_t trie_walk(const struct trie *t, uint32_t node, const char *s, size_t n);

#endif
