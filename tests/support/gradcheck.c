#include "gradcheck.h"

#include "base/rng.h"

#include <math.h>

enum { CHECKED_MAX = 512 };

static double difference(float *x, float h, double (*loss)(void *), void *ctx)
{
    const float x0 = *x;
    double f[4];
    static const int step[4] = {-2, -1, 1, 2};
    double at[4];

    for (int i = 0; i < 4; i++) {
        *x = x0 + (float)step[i] * h;
        at[i] = (double)*x - (double)x0; /* what float32 made of the step */
        f[i] = loss(ctx);
    }
    *x = x0;
    const double wide = (f[3] - f[0]) / (at[3] - at[0]);
    const double close = (f[2] - f[1]) / (at[2] - at[1]);
    return (4 * close - wide) / 3;
}

double gradcheck(float *x, const float *dx, size_t n, float h, double (*loss)(void *),
                 void *ctx)
{
    double scale = 1e-3, worst = 0;
    const size_t count = n < CHECKED_MAX ? n : CHECKED_MAX;

    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)dx[i]));
    for (size_t c = 0; c < count; c++) {
        const size_t i = count == n ? c : c * (n - 1) / (count - 1);
        const double off = fabs(difference(x + i, h, loss, ctx) - (double)dx[i]);

        if (!isfinite(off))
            return INFINITY;
        worst = fmax(worst, off);
    }
    return worst / scale;
}

void fill_normal(float *x, size_t n, float scale, uint64_t seed)
{
    for (size_t i = 0; i < n; i += 2) {
        double z[2];

        rng_normal2(z, seed, 0, i);
        x[i] = scale * (float)z[0];
        if (i + 1 < n)
            x[i + 1] = scale * (float)z[1];
    }
}

double dot_double(const float *a, const float *b, size_t n)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += (double)a[i] * b[i];
    return s;
}
