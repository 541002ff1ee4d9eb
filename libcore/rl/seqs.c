#include "rl/seqs.h"

#include <math.h>

double seqs_weight(enum seqs_mean mean, size_t T, double n, double tokens, double total,
                   double t_max)
{
    if (T == 0)
        return 0;
    switch (mean) {
    case MEAN_GRPO: return 1 / (n * (double)T);
    case MEAN_BNPO: return 1 / tokens;
    case MEAN_DAPO: return 1 / total;
    case MEAN_DR_GRPO: return 1 / (n * t_max);
    }
    return 0;
}

void seqs_weights(double *w, const struct seqs *s, enum seqs_mean mean, double total,
                  double t_max)
{
    const double tokens = s->n ? (double)(s->off[s->n] - s->off[0]) : 0;

    for (size_t i = 0; i < s->n; i++)
        w[i] = seqs_weight(mean, seqs_len(s, i), (double)s->n, tokens, total, t_max);
}

void whiten(double *x, size_t n, unsigned flags)
{
    double mean = 0, var = 0;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    const size_t below = flags & WHITEN_UNBIASED ? n - 1 : n;
    var = below ? var / (double)below : 0;
    const double scale = 1 / sqrt(var + 1e-8);
    const double shift = flags & WHITEN_KEEP_MEAN ? mean : 0;
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) * scale + shift;
}
