#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The library's loops for this processor, where it was built with them: a plain one is the
 * architecture's oldest. */
#if defined(__x86_64__) && defined(__ELF__)
XXH_errorcode XXH3_64bits_update_dispatch(XXH3_state_t *state, const void *data,
                                          size_t n) __attribute__((weak));
#define BEST_UPDATE XXH3_64bits_update_dispatch
#else
#define BEST_UPDATE NULL
#endif

struct hasher {
    XXH3_state_t *state;
};

uint64_t hash64(const void *data, size_t n)
{
    return XXH3_64bits(n ? data : "", n);
}

void hash_hex(char out[HASH_HEX], uint64_t h)
{
    snprintf(out, HASH_HEX, "%016llx", (unsigned long long)h);
}

int hash_parse(uint64_t *out, const char *hex)
{
    uint64_t h = 0;
    const size_t n = strlen(hex);

    if (n == 0 || n > 16 || strspn(hex, "0123456789abcdefABCDEF") != n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char c = hex[i];

        h = h << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    *out = h;
    return 0;
}

struct hasher *hasher_new(void)
{
    struct hasher *h = malloc(sizeof *h);

    if (!h)
        return NULL;
    h->state = XXH3_createState();
    if (!h->state) {
        free(h);
        return NULL;
    }
    hasher_reset(h);
    return h;
}

void hasher_reset(struct hasher *h)
{
    XXH3_64bits_reset(h->state);
}

void hasher_add(struct hasher *h, const void *data, size_t n)
{
    XXH_errorcode (*const best)(XXH3_state_t *, const void *, size_t) = BEST_UPDATE;

    if (n)
        (best ? best : XXH3_64bits_update)(h->state, data, n);
}

uint64_t hasher_value(const struct hasher *h)
{
    return XXH3_64bits_digest(h->state);
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    XXH3_freeState(h->state);
    free(h);
}
