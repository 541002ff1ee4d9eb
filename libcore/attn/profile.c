#include "attn/stats.h"

#include <math.h>
#include <string.h>

double attn_profile(double *profile, const struct attn_rows *r)
{
    const size_t first = r->steps > 1 ? 1 : 0;
    double sum = 0;

    memset(profile, 0, r->n * sizeof *profile);
    for (size_t t = first; t < r->steps; t++)
        for (size_t i = 0; i < r->n; i++)
            profile[i] = fmax(profile[i], r->A[t * r->P + r->pos[i]]);
    for (size_t i = 0; i < r->n; i++)
        sum += profile[i];
    for (size_t i = 0; i < r->n && sum > 0; i++)
        profile[i] /= sum;
    return sum;
}

double attn_mean_mass(const struct attn_rows *r)
{
    double sum = 0;

    for (size_t t = 0; t < r->steps; t++)
        for (size_t i = 0; i < r->n; i++)
            sum += r->A[t * r->P + r->pos[i]];
    return r->steps ? sum / (double)r->steps : 0;
}

double attn_apart(const float *p, const float *q, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += fabs((double)p[i] - (double)q[i]);
    return sum / 2;
}
