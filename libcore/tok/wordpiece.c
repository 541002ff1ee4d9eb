#include "tok/wordpiece.h"

#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

void wordpiece_release(struct wordpiece *w)
{
    trie_release(&w->trie);
    *w = (struct wordpiece){0};
}

int wordpiece_build(struct wordpiece *w, const struct vocab *v, const char *prefix,
                    int32_t unk, size_t longest, struct err *e)
{
    struct trie_key *key = malloc((v->size + 1) * sizeof *key);
    size_t n = 0;

    if (!key)
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens", v->size);
    for (size_t id = 0; id < v->size; id++) {
        size_t len;
        const char *text = vocab_text(v, (int32_t)id, &len);

        if (len > 0)
            key[n++] = (struct trie_key){text, (uint32_t)len, (int32_t)id};
    }
    const int rc = trie_build(&w->trie, key, n, e);

    free(key);
    const uint32_t node = trie_walk(&w->trie, 0, prefix, strlen(prefix));
    w->inside = node || !*prefix ? (int64_t)node : -1;
    w->unk = unk;
    w->longest = longest;
    return rc;
}

/* The longest token that begins word[0..n), from `node` on: its id with *len; -1. */
static int32_t longest(const struct wordpiece *w, uint32_t node, const char *word,
                       size_t n, size_t *len)
{
    int32_t id = -1;

    for (size_t i = 0; i < n; i++) {
        if (!(node = trie_step(&w->trie, node, (unsigned char)word[i])))
            break;
        if (w->trie.node[node].id >= 0) {
            id = w->trie.node[node].id;
            *len = i + 1;
        }
    }
    return id;
}

static int too_long(const struct wordpiece *w, const char *word, size_t n)
{
    size_t chars = 0;

    if (n <= w->longest)
        return 0;
    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)word[i] & 0xc0) != 0x80;
    return chars > w->longest;
}

size_t wordpiece_encode(const struct wordpiece *w, const char *word, size_t n,
                        int32_t *id, uint32_t *len)
{
    size_t k = 0, at = 0, got = 0;
    const int fits = !too_long(w, word, n);

    for (; at < n && fits; at += got, k++) {
        if (at > 0 && w->inside < 0)
            break;
        id[k] = longest(w, at > 0 ? (uint32_t)w->inside : 0, word + at, n - at, &got);
        len[k] = (uint32_t)got;
        if (id[k] < 0)
            break;
    }
    if (at == n)
        return k;
    id[0] = w->unk;
    len[0] = (uint32_t)n;
    return 1;
}
