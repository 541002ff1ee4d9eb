#include "tok/trie.h"

#include <stdlib.h>
#include <string.h>

void trie_release(struct trie *t)
{
    free(t->node);
    *t = (struct trie){0};
}

static int in_order(const void *a, const void *b)
{
    const struct trie_key *x = a, *y = b;
    const int by_text = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);

    if (by_text != 0)
        return by_text;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* A node that waits for its children: the keys [lo, hi) begin with its depth bytes. */
struct span {
    uint32_t lo, hi, depth;
};

/* Nodes that the sorted keys need: one for each byte that the key before does not have. */
static size_t count_nodes(const struct trie_key *key, size_t n)
{
    size_t nodes = 1;

    for (size_t i = 0; i < n; i++) {
        uint32_t k = 0;

        while (i > 0 && k < key[i].n && k < key[i - 1].n &&
               key[i].s[k] == key[i - 1].s[k])
            k++;
        nodes += key[i].n - k;
    }
    return nodes;
}

/* Makes the children of one node; the keys that end in it come first. */
static void grow(struct trie *t, struct span *span, const struct trie_key *key,
                 size_t node)
{
    const struct span s = span[node];
    struct trie_node *p = &t->node[node];
    uint32_t i = s.lo;

    p->id = -1;
    for (; i < s.hi && key[i].n == s.depth; i++)
        p->id = key[i].id;
    p->child = (uint32_t)t->n;
    for (uint32_t j; i < s.hi; i = j) {
        const char byte = key[i].s[s.depth];

        for (j = i + 1; j < s.hi && key[j].s[s.depth] == byte;)
            j++;
        t->node[t->n].byte = (unsigned char)byte;
        span[t->n++] = (struct span){i, j, s.depth + 1};
        p->children++;
    }
}

int trie_build(struct trie *t, struct trie_key *key, size_t n, struct err *e)
{
    if (n > 0)
        qsort(key, n, sizeof *key, in_order);
    const size_t nodes = count_nodes(key, n);
    struct span *span = malloc(nodes * sizeof *span);

    trie_release(t);
    t->node = calloc(nodes, sizeof *t->node);
    if (!span || !t->node || nodes > UINT32_MAX) {
        free(span);
        return err_set(e, ERR_NOMEM, "no memory for %zu tokens", n);
    }
    span[0] = (struct span){0, (uint32_t)n, 0};
    t->n = 1;
    for (size_t i = 0; i < t->n; i++)
        grow(t, span, key, i);
    for (uint32_t i = 0; i < t->node[0].children; i++)
        t->first[t->node[t->node[0].child + i].byte] = t->node[0].child + i;
    free(span);
    return 0;
}

uint32_t trie_step(const struct trie *t, uint32_t node, unsigned char byte)
{
    if (node == 0)
        return t->first[byte];
    uint32_t lo = t->node[node].child, hi = lo + t->node[node].children;

    while (hi - lo > 8) {
        const uint32_t mid = lo + (hi - lo) / 2;

        if (t->node[mid].byte <= byte)
            lo = mid;
        else
            hi = mid;
    }
    for (; lo < hi; lo++)
        if (t->node[lo].byte == byte)
            return lo;
    return 0;
}

uint32_t trie_walk(const struct trie *t, uint32_t node, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(node = trie_step(t, node, (unsigned char)s[i])))
            return 0;
    return node;
}
