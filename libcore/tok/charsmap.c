#include "tok/charsmap.h"

#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

struct charsmap {
    char *data;
    size_t units;         /* of the trie, which is data + 4 */
    const char *replaced; /* the replacements */
    size_t n;
};

static uint32_t get_u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

int charsmap_new(struct charsmap **out, const void *data, size_t n, const char *where,
                 struct err *e)
{
    const size_t trie = n >= 4 ? get_u32(data) : 0;
    struct charsmap *m;

    *out = NULL;
    if (n < 4 || trie % 4 || trie > n - 4)
        return err_set(e, ERR_FILE,
                       "%s: precompiled charsmap: a trie of %zu bytes in %zu", where,
                       trie, n);
    if (utf8_valid((const char *)data + 4 + trie, n - 4 - trie) != n - 4 - trie)
        return err_set(e, ERR_FILE,
                       "%s: precompiled charsmap: its replacements are not UTF-8",
                       where);
    m = calloc(1, sizeof *m);
    if (m)
        m->data = malloc(n);
    if (!m || !m->data) {
        free(m);
        return err_set(e, ERR_NOMEM, "%s: no memory for the charsmap", where);
    }
    memcpy(m->data, data, n);
    m->units = trie / 4;
    m->replaced = m->data + 4 + trie;
    m->n = n - 4 - trie;
    *out = m;
    return 0;
}

void charsmap_free(struct charsmap *m)
{
    if (!m)
        return;
    free(m->data);
    free(m);
}

const char *charsmap_bytes(const struct charsmap *m, size_t *n)
{
    *n = 4 + 4 * m->units + m->n;
    return m->data;
}

/* Unit `at` of the trie; 0, which no label fits, outside of it. */
static uint32_t unit(const struct charsmap *m, size_t at)
{
    return at < m->units ? get_u32(m->data + 4 + 4 * at) : 0;
}

/* Darts: bits 10.. are the offset to the children, shifted by 8 more if bit 9 is set; bit
 * 8: a value hangs below; a unit's label is its low byte with the sign bit clear. */
static size_t child(uint32_t u)
{
    return (size_t)(u >> 10) << ((u & 1u << 9) >> 6);
}

static const char *replacement(const struct charsmap *m, uint32_t value, size_t *len)
{
    const size_t at = value & INT32_MAX;

    if (at >= m->n || ((unsigned char)m->replaced[at] & 0xc0) == 0x80)
        return NULL;
    *len = strnlen(m->replaced + at, m->n - at);
    return m->replaced + at;
}

const char *charsmap_find(const struct charsmap *m, const char *s, size_t n,
                          size_t *len)
{
    size_t node = child(unit(m, 0));

    for (size_t i = 0; i < n && s[i]; i++) {
        const unsigned char c = (unsigned char)s[i];

        node ^= c;
        const uint32_t u = unit(m, node);
        if ((u & (1u << 31 | 0xff)) != c)
            return NULL;
        node ^= child(u);
        if (u >> 8 & 1)
            return replacement(m, unit(m, node), len);
    }
    return NULL;
}
