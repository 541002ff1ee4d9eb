#include "reward/df.h"

#include "reward/strtab.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct df {
    struct strtab words;
    size_t *count; /* per word */
    size_t cap;
    size_t docs;
};

int df_new(struct df **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_set(e, ERR_NOMEM, "no memory for a table of words");
}

void df_free(struct df *d)
{
    if (!d)
        return;
    strtab_release(&d->words);
    free(d->count);
    free(d);
}

/* The count of a word, 0 if it is new. */
static size_t *cell(struct df *d, const char *s, size_t n, struct err *e)
{
    const size_t before = d->words.n;
    const long i = strtab_add(&d->words, s, n, e);

    if (i < 0)
        return NULL;
    if (d->words.n > d->cap) {
        const size_t cap = d->cap ? 2 * d->cap : 256;
        size_t *p = realloc(d->count, cap * sizeof *p);

        if (!p) {
            err_set(e, ERR_NOMEM, "no memory for %zu words", cap);
            return NULL;
        }
        d->count = p;
        d->cap = cap;
    }
    if (d->words.n > before)
        d->count[i] = 0;
    return &d->count[i];
}

int df_add(struct df *d, const struct words *w, struct err *e)
{
    for (size_t i = 0; i < w->types.n; i++) {
        size_t *c = cell(d, strtab_text(&w->types, i), w->types.entry[i].n, e);

        if (!c)
            return ERR_NOMEM;
        ++*c;
    }
    d->docs++;
    return 0;
}

int df_set(struct df *d, const char *s, size_t n, size_t count, struct err *e)
{
    size_t *c = cell(d, s, n, e);

    if (!c)
        return ERR_NOMEM;
    *c = count;
    return 0;
}

void df_set_docs(struct df *d, size_t N)
{
    d->docs = N;
}

size_t df_docs(const struct df *d)
{
    return d ? d->docs : 0;
}

size_t df_count(const struct df *d, const char *s, size_t n)
{
    const size_t i = d ? strtab_find(&d->words, s, n) : SIZE_MAX;

    return i == SIZE_MAX ? 0 : d->count[i];
}

double df_idf(const struct df *d, const char *s, size_t n)
{
    return log((double)(df_docs(d) + 1) / (double)(df_count(d, s, n) + 1)) + 1;
}

size_t df_words(const struct df *d)
{
    return d->words.n;
}

const char *df_word(const struct df *d, size_t i, size_t *count)
{
    *count = d->count[i];
    return strtab_text(&d->words, i);
}
