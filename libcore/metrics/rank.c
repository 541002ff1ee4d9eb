#include "metrics/rank.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b, void *values)
{
    const double *x = values;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;

    if (x[i] != x[j])
        return x[i] < x[j] ? -1 : 1;
    return (i > j) - (i < j);
}

/* order gets the places where x is present, ascending by x; returns how many. */
static size_t sorted(size_t *order, const double *x, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            order[k++] = i;
    if (k > 1)
        qsort_r(order, k, sizeof *order, by_value, (void *)x);
    return k;
}

static size_t run_end(const size_t *order, const double *x, size_t from, size_t n)
{
    size_t i = from + 1;

    while (i < n && x[order[i]] == x[order[from]])
        i++;
    return i;
}

void rank_average(double *rank, const double *x, size_t n, size_t *order)
{
    const size_t k = sorted(order, x, n);

    for (size_t i = 0; i < n; i++)
        rank[i] = (double)NAN;
    for (size_t i = 0, end; i < k; i = end) {
        end = run_end(order, x, i, k);
        for (size_t j = i; j < end; j++)
            rank[order[j]] = (double)(i + 1 + end) / 2;
    }
}

static double pearson(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

/* x and y where both are present, one behind the other in out (2 n); returns how many. */
static size_t both_present(double *out, const double *x, const double *y, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(y[i])) {
            out[k] = x[i];
            out[n + k++] = y[i];
        }
    return k;
}

double rank_spearman(const double *x, const double *y, size_t n, double *work,
                     size_t *order)
{
    const size_t k = both_present(work, x, y, n);
    double *rx = work + 2 * n, *ry = work + 3 * n;

    if (k < 2)
        return (double)NAN;
    rank_average(rx, work, k, order);
    rank_average(ry, work + n, k, order);
    return pearson(rx, ry, k);
}

/* ---- given others ---------------------------------------------------------------------- */

/* Places where all columns are present, those of a column one behind the other, n apart. */
static size_t all_present(double *out, const double *const *col, size_t columns,
                          size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        size_t c = 0;

        while (c < columns && !isnan(col[c][i]))
            c++;
        if (c < columns)
            continue;
        for (c = 0; c < columns; c++)
            out[c * n + k] = col[c][i];
        k++;
    }
    return k;
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Ranks less their mean, which is the same for every column. */
static void centred_ranks(double *x, size_t n, double *scratch, size_t *order)
{
    rank_average(scratch, x, n, order);
    for (size_t i = 0; i < n; i++)
        x[i] = scratch[i] - (double)(n + 1) / 2;
}

/* Takes from x its share along z. */
static void project_out(double *x, const double *z, size_t n)
{
    const double share = dot(x, z, n) / dot(z, z, n);

    for (size_t i = 0; i < n; i++)
        x[i] -= share * z[i];
}

double rank_partial(const double *const *col, size_t given, size_t n, double *work,
                    size_t *order)
{
    /* Ranks are halves: a residue below this is rounding. */
    const double nothing = 1e-9;
    const size_t columns = given + 2, k = all_present(work, col, columns, n);

    if (k < given + 3)
        return (double)NAN;
    for (size_t c = 0; c < columns; c++)
        centred_ranks(work + c * n, k, work + columns * n, order);
    for (size_t z = 2; z < columns; z++) {
        const double *by = work + z * n;

        if (dot(by, by, k) < nothing)
            continue;
        project_out(work, by, k);
        project_out(work + n, by, k);
        for (size_t c = z + 1; c < columns; c++)
            project_out(work + c * n, by, k);
    }
    const double xx = dot(work, work, k), yy = dot(work + n, work + n, k);
    return xx < nothing || yy < nothing ? (double)NAN
                                        : dot(work, work + n, k) / sqrt(xx * yy);
}

double rank_auroc(const double *a, size_t na, const double *b, size_t nb)
{
    size_t pairs = 0, twice = 0;

    for (size_t i = 0; i < na; i++)
        for (size_t j = 0; j < nb; j++)
            if (!isnan(a[i]) && !isnan(b[j])) {
                pairs++;
                twice += a[i] > b[j] ? 2 : a[i] == b[j];
            }
    return pairs ? (double)twice / (2 * (double)pairs) : (double)NAN;
}

/* The share of subsets of N out of n that lie within the first k: C(k,N) / C(n,N). */
static double share_below(size_t k, size_t n, size_t N)
{
    double p = 1;

    for (size_t i = 0; i < N; i++)
        p *= k > i ? (double)(k - i) / (double)(n - i) : 0;
    return p;
}

double rank_best_of(const double *x, const double *y, size_t n, size_t N, double *work,
                    size_t *order)
{
    const size_t k = both_present(work, x, y, n);
    const double *py = work + n;
    double sum = 0;

    if (N == 0 || k < N)
        return (double)NAN;
    sorted(order, work, k);
    for (size_t i = 0, end; i < k; i = end) {
        double mean = 0;

        end = run_end(order, work, i, k);
        for (size_t j = i; j < end; j++)
            mean += py[order[j]] / (double)(end - i);
        sum += mean * (share_below(end, k, N) - share_below(i, k, N));
    }
    return sum;
}
