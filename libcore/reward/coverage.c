#include "reward/coverage.h"

#include <math.h>

static size_t keep_supported(struct salient_group *g, const unsigned char *mask,
                             size_t P)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++)
        if (g->pos[i] < P && mask[g->pos[i]])
            g->pos[n++] = g->pos[i];
    return n;
}

size_t coverage_groups(struct salient_group *g, size_t G, const unsigned char *mask,
                       size_t P)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < G; i++) {
        g[i].n = keep_supported(&g[i], mask, P);
        if (g[i].n == 0)
            continue;
        sum += g[i].weight;
        g[n++] = g[i];
    }
    for (size_t i = 0; i < n; i++)
        g[i].weight = sum > 0 ? g[i].weight / sum : 1.0 / (double)n;
    return n;
}

static double group_mass(const double *row, const struct salient_group *g)
{
    double m = 0;

    for (size_t i = 0; i < g->n; i++)
        m += row[g->pos[i]];
    return m;
}

double coverage_best(double *best, size_t *step, const struct attn_rows *r,
                     const struct salient_group *g, size_t G)
{
    const size_t first = r->steps > 1 ? 1 : 0;
    double C = 0;

    for (size_t i = 0; i < G; i++) {
        size_t at;
        const double top = attn_best(&at, r, first, g[i].pos, g[i].n);

        if (best)
            best[i] = top;
        if (step)
            step[i] = at;
        C += g[i].weight * top;
    }
    return C;
}

int coverage_hardly(const double *best, const struct salient_group *g, size_t G,
                    size_t i)
{
    double mean = 0;

    for (size_t j = 0; j < G; j++)
        mean += g[j].weight * best[j];
    return best[i] < mean / 3;
}

void coverage_shares(double *c, const struct attn_rows *r, const size_t *kept,
                     const double *mass, size_t nkept, const struct salient_group *g,
                     size_t G)
{
    for (size_t i = 0; i < G; i++) {
        double sum = 0;

        c[i] = 0;
        if (r->n < 2 || nkept == 0)
            continue;
        for (size_t k = 0; k < nkept; k++)
            sum += group_mass(r->A + kept[k] * r->P, &g[i]) / mass[k];
        c[i] = (double)r->n * sum / (double)nkept;
    }
}

double coverage_capped(const double *c, const struct salient_group *g, size_t G,
                       double kappa)
{
    double sum = 0;

    for (size_t i = 0; i < G; i++)
        sum += g[i].weight * fmin(1, c[i] / kappa);
    return sum;
}

double coverage_mean(const double *c, const struct salient_group *g, size_t G)
{
    double sum = 0;

    for (size_t i = 0; i < G; i++)
        sum += g[i].weight * c[i];
    return sum;
}

double coverage_gnmt(const double *c, const struct salient_group *g, size_t G)
{
    double sum = 0;

    for (size_t i = 0; i < G; i++)
        sum += g[i].weight * log(fmin(1, fmax(c[i], 1e-3)));
    return sum;
}

double coverage_sum(const struct attn_rows *r, const size_t *kept, size_t nkept,
                    const uint32_t *S, size_t nS)
{
    double sum = 0;

    for (size_t k = 0; k < nkept; k++)
        for (size_t i = 0; i < nS; i++)
            sum += r->A[kept[k] * r->P + S[i]];
    return sum;
}
