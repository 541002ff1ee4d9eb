#include "metrics/rouge.h"

#include "base/reserve.h"

#include <stdlib.h>
#include <string.h>

void rouge_release(struct rouge_work *w)
{
    grams_release(&w->a);
    grams_release(&w->b);
    free(w->table);
    free(w->spare);
    free(w->hit);
    *w = (struct rouge_work){0};
}

static struct rouge score(size_t hits, size_t target, size_t prediction)
{
    struct rouge r = {0};

    if (target == 0 || prediction == 0)
        return r;
    r.precision = (double)hits / (double)prediction;
    r.recall = (double)hits / (double)target;
    if (hits)
        r.f = 2 * r.precision * r.recall / (r.precision + r.recall);
    return r;
}

int rouge_n(struct rouge *out, struct rouge_work *w, const struct tokens *target,
            const struct tokens *prediction, size_t n, struct err *e)
{
    int rc = grams_of(&w->a, target, 1, n, e);

    if (rc >= 0)
        rc = grams_of(&w->b, prediction, 1, n, e);
    if (rc >= 0)
        *out = score(grams_shared(&w->a, &w->b), w->a.count, w->b.count);
    return rc;
}

/* ---- longest common subsequence -------------------------------------------------------- */

/* Row i of the table from row i - 1: the length for a[0..i) and b[0..j), j = 0..n. */
static void next_row(uint32_t *row, const uint32_t *above, int32_t a, const int32_t *b,
                     size_t n)
{
    row[0] = 0;
    for (size_t j = 0; j < n; j++) {
        const uint32_t longer = above[j + 1] > row[j] ? above[j + 1] : row[j];

        row[j + 1] = a == b[j] ? above[j] + 1 : longer;
    }
}

int rouge_l(struct rouge *out, struct rouge_work *w, const struct tokens *target,
            const struct tokens *prediction, struct err *e)
{
    const size_t m = target->n, n = prediction->n;
    int rc = reserve(&w->table, &w->table_cap, 2 * (n + 1), sizeof *w->table, e);

    if (rc < 0)
        return rc;
    memset(w->table, 0, 2 * (n + 1) * sizeof *w->table);
    for (size_t i = 0; i < m; i++)
        next_row(w->table + (i + 1) % 2 * (n + 1), w->table + i % 2 * (n + 1),
                 target->id[i], prediction->id, n);
    *out = score(w->table[m % 2 * (n + 1) + n], m, n);
    return 0;
}

/* Of two equally long ones that which is found walking back from the end, going up in a
 * before going left in b, as the reference does. */
int rouge_mark(unsigned char *hit, unsigned char *other, struct rouge_work *w,
               const int32_t *a, size_t m, const int32_t *b, size_t n, struct err *e)
{
    size_t cells;

    if (__builtin_mul_overflow(m + 1, n + 1, &cells))
        return err_set(e, ERR_NOMEM, "no memory to compare texts");
    const int rc = reserve(&w->table, &w->table_cap, cells, sizeof *w->table, e);
    if (rc < 0)
        return rc;
    memset(w->table, 0, (n + 1) * sizeof *w->table);
    for (size_t i = 0; i < m; i++)
        next_row(w->table + (i + 1) * (n + 1), w->table + i * (n + 1), a[i], b, n);
    for (size_t i = m, j = n; i > 0 && j > 0;) {
        const uint32_t *row = w->table + i * (n + 1), *above = row - (n + 1);

        if (a[i - 1] == b[j - 1]) {
            hit[--i] = 1;
            j--;
            if (other)
                other[j] = 1;
        } else if (row[j - 1] > above[j]) {
            j--;
        } else {
            i--;
        }
    }
    return 0;
}

/* How often each token may still be matched: spare[2 id] on the target's side, spare[2 id
 * + 1] on the prediction's. */
static int count_tokens(struct rouge_work *w, const struct tokens *target,
                        const struct tokens *prediction, struct err *e)
{
    const struct tokens *side[2] = {target, prediction};
    int32_t top = 0;
    int rc;

    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < side[s]->n; i++)
            top = side[s]->id[i] > top ? side[s]->id[i] : top;
    const size_t cells = 2 * ((size_t)top + 1);
    if ((rc = reserve(&w->spare, &w->spare_cap, cells, sizeof *w->spare, e)) < 0)
        return rc;
    memset(w->spare, 0, cells * sizeof *w->spare);
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < side[s]->n; i++)
            w->spare[2 * (size_t)side[s]->id[i] + s]++;
    return 0;
}

static size_t take_hits(struct rouge_work *w, const int32_t *a, size_t m)
{
    size_t hits = 0;

    for (size_t i = 0; i < m; i++) {
        int32_t *spare = w->spare + 2 * (size_t)a[i];

        if (!w->hit[i] || spare[0] <= 0 || spare[1] <= 0)
            continue;
        spare[0]--;
        spare[1]--;
        hits++;
    }
    return hits;
}

static size_t line_begin(const struct tokens *t, size_t i)
{
    return i ? t->line[i - 1] : 0;
}

/* hit |= what line i of the target has in common with each line of the prediction. */
static int mark_line(struct rouge_work *w, const struct tokens *target, size_t i,
                     const struct tokens *prediction, struct err *e)
{
    const size_t from = line_begin(target, i), m = target->line[i] - from;
    int rc = 0;

    memset(w->hit, 0, m);
    for (size_t k = 0; k < prediction->lines && rc >= 0; k++) {
        const size_t at = line_begin(prediction, k), n = prediction->line[k] - at;

        if (n)
            rc = rouge_mark(w->hit, NULL, w, target->id + from, m, prediction->id + at,
                            n, e);
    }
    return rc;
}

int rouge_lsum(struct rouge *out, struct rouge_work *w, const struct tokens *target,
               const struct tokens *prediction, struct err *e)
{
    size_t hits = 0;
    int rc = reserve(&w->hit, &w->hit_cap, target->n + 1, 1, e);

    if (rc >= 0)
        rc = count_tokens(w, target, prediction, e);
    for (size_t i = 0; i < target->lines && rc >= 0; i++) {
        const size_t from = line_begin(target, i), m = target->line[i] - from;

        if (m == 0 || (rc = mark_line(w, target, i, prediction, e)) < 0)
            continue;
        hits += take_hits(w, target->id + from, m);
    }
    if (rc >= 0)
        *out = score(hits, target->n, prediction->n);
    return rc;
}

int rouge_consistency(double *out, struct rouge_work *w, const struct tokens *text,
                      size_t n, struct err *e)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            struct rouge r;
            const int rc = rouge_l(&r, w, &text[i], &text[j], e);

            if (rc < 0)
                return rc;
            sum += r.f;
        }
    *out = sum / ((double)n * (double)(n - 1) / 2);
    return 0;
}
