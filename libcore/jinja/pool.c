#include "jinja/pool.h"

#include <stdint.h>
#include <stdlib.h>

struct pool_chunk {
    struct pool_chunk *before;
    size_t at, size;
    _Alignas(16) char bytes[];
};

enum { PIECE = 16, CHUNK_MIN = 1 << 14, CHUNK_MAX = 1 << 20 };

static struct pool_chunk *chunk_new(struct pool *p, size_t need)
{
    size_t size = p->last ? 2 * p->last->size : CHUNK_MIN;

    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    if (size < need)
        size = need;
    if (size > SIZE_MAX / 2 || p->used > p->cap || size > p->cap - p->used)
        return NULL;
    struct pool_chunk *c = malloc(sizeof *c + size);
    if (!c)
        return NULL;
    *c = (struct pool_chunk){.before = p->last, .size = size};
    p->used += size;
    p->last = c;
    return c;
}

void *pool_take(struct pool *p, size_t n, size_t size)
{
    struct pool_chunk *c = p->last;
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 4)
        return NULL;
    bytes = (bytes + PIECE - 1) & ~(size_t)(PIECE - 1);
    if (bytes == 0)
        bytes = PIECE;
    if (!c || bytes > c->size - c->at)
        c = chunk_new(p, bytes);
    if (!c)
        return NULL;
    void *out = c->bytes + c->at;
    c->at += bytes;
    return out;
}

void pool_release(struct pool *p)
{
    for (struct pool_chunk *c = p->last, *before; c; c = before) {
        before = c->before;
        free(c);
    }
    p->last = NULL;
    p->used = 0;
}
