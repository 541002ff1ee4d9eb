#include "optim/clipnorm.h"

#include <math.h>

enum { BLOCK = 16384, LANES = 8 };

struct job {
    const float *g;
    size_t n;
    double *part;
};

size_t clipnorm_scratch(size_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

/* Eight running sums, joined in one order: the compiler may use vectors of any width
 * and the bits stay. */
static void block_sum(void *ctx, size_t i, size_t worker)
{
    const struct job *j = ctx;
    const size_t begin = i * BLOCK;
    const size_t n = j->n - begin < BLOCK ? j->n - begin : BLOCK;
    const float *g = j->g + begin;
    double lane[LANES] = {0}, sum = 0;
    size_t k = 0;

    (void)worker;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += (double)g[k + l] * (double)g[k + l];
    for (; k < n; k++)
        lane[k % LANES] += (double)g[k] * (double)g[k];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    j->part[i] = sum;
}

double clipnorm(struct par *par, const float *g, size_t n, double *scratch)
{
    struct job j = {g, n, scratch};
    const size_t blocks = clipnorm_scratch(n);
    double sum = 0;

    par_for(par, blocks, block_sum, &j);
    for (size_t i = 0; i < blocks; i++)
        sum += scratch[i];
    return sqrt(sum);
}

double clipnorm_scale(double norm, double max)
{
    return max > 0 ? fmin(1, max / (norm + 1e-6)) : 1;
}
