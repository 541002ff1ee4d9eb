#include "reward/focus.h"

#include <math.h>

size_t focus_normalise(double *h, size_t n, size_t V)
{
    if (V < 2)
        return 0;

    const double scale = 1 / log((double)V);
    for (size_t k = 0; k < n; k++)
        h[k] *= scale;
    return n;
}

double focus(const double *h, size_t n, double h_min, double zeta)
{
    double sharp = 0, collapse = 0;

    if (n == 0)
        return 0;
    for (size_t k = 0; k < n; k++)
        sharp += 1 - fmax(h[k], h_min);
    if (zeta != 0 && h_min > 0)
        for (size_t k = 0; k < n; k++)
            collapse += fmax(0, h_min - h[k]) / h_min;
    return sharp / ((double)n * (1 - h_min)) - zeta * collapse / (double)n;
}

double focus_sum(const double *entropy, size_t n)
{
    double sum = 0;

    for (size_t k = 0; k < n; k++)
        sum -= entropy[k];
    return sum;
}
