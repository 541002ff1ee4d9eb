#include "tok/vocab.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

void vocab_release(struct vocab *v)
{
    free(v->pool);
    free(v->span);
    free(v->slot);
    *v = (struct vocab){0};
}

const char *vocab_text(const struct vocab *v, int32_t id, size_t *n)
{
    *n = 0;
    if (id < 0 || (size_t)id >= v->size || !v->span[id].used)
        return NULL;
    *n = v->span[id].n;
    return v->pool + v->span[id].at;
}

/* The slot that holds text, or the free one where it belongs. */
static size_t slot_of(const struct vocab *v, const char *text, size_t n)
{
    size_t i = hash64(text, n) & (v->slots - 1);

    for (; v->slot[i] >= 0; i = (i + 1) & (v->slots - 1)) {
        const struct vocab_span *s = &v->span[v->slot[i]];

        if (s->n == n && memcmp(v->pool + s->at, text, n) == 0)
            break;
    }
    return i;
}

int32_t vocab_find(const struct vocab *v, const char *text, size_t n)
{
    return v->slots ? v->slot[slot_of(v, text, n)] : -1;
}

/* Doubles the table when it is half full. */
static int grow_slots(struct vocab *v)
{
    if (2 * (v->count + 1) <= v->slots)
        return 1;
    const size_t slots = v->slots ? 2 * v->slots : 1024;
    int32_t *old = v->slot, *slot = malloc(slots * sizeof *slot);
    const size_t nold = v->slots;

    if (!slot)
        return 0;
    memset(slot, 0xff, slots * sizeof *slot);
    v->slot = slot;
    v->slots = slots;
    for (size_t i = 0; i < nold; i++) {
        if (old[i] < 0)
            continue;
        const struct vocab_span *s = &v->span[old[i]];
        slot[slot_of(v, v->pool + s->at, s->n)] = old[i];
    }
    free(old);
    return 1;
}

static int grow_spans(struct vocab *v, size_t id)
{
    if (id >= v->span_cap) {
        size_t cap = v->span_cap ? v->span_cap : 1024;

        while (cap <= id)
            cap *= 2;
        struct vocab_span *span = realloc(v->span, cap * sizeof *span);
        if (!span)
            return 0;
        memset(span + v->span_cap, 0, (cap - v->span_cap) * sizeof *span);
        v->span = span;
        v->span_cap = cap;
    }
    if (id >= v->size)
        v->size = id + 1;
    return 1;
}

static int grow_pool(struct vocab *v, size_t n)
{
    if (v->pool_cap - v->pool_n >= n)
        return 1;
    size_t cap = v->pool_cap ? v->pool_cap : 8192;

    while (cap - v->pool_n < n)
        cap *= 2;
    char *pool = realloc(v->pool, cap);
    if (!pool)
        return 0;
    v->pool = pool;
    v->pool_cap = cap;
    return 1;
}

int vocab_add(struct vocab *v, size_t id, const char *text, size_t n, const char *where,
              struct err *e)
{
    if (id > VOCAB_MAX_ID)
        return err_set(e, ERR_FILE, "%s: token id %zu, at most %d is read", where, id,
                       VOCAB_MAX_ID);
    if (n > VOCAB_MAX_TEXT)
        return err_set(e, ERR_FILE, "%s: token %zu has %zu bytes, at most %d are read",
                       where, id, n, VOCAB_MAX_TEXT);
    if (id < v->size && v->span[id].used) {
        const struct vocab_span *s = &v->span[id];

        if (s->n == n && memcmp(v->pool + s->at, text, n) == 0)
            return 0;
        return err_set(e, ERR_FILE, "%s: token id %zu is both '%.*s' and '%.*s'", where,
                       id, (int)(s->n < 60 ? s->n : 60), v->pool + s->at,
                       (int)(n < 60 ? n : 60), text);
    }
    if (!grow_spans(v, id) || !grow_pool(v, n + 1) || !grow_slots(v))
        return err_set(e, ERR_NOMEM, "%s: no memory for the vocabulary", where);
    memcpy(v->pool + v->pool_n, text, n);
    v->pool[v->pool_n + n] = '\0';
    v->span[id] = (struct vocab_span){.at = v->pool_n, .n = (uint32_t)n, .used = 1};
    v->pool_n += n + 1;

    const size_t i = slot_of(v, text, n);
    if (v->slot[i] < 0) {
        v->slot[i] = (int32_t)id;
        v->count++;
    }
    return 0;
}
