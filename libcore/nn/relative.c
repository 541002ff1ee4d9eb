#include "nn/relative.h"

#include <math.h>

/*
 * With n buckets for distances d >= 0, e = n / 2 of them exact:
 *     d < e:  d,    else  e + floor((n - e) log(d / e) / log(max / e)), at most n - 1.
 * In float, as the published models were trained: at a range's edge the rounding decides.
 */
static size_t bucket_of(size_t d, size_t n, size_t max)
{
    const size_t e = n / 2;

    if (d < e)
        return d;
    const float wide = logf((float)d / (float)e) / (float)log((double)max / (double)e);
    const size_t b = e + (size_t)(wide * (float)(n - e));
    return b < n ? b : n - 1;
}

void relative_buckets(uint16_t *bucket, size_t S, size_t n, size_t max,
                      enum relative_side side)
{
    const size_t half = side == RELATIVE_BOTH ? n / 2 : n;

    bucket[0] = 0;
    for (size_t d = 0; d < S; d++) {
        const size_t b = bucket_of(d, half, max);

        if (d > 0)
            bucket[S + d] = (uint16_t)(side == RELATIVE_BOTH ? half + b : 0);
        bucket[S - d] = (uint16_t)b;
    }
}

void relative_expand(float *by_distance, const float *table, const uint16_t *bucket,
                     size_t S, size_t H)
{
    for (size_t h = 0; h < H; h++)
        for (size_t d = 0; d < 2 * S; d++)
            by_distance[h * 2 * S + d] = table[bucket[d] * H + h];
}

void relative_backward(float *dtable, const float *dbias, size_t runs, size_t n,
                       size_t H)
{
    for (size_t r = 0; r < runs; r++)
        for (size_t h = 0; h < H; h++)
            for (size_t b = 0; b < n; b++)
                dtable[b * H + h] += dbias[(r * H + h) * n + b];
}
