#include "metrics/bleu.h"

#include "base/reserve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPSILON 0.1 /* what no match at all counts, method 1 */

void bleu_release(struct bleu_work *w)
{
    grams_release(&w->hyp);
    grams_release(&w->ref);
    free(w->most);
    *w = (struct bleu_work){0};
}

/* Matches of text[i]'s n-grams, each at most as often as in the text that has it most
 * often; *total: how many there are. */
static int matches(size_t *match, size_t *total, struct bleu_work *w,
                   const struct tokens *text, size_t texts, size_t i, size_t n,
                   struct err *e)
{
    int rc = grams_of(&w->hyp, &text[i], 1, n, e);

    if (rc < 0 || (rc = reserve(&w->most, &w->most_cap, w->hyp.count + 1,
                                sizeof *w->most, e)) < 0)
        return rc;
    memset(w->most, 0, w->hyp.count * sizeof *w->most);
    for (size_t k = 0; k < texts && rc >= 0; k++)
        if (k != i && (rc = grams_of(&w->ref, &text[k], 1, n, e)) >= 0)
            grams_most(w->most, &w->hyp, &w->ref);
    *match = 0;
    *total = w->hyp.count;
    for (size_t k = 0, end; k < w->hyp.count; k = end) {
        end = grams_run(&w->hyp, k);
        *match += w->most[k] < end - k ? w->most[k] : end - k;
    }
    return rc;
}

/* The length nearest to text[i]'s, the shorter of two. */
static size_t nearest_length(const struct tokens *text, size_t texts, size_t i)
{
    const size_t c = text[i].n;
    size_t best = 0, gap = SIZE_MAX;

    for (size_t k = 0; k < texts; k++) {
        const size_t r = text[k].n, g = r > c ? r - c : c - r;

        if (k == i || g > gap || (g == gap && r >= best))
            continue;
        best = r;
        gap = g;
    }
    return best;
}

static double brevity(size_t r, size_t c)
{
    if (c > r)
        return 1;
    return c ? exp(1 - (double)r / (double)c) : 0;
}

int bleu_against_others(double *out, struct bleu_work *w, const struct tokens *text,
                        size_t n, size_t i, size_t N, struct err *e)
{
    double sum = 0;

    *out = 0;
    for (size_t k = 1; k <= N; k++) {
        size_t match, total;
        const int rc = matches(&match, &total, w, text, n, i, k, e);

        if (rc < 0)
            return rc;
        if (k == 1 && match == 0)
            return 0;
        sum += log((match ? (double)match : EPSILON) / (double)(total ? total : 1));
    }
    *out = brevity(nearest_length(text, n, i), text[i].n) * exp(sum / (double)N);
    return 0;
}

int bleu_self(double *out, struct bleu_work *w, const struct tokens *text, size_t n,
              size_t N, struct err *e)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double x;
        const int rc = bleu_against_others(&x, w, text, n, i, N, e);

        if (rc < 0)
            return rc;
        sum += x;
    }
    *out = sum / (double)n;
    return 0;
}
