/*
 * Open addressing over places: slot holds 1 + the index at which an n-gram starts, or 0.
 * Both uses put one text in and look others up, so a table is two arrays of tokens and
 * the slots; the hash only chooses where to look.
 */
#include "reward/ngram.h"

#include <stdlib.h>
#include <string.h>

void ngram_table_release(struct ngram_table *t)
{
    free(t->slot);
    *t = (struct ngram_table){0};
}

/* Room for `grams` entries at a load of at most a quarter, emptied: walks are short. */
static int table_reset(struct ngram_table *t, size_t grams, struct err *e)
{
    size_t want = 16;

    while (want < 4 * grams)
        want *= 2;
    if (want > t->slots) {
        uint32_t *slot = realloc(t->slot, want * sizeof *slot);

        if (!slot)
            return err_set(e, ERR_NOMEM, "no memory for %zu n-grams", grams);
        t->slot = slot;
        t->slots = want;
    }
    memset(t->slot, 0, want * sizeof *t->slot);
    t->mask = want - 1;
    return 0;
}

/* Multiply and rotate per token, as in wyhash's small cases; mixed at the end. */
static size_t hash(const int32_t *x, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint32_t)x[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return (size_t)(h ^ (h >> 29));
}

/* A handful of tokens, mostly: a call of memcmp would cost more than they do. */
static int same(const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

/* The slot where x's n-gram is, or the empty one where it belongs. */
static uint32_t *look(const struct ngram_table *t, const int32_t *text,
                      const int32_t *x, size_t n)
{
    for (size_t i = hash(x, n) & t->mask;; i = (i + 1) & t->mask) {
        uint32_t *s = &t->slot[i];

        if (*s == 0 || same(text + (*s - 1), x, n))
            return s;
    }
}

/* One walk serves counting and marking. */
static int distinct(size_t *out, unsigned char *mark, struct ngram_table *t,
                    const int32_t *ids, size_t T, size_t n, struct err *e)
{
    const size_t grams = T >= n ? T - n + 1 : 0;
    size_t count = 0;
    int rc = table_reset(t, grams, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < grams; i++) {
        uint32_t *s = look(t, ids, ids + i, n);

        if (*s == 0) {
            *s = (uint32_t)i + 1;
            count++;
        } else if (mark) {
            memset(mark + i, 1, n);
        }
    }
    *out = count;
    return 0;
}

int ngram_count(struct ngram_count *out, struct ngram_table *t, const int32_t *ids,
                size_t T, size_t n, struct err *e)
{
    *out = (struct ngram_count){.total = T >= n ? T - n + 1 : 0};
    return distinct(&out->distinct, NULL, t, ids, T, n, e);
}

int ngram_mark_repeats(unsigned char *mark, struct ngram_table *t, const int32_t *ids,
                       size_t T, size_t n, struct err *e)
{
    size_t count;

    return distinct(&count, mark, t, ids, T, n, e);
}

double ngram_repetition(struct ngram_count c)
{
    return c.total ? 1 - (double)c.distinct / (double)c.total : 0;
}

int ngram_contained(struct ngram_found *out, unsigned char *mark, struct ngram_table *t,
                    const int32_t *ids, size_t T, const int32_t *history, size_t H,
                    size_t n, struct err *e)
{
    int rc;

    *out = (struct ngram_found){0};
    if (n > H)
        n = H;
    if (n == 0 || T < n)
        return 0;
    if ((rc = table_reset(t, H - n + 1, e)) < 0)
        return rc;
    for (size_t i = 0; i + n <= H; i++)
        *look(t, history, history + i, n) = (uint32_t)i + 1;
    out->total = T - n + 1;
    for (size_t i = 0; i < out->total; i++)
        if (*look(t, history, ids + i, n)) {
            out->found++;
            if (mark)
                memset(mark + i, 1, n);
        }
    return 0;
}

double ngram_containment(struct ngram_found f)
{
    return f.total ? (double)f.found / (double)f.total : 0;
}

double ngram_excess(double x, double free_share)
{
    return x > free_share ? (x - free_share) / (1 - free_share) : 0;
}
