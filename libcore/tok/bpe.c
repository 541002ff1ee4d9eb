/*
 * A word is a doubly linked list of symbols, at first one per byte or
 * character.  A heap holds the
 * pairs that can be joined, lowest rank first, leftmost first among equals.  Joining
 * makes its right symbol empty and may push two new pairs; a pair popped whose symbols
 * have changed since is stale and dropped.  So a word of n bytes costs O(n log n), be it
 * a megabyte of one letter.
 */
#include "tok/bpe.h"

#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

#define BPE_NONE UINT32_MAX

void bpe_release(struct bpe *b)
{
    free(b->merge);
    free(b->slot);
    free(b->symbol);
    free(b->heap);
    *b = (struct bpe){0};
}

int bpe_init(struct bpe *b, size_t merges, struct err *e)
{
    size_t slots = 16;

    while (slots < 2 * merges)
        slots *= 2;
    *b = (struct bpe){.slots = slots};
    memset(b->byte_id, 0xff, sizeof b->byte_id);
    b->merge = malloc((merges + 1) * sizeof *b->merge);
    b->slot = calloc(slots, sizeof *b->slot);
    return b->merge && b->slot
               ? 0
               : err_set(e, ERR_NOMEM, "no memory for %zu merges", merges);
}

/* A 64-bit mix (the finaliser of splitmix64): pairs of small numbers spread well. */
static uint64_t mix(int32_t left, int32_t right)
{
    uint64_t x = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The slot of a pair, or the free one where it belongs. */
static uint32_t *slot_of(const struct bpe *b, int32_t left, int32_t right)
{
    size_t i = mix(left, right) & (b->slots - 1);

    for (; b->slot[i]; i = (i + 1) & (b->slots - 1)) {
        const struct bpe_merge *m = &b->merge[b->slot[i] - 1];

        if (m->left == left && m->right == right)
            break;
    }
    return &b->slot[i];
}

void bpe_add(struct bpe *b, int32_t left, int32_t right, int32_t id, uint32_t rank)
{
    uint32_t *slot = slot_of(b, left, right);

    if (!*slot)
        *slot = (uint32_t)++b->merges;
    b->merge[*slot - 1] =
        (struct bpe_merge){.left = left, .right = right, .id = id, .rank = rank};
    b->newest = id;
}

const struct bpe_merge *bpe_find(const struct bpe *b, int32_t left, int32_t right)
{
    const uint32_t *slot = slot_of(b, left, right);

    return *slot ? &b->merge[*slot - 1] : NULL;
}

static int by_rank(const void *a, const void *b)
{
    const struct bpe_merge *x = a, *y = b;

    return (x->rank > y->rank) - (x->rank < y->rank);
}

struct bpe_merge *bpe_by_rank(const struct bpe *b)
{
    struct bpe_merge *m = malloc((b->merges + 1) * sizeof *m);

    if (!m || b->merges == 0)
        return m;
    memcpy(m, b->merge, b->merges * sizeof *m);
    qsort(m, b->merges, sizeof *m, by_rank);
    return m;
}

/* ---- the heap -------------------------------------------------------------------------*/

static int before(const struct bpe_pair *x, const struct bpe_pair *y)
{
    return x->rank != y->rank ? x->rank < y->rank : x->at < y->at;
}

static void heap_push(struct bpe_pair *h, size_t *n, struct bpe_pair p)
{
    size_t i = (*n)++;

    for (; i > 0 && before(&p, &h[(i - 1) / 2]); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = p;
}

static struct bpe_pair heap_pop(struct bpe_pair *h, size_t *n)
{
    const struct bpe_pair top = h[0], last = h[--*n];
    size_t i = 0;

    for (size_t c; (c = 2 * i + 1) < *n; i = c) {
        if (c + 1 < *n && before(&h[c + 1], &h[c]))
            c++;
        if (!before(&h[c], &last))
            break;
        h[i] = h[c];
    }
    h[i] = last;
    return top;
}

/* ---- one word -------------------------------------------------------------------------*/

/* Each symbol is pushed as a left end at most once at the start and once per join on
 * either side of it: 3 n pairs are room enough. */
static int reserve(struct bpe *b, size_t n, struct err *e)
{
    if (n <= b->room)
        return 0;
    size_t room = b->room ? b->room : 256;

    while (room < n)
        room *= 2;
    free(b->symbol);
    free(b->heap);
    b->room = 0;
    b->symbol = malloc(room * sizeof *b->symbol);
    b->heap = malloc(3 * room * sizeof *b->heap);
    if (!b->symbol || !b->heap)
        return err_set(e, ERR_NOMEM, "no memory for a word of %zu bytes", n);
    b->room = room;
    return 0;
}

/* Symbols so far, and the bytes behind the last one that have no token: they are counted
 * to the symbol behind them, at the end of a word to none. */
struct spread {
    uint32_t k;
    size_t lost;
};

static void add_symbol(struct bpe *b, struct spread *s, int32_t id, size_t n)
{
    const uint32_t k = s->k++;

    b->symbol[k] = (struct bpe_symbol){
        .id = id, .n = (uint32_t)(n + s->lost), .prev = k - 1, .next = k + 1};
    s->lost = 0;
}

/* One symbol per byte. */
static void spread_bytes(struct bpe *b, struct spread *to, const unsigned char *word,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int32_t id = b->byte_id[word[i]];

        if (id < 0)
            to->lost++;
        else
            add_symbol(b, to, id, 1);
    }
}

/* The token of a character. */
static int32_t char_id(const struct bpe *b, const unsigned char *s, size_t len)
{
    const int32_t id = vocab_find(b->vocab, (const char *)s, len);

    return id < b->vocab_size ? id : -1;
}

/* All bytes of a character as symbols: 1, or 0 if one has no token. */
static int fall_back(struct bpe *b, struct spread *to, const unsigned char *s,
                     size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!b->byte_fallback || b->byte_id[s[i]] < 0)
            return 0;
    for (size_t i = 0; i < len; i++)
        add_symbol(b, to, b->byte_id[s[i]], 1);
    return 1;
}

