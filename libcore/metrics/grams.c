#include "metrics/grams.h"

#include "base/reserve.h"

#include <stdlib.h>

void grams_release(struct grams *g)
{
    free(g->at);
    *g = (struct grams){0};
}

static int order(const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int compare(const void *a, const void *b, void *n)
{
    return order(*(const int32_t *const *)a, *(const int32_t *const *)b,
                 *(const size_t *)n);
}

static size_t grams_in(const struct tokens *t, size_t n)
{
    return t->n >= n ? t->n - n + 1 : 0;
}

int grams_of(struct grams *g, const struct tokens *text, size_t texts, size_t n,
             struct err *e)
{
    size_t all = 0;

    for (size_t i = 0; i < texts; i++)
        all += grams_in(&text[i], n);
    const int rc = reserve(&g->at, &g->cap, all, sizeof *g->at, e);
    if (rc < 0)
        return rc;
    g->n = n;
    g->count = 0;
    for (size_t i = 0; i < texts; i++)
        for (size_t k = 0; k < grams_in(&text[i], n); k++)
            g->at[g->count++] = text[i].id + k;
    if (g->count > 1)
        qsort_r(g->at, g->count, sizeof *g->at, compare, &g->n);
    return 0;
}

size_t grams_run(const struct grams *g, size_t i)
{
    const int32_t *first = g->at[i];

    while (++i < g->count && order(first, g->at[i], g->n) == 0)
        ;
    return i;
}

size_t grams_distinct(const struct grams *g)
{
    size_t k = 0;

    for (size_t i = 0; i < g->count; i = grams_run(g, i))
        k++;
    return k;
}

size_t grams_shared(const struct grams *a, const struct grams *b)
{
    size_t shared = 0, i = 0, j = 0;

    while (i < a->count && j < b->count) {
        const int o = order(a->at[i], b->at[j], a->n);

        shared += o == 0;
        i += o <= 0;
        j += o >= 0;
    }
    return shared;
}

void grams_most(size_t *out, const struct grams *a, const struct grams *b)
{
    size_t i = 0, j = 0;

    while (i < a->count && j < b->count) {
        const int o = order(a->at[i], b->at[j], a->n);

        if (o > 0) {
            j = grams_run(b, j);
            continue;
        }
        if (o == 0) {
            const size_t end = grams_run(b, j);

            if (end - j > out[i])
                out[i] = end - j;
            j = end;
        }
        i = grams_run(a, i);
    }
}
