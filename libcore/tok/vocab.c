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

static int is_text(const struct vocab *v, int32_t id, const char *text, size_t n)
{
    const struct vocab_span *s = &v->span[id];

    return s->n == n && memcmp(v->pool + s->at, text, n) == 0;
}

static uint32_t hash_of(const char *text, size_t n)
{
    return (uint32_t)hash64(text, n);
}

/* The slot that holds text, or the free one where it belongs. */
static struct vocab_slot *slot_of(const struct vocab *v, uint32_t hash,
                                  const char *text, size_t n)
{
    size_t i = hash & (v->slots - 1);

    while (v->slot[i].id >= 0 &&
           (v->slot[i].hash != hash || !is_text(v, v->slot[i].id, text, n)))
        i = (i + 1) & (v->slots - 1);
    return &v->slot[i];
}

int32_t vocab_find(const struct vocab *v, const char *text, size_t n)
{
    return v->slots ? slot_of(v, hash_of(text, n), text, n)->id : -1;
}

int32_t vocab_find_near(const struct vocab *v, const char *text, size_t n,
                        int32_t likely)
{
    if (v->slots && !v->twins && likely >= 0 && (size_t)likely < v->size &&
        v->span[likely].used && is_text(v, likely, text, n))
        return likely;
    return vocab_find(v, text, n);
}

/* A table of that many slots.  All its texts differ, so none needs to be looked at. */
static int resize_slots(struct vocab *v, size_t slots)
{
    struct vocab_slot *slot = malloc(slots * sizeof *slot);

    if (!slot)
        return 0;
    memset(slot, 0xff, slots * sizeof *slot);
    for (size_t k = 0; k < v->slots; k++) {
        size_t i = v->slot[k].hash & (slots - 1);

        if (v->slot[k].id < 0)
            continue;
        while (slot[i].id >= 0)
            i = (i + 1) & (slots - 1);
        slot[i] = v->slot[k];
    }
    free(v->slot);
    v->slot = slot;
    v->slots = slots;
    return 1;
}

/* Doubles the table when it is half full. */
static int grow_slots(struct vocab *v)
{
    if (2 * (v->count + 1) <= v->slots)
        return 1;
    return resize_slots(v, v->slots ? 2 * v->slots : 1024);
}

static int resize_spans(struct vocab *v, size_t cap)
{
    struct vocab_span *span = realloc(v->span, cap * sizeof *span);

    if (!span)
        return 0;
    memset(span + v->span_cap, 0, (cap - v->span_cap) * sizeof *span);
    v->span = span;
    v->span_cap = cap;
    return 1;
}

static int grow_spans(struct vocab *v, size_t id)
{
    size_t cap = v->span_cap ? v->span_cap : 1024;

    while (cap <= id)
        cap *= 2;
    if (cap > v->span_cap && !resize_spans(v, cap))
        return 0;
    if (id >= v->size)
        v->size = id + 1;
    return 1;
}

void vocab_reserve(struct vocab *v, size_t n)
{
    size_t slots = 1024;

    n = n <= VOCAB_MAX_ID ? n + 1 : VOCAB_MAX_ID + 1;
    while (slots < 2 * n)
        slots *= 2;
    if (slots > v->slots)
        (void)resize_slots(v, slots);
    if (n > v->span_cap)
        (void)resize_spans(v, n);
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

int vocab_add_text(struct vocab *v, size_t id, const char *text, size_t n,
                   const char *where, struct err *e)
{
    if (id > VOCAB_MAX_ID)
        return err_set(e, ERR_FILE, "%s: token id %zu, at most %d is read", where, id,
                       VOCAB_MAX_ID);
    if (n > VOCAB_MAX_TEXT)
        return err_set(e, ERR_FILE, "%s: token %zu has %zu bytes, at most %d are read",
                       where, id, n, VOCAB_MAX_TEXT);
    if (id < v->size && v->span[id].used) {
        const struct vocab_span *s = &v->span[id];

        if (is_text(v, (int32_t)id, text, n))
            return 0;
        return err_set(e, ERR_FILE, "%s: token id %zu is both '%.*s' and '%.*s'", where,
                       id, (int)(s->n < 60 ? s->n : 60), v->pool + s->at,
                       (int)(n < 60 ? n : 60), text);
    }
    if (!grow_spans(v, id) || !grow_pool(v, n + 1))
        return err_set(e, ERR_NOMEM, "%s: no memory for the vocabulary", where);
    memcpy(v->pool + v->pool_n, text, n);
    v->pool[v->pool_n + n] = '\0';
    v->span[id] = (struct vocab_span){.at = v->pool_n, .n = (uint32_t)n, .used = 1};
    v->pool_n += n + 1;
    return 0;
}

int vocab_add(struct vocab *v, size_t id, const char *text, size_t n, const char *where,
              struct err *e)
{
    const size_t before = v->pool_n;
    const int rc = vocab_add_text(v, id, text, n, where, e);

    if (rc < 0 || v->pool_n == before)
        return rc; /* it was there already */
    if (!grow_slots(v))
        return err_set(e, ERR_NOMEM, "%s: no memory for the vocabulary", where);
    const uint32_t hash = hash_of(text, n);
    struct vocab_slot *slot = slot_of(v, hash, text, n);

    if (slot->id >= 0) {
        v->twins = 1;
    } else {
        *slot = (struct vocab_slot){.id = (int32_t)id, .hash = hash};
        v->count++;
    }
    return 0;
}