/* One symbol per character; those that have no token are its bytes, or else unknown,
 * neighbours fused if b->fuse_unk.  As in the tokenizers library, unknown characters wait
 * while bytes go ahead. */
static void spread_chars(struct bpe *b, struct spread *to, const unsigned char *word,
                         size_t n)
{
    size_t unknown = 0; /* bytes that wait */

    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_length(word[i]);
        const int32_t id = char_id(b, word + i, len);

        if (id < 0 && fall_back(b, to, word + i, len))
            continue;
        if (id < 0 && b->unk < 0) {
            to->lost += len;
            continue;
        }
        if (unknown > 0 && (id >= 0 || !b->fuse_unk)) {
            add_symbol(b, to, b->unk, unknown);
            unknown = 0;
        }
        if (id >= 0)
            add_symbol(b, to, id, len);
        else
            unknown += len;
    }
    if (unknown > 0)
        add_symbol(b, to, b->unk, unknown);
}

/* Their number. */
static uint32_t spread(struct bpe *b, const unsigned char *word, size_t n)
{
    struct spread to = {0};

    if (b->vocab)
        spread_chars(b, &to, word, n);
    else
        spread_bytes(b, &to, word, n);
    if (to.k > 0)
        b->symbol[0].prev = b->symbol[to.k - 1].next = BPE_NONE;
    return to.k;
}

static void offer(const struct bpe *b, size_t *n, uint32_t at)
{
    const struct bpe_symbol *s = b->symbol;

    if (at == BPE_NONE || s[at].next == BPE_NONE)
        return;
    const int32_t left = s[at].id, right = s[s[at].next].id;
    const struct bpe_merge *m = bpe_find(b, left, right);

    if (m)
        heap_push(
            b->heap, n,
            (struct bpe_pair){.rank = m->rank, .at = at, .left = left, .right = right});
}

static void join(struct bpe *b, size_t *heap, const struct bpe_pair *p)
{
    struct bpe_symbol *s = b->symbol, *left = &s[p->at];

    if (left->id != p->left || left->next == BPE_NONE || s[left->next].id != p->right)
        return; /* stale */
    struct bpe_symbol *right = &s[left->next];

    left->id = bpe_find(b, p->left, p->right)->id;
    left->n += right->n;
    left->next = right->next;
    right->id = -1;
    if (left->next != BPE_NONE)
        s[left->next].prev = p->at;
    offer(b, heap, left->prev);
    offer(b, heap, p->at);
}

int64_t bpe_encode(struct bpe *b, const unsigned char *word, size_t n, int32_t *id,
                   uint32_t *len, struct err *e)
{
    size_t heap = 0;
    int64_t tokens = 0;
    int rc;

    if (n >= BPE_NONE / 4)
        return err_set(e, ERR_RECORD, "a word of %zu bytes without a break", n);
    if ((rc = reserve(b, n, e)) < 0)
        return rc;
    const uint32_t k = spread(b, word, n);

    for (uint32_t i = 0; i < k; i++)
        offer(b, &heap, i);
    while (heap > 0) {
        const struct bpe_pair p = heap_pop(b->heap, &heap);
        join(b, &heap, &p);
    }
    for (uint32_t i = 0; k > 0 && i != BPE_NONE; i = b->symbol[i].next) {
        id[tokens] = b->symbol[i].id;
        len[tokens++] = b->symbol[i].n;
    }
    return tokens;
}
