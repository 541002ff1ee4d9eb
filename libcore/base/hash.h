/*
 * XXH3-64 (xxHash): checksums of streams, hashes of models, keys of random numbers.
 * Not cryptographic.  As text a hash is 16 lower-case hexadecimal digits.
 */
#ifndef CAGSR_BASE_HASH_H
#define CAGSR_BASE_HASH_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { HASH_HEX = 17 }; /* 16 digits and the NUL */

/* XXH3-64 of n bytes, seed 0. */
uint64_t hash64(const void *data, size_t n);

/* Its 16 digits and a NUL. */
void hash_hex(char out[HASH_HEX], uint64_t h);

/* Reads 1 to 16 hexadecimal digits, the whole string; 0, or -1 for anything else. */
int hash_parse(uint64_t *out, const char *hex);

/* A running hash: equal to hash64 of the concatenated pieces. */
struct hasher;
struct hasher *hasher_new(void); /* NULL: no memory */
void hasher_reset(struct hasher *h);
void hasher_add(struct hasher *h, const void *data, size_t n);
uint64_t hasher_value(const struct hasher *h);
void hasher_free(struct hasher *h); /* NULL is fine */

#endif
