#include "metrics/tfidf.h"

#include "base/reserve.h"

#include <math.h>
#include <stdlib.h>

void tfidf_release(struct tfidf *v)
{
    free(v->entry);
    *v = (struct tfidf){0};
}

static int by_word(const void *a, const void *b)
{
    const uint32_t x = ((const struct tfidf_entry *)a)->word;
    const uint32_t y = ((const struct tfidf_entry *)b)->word;

    return (x > y) - (x < y);
}

/* One entry a word, its times added up. */
static void merge(struct tfidf *v)
{
    size_t k = 0;

    if (v->n == 0)
        return;
    qsort(v->entry, v->n, sizeof *v->entry, by_word);
    for (size_t i = 1; i < v->n; i++)
        if (v->entry[i].word == v->entry[k].word)
            v->entry[k].weight += v->entry[i].weight;
        else
            v->entry[++k] = v->entry[i];
    v->n = k + 1;
}

static void normalise(struct tfidf *v)
{
    double ss = 0;

    for (size_t i = 0; i < v->n; i++)
        ss += (double)v->entry[i].weight * v->entry[i].weight;
    for (size_t i = 0; i < v->n; i++)
        v->entry[i].weight = (float)(v->entry[i].weight / sqrt(ss));
}

int tfidf_of(struct tfidf *v, struct strtab *tab, const struct words *w,
             const struct df *df, struct err *e)
{
    int rc = reserve(&v->entry, &v->cap, w->n, sizeof *v->entry, e);

    v->n = 0;
    for (size_t i = 0; i < w->n && rc >= 0; i++) {
        const struct strtab_entry s = w->types.entry[w->word[i].type];
        const char *text = strtab_text(&w->types, w->word[i].type);
        long at;

        if (word_is_stop(text, s.n))
            continue;
        if ((at = strtab_add(tab, text, s.n, e)) < 0)
            return (int)at;
        v->entry[v->n++] =
            (struct tfidf_entry){(uint32_t)at, (float)df_idf(df, text, s.n)};
    }
    if (rc < 0)
        return rc;
    merge(v);
    normalise(v);
    return 0;
}

double tfidf_cosine(const struct tfidf *a, const struct tfidf *b)
{
    double dot = 0;

    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        const uint32_t x = a->entry[i].word, y = b->entry[j].word;

        if (x == y)
            dot += (double)a->entry[i].weight * b->entry[j].weight;
        i += x <= y;
        j += x >= y;
    }
    return dot > 1 ? 1 : dot;
}
