#include "metrics/boot.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* times (n) out: how often each prompt is drawn in resample b. */
static void draw(uint32_t *times, size_t n, uint64_t seed, size_t b)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    memset(times, 0, n * sizeof *times);
    for (size_t i = 0; i < n; i += 4) {
        const uint32_t ctr[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32),
                                 (uint32_t)b, 0x626f6f74};
        uint32_t r[4];

        philox4x32(r, ctr, key);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            times[(uint64_t)r[k] * n >> 32]++;
    }
}

static double statistic(const struct ratio *x, const uint32_t *times, size_t n,
                        enum boot_form form)
{
    double num = 0, den = 0;

    for (size_t i = 0; i < n; i++) {
        const double k = times ? times[i] : 1;

        num += k * x[i].num;
        den += k * x[i].den;
    }
    if (!(den > 0))
        return (double)NAN;
    return form == BOOT_EXP ? exp(num / den) : num / den;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The q-quantile of n sorted numbers, linear between neighbours. */
static double quantile(const double *x, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;

    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

/* Drops the NaNs of resamples that drew no prompt with a number; sorts what is left. */
static size_t tidy(double *x, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            x[k++] = x[i];
    qsort(x, k, sizeof *x, ascending);
    return k;
}

/* One prompt is drawn again and again: its resamples do not spread, and say nothing. */
static void set_bounds(struct interval *v, double *x, size_t n, double level)
{
    const size_t k = tidy(x, n);

    v->lo = v->hi = (double)NAN;
    if (k == 0 || v->n < 2)
        return;
    v->lo = quantile(x, k, (1 - level) / 2);
    v->hi = quantile(x, k, (1 + level) / 2);
}

static size_t present(const struct ratio *x, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += x[i].den > 0;
    return k;
}

struct memory {
    double *value; /* (M, resamples) */
    uint32_t *times;
};

static int memory_get(struct memory *m, size_t M, size_t n, size_t resamples,
                      struct err *e)
{
    *m = (struct memory){calloc(M * resamples + 1, sizeof(double)),
                         calloc(n + 1, sizeof(uint32_t))};
    return m->value && m->times ? 0
                                : err_set(e, ERR_NOMEM, "no memory for a bootstrap");
}

static void memory_put(struct memory *m)
{
    free(m->value);
    free(m->times);
}

int boot_intervals(struct interval *out, const struct ratio *x,
                   const enum boot_form *form, size_t M, size_t n,
                   const struct boot_plan *plan, struct err *e)
{
    const size_t B = plan->resamples;
    struct memory mem;
    const int rc = memory_get(&mem, M, n, B, e);

    for (size_t b = 0; b < B && rc >= 0; b++) {
        draw(mem.times, n, plan->seed, b);
        for (size_t m = 0; m < M; m++)
            mem.value[m * B + b] = statistic(x + m * n, mem.times, n, form[m]);
    }
    for (size_t m = 0; m < M && rc >= 0; m++) {
        out[m] = (struct interval){.value = statistic(x + m * n, NULL, n, form[m]),
                                   .n = present(x + m * n, n)};
        set_bounds(&out[m], mem.value + m * B, B, plan->level);
    }
    memory_put(&mem);
    return rc;
}

/* ---- two streams ----------------------------------------------------------------------- */

/* Both sides of metric m where both have a number; den 0 elsewhere. */
static void pair_up(struct ratio *pa, struct ratio *pb, const struct ratio *a,
                    const struct ratio *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int both = a[i].den > 0 && b[i].den > 0;

        pa[i] = both ? a[i] : (struct ratio){0};
        pb[i] = both ? b[i] : (struct ratio){0};
    }
}

static double two_sided(const double *x, size_t n)
{
    size_t below = 0, above = 0, k = 0;

    for (size_t i = 0; i < n; i++) {
        below += x[i] <= 0;
        above += x[i] >= 0;
        k += !isnan(x[i]);
    }
    if (k == 0)
        return (double)NAN;
    const double p =
        2 * ((double)(below < above ? below : above) + 1) / ((double)k + 1);
    return p < 1 ? p : 1;
}

int boot_differences(struct difference *out, const struct ratio *a,
                     const struct ratio *b, const enum boot_form *form, size_t M,
                     size_t n, const struct boot_plan *plan, struct err *e)
{
    const size_t B = plan->resamples;
    struct ratio *pa = calloc(2 * M * n + 1, sizeof *pa), *pb = pa ? pa + M * n : NULL;
    struct memory mem;
    int rc = memory_get(&mem, M, n, B, e);

    if (!pa)
        rc = err_set(e, ERR_NOMEM, "no memory for a bootstrap");
    if (rc >= 0)
        pair_up(pa, pb, a, b, M * n);
    for (size_t k = 0; k < B && rc >= 0; k++) {
        draw(mem.times, n, plan->seed, k);
        for (size_t m = 0; m < M; m++)
            mem.value[m * B + k] = statistic(pa + m * n, mem.times, n, form[m]) -
                                   statistic(pb + m * n, mem.times, n, form[m]);
    }
    for (size_t m = 0; m < M && rc >= 0; m++) {
        struct difference *d = &out[m];

        *d = (struct difference){.a = statistic(pa + m * n, NULL, n, form[m]),
                                 .b = statistic(pb + m * n, NULL, n, form[m])};
        d->d = (struct interval){.value = d->a - d->b, .n = present(pa + m * n, n)};
        d->p = d->d.n < 2 ? (double)NAN : two_sided(mem.value + m * B, B);
        set_bounds(&d->d, mem.value + m * B, B, plan->level);
    }
    free(pa);
    memory_put(&mem);
    return rc;
}

/* ---- many tests at once ---------------------------------------------------------------- */
static int by_p(const void *a, const void *b, void *values)
{
    const double *p = values, x = p[*(const size_t *)a], y = p[*(const size_t *)b];

    return (x > y) - (x < y);
}

void boot_holm(double *out, const double *p, size_t n, size_t *order)
{
    size_t k = 0;
    double most = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(p[i]))
            order[k++] = i;
        else
            out[i] = p[i];
    if (k > 1)
        qsort_r(order, k, sizeof *order, by_p, (void *)p);
    for (size_t i = 0; i < k; i++) {
        const double scaled = (double)(k - i) * p[order[i]];

        most = scaled > most ? scaled : most;
        out[order[i]] = most < 1 ? most : 1;
    }
}
