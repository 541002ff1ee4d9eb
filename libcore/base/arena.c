#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *arena_take(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2 - a->used)
        abort();
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    char *p = a->base ? a->base + a->used : NULL;
    a->used += bytes;
    if (a->base && a->used > a->size)
        abort();
    return p;
}

int arena_alloc(struct arena *a, const char *what, struct err *e)
{
    const size_t size = a->used ? a->used : ARENA_ALIGN;
    /* Anonymous pages: zeroed by the kernel, and only when first touched. */
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return err_set(e, ERR_NOMEM, "%s: no memory for %.1f MiB", what,
                       (double)size / (1 << 20));
    madvise(p, size, MADV_HUGEPAGE); /* advice: a kernel without it is no error */
    *a = (struct arena){.base = p, .size = size};
    return 0;
}

void arena_release(struct arena *a)
{
    if (a->base)
        munmap(a->base, a->size);
    *a = (struct arena){0};
}
