#include "reward/strtab.h"

#include "base/hash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t *look(const struct strtab *t, const char *s, size_t n)
{
    for (size_t i = hash64(s, n) & (t->slots - 1);; i = (i + 1) & (t->slots - 1)) {
        size_t *slot = &t->slot[i];

        if (*slot == 0)
            return slot;
        const struct strtab_entry *x = &t->entry[*slot - 1];
        if (x->n == n && memcmp(t->pool + x->at, s, n) == 0)
            return slot;
    }
}

static int grow_slots(struct strtab *t)
{
    const size_t want = t->slots ? 2 * t->slots : 64;
    size_t *slot = calloc(want, sizeof *slot);

    if (!slot)
        return -1;
    free(t->slot);
    t->slot = slot;
    t->slots = want;
    for (size_t i = 0; i < t->n; i++)
        *look(t, t->pool + t->entry[i].at, t->entry[i].n) = i + 1;
    return 0;
}

/* Room for one more of `size` bytes each, want in all. */
static int grow(void *array, size_t *cap, size_t want, size_t size)
{
    void **p = array;

    if (want <= *cap)
        return 0;
    const size_t n = want > 2 * *cap ? want : 2 * *cap;
    void *q = n > SIZE_MAX / size ? NULL : realloc(*p, n * size);
    if (!q)
        return -1;
    *p = q;
    *cap = n;
    return 0;
}

long strtab_add(struct strtab *t, const char *s, size_t n, struct err *e)
{
    if ((2 * t->n >= t->slots && grow_slots(t) < 0) ||
        grow(&t->entry, &t->cap, t->n + 1, sizeof *t->entry) < 0 ||
        grow(&t->pool, &t->pool_cap, t->pool_n + n + 1, 1) < 0)
        return err_set(e, ERR_NOMEM, "no memory for %zu words", t->n + 1);

    size_t *slot = look(t, s, n);
    if (*slot)
        return (long)*slot - 1;
    t->entry[t->n] = (struct strtab_entry){t->pool_n, n};
    memcpy(t->pool + t->pool_n, s, n);
    t->pool[t->pool_n + n] = 0;
    t->pool_n += n + 1;
    *slot = ++t->n;
    return (long)t->n - 1;
}

size_t strtab_find(const struct strtab *t, const char *s, size_t n)
{
    return t->slots ? *look(t, s, n) - 1 : SIZE_MAX;
}

const char *strtab_text(const struct strtab *t, size_t i)
{
    return t->pool + t->entry[i].at;
}

void strtab_clear(struct strtab *t)
{
    t->n = t->pool_n = 0;
    if (t->slots)
        memset(t->slot, 0, t->slots * sizeof *t->slot);
}

void strtab_release(struct strtab *t)
{
    free(t->entry);
    free(t->pool);
    free(t->slot);
    *t = (struct strtab){0};
}
