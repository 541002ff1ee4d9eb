#include "rl/value.h"

#include <math.h>

void value_loss(double *dvalue, struct value_stats *st, const struct seqs *s,
                const double *value, const double *old, const double *ret,
                const double *w, double range)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t t = s->off[i]; t < s->off[i + 1]; t++) {
            const double v = value[t];
            const double cut = fmin(fmax(v, old[t] - range), old[t] + range);
            const double e = v - ret[t], ec = cut - ret[t];
            const int clipped = ec * ec > e * e;
            /* the clipped error moves with v only where the clip does not act */
            const double slope = clipped ? (cut == v ? ec : 0) : e;
            st->loss += w[i] * 0.5 * fmax(e * e, ec * ec);
            st->clipped += clipped;
            st->error += e * e;
            st->sum += v;
            st->ret_sum += ret[t];
            st->tokens += 1;
            dvalue[t] = w[i] * slope;
        }
}

void value_stats_add(struct value_stats *sum, const struct value_stats *part)
{
    sum->loss += part->loss;
    sum->tokens += part->tokens;
    sum->clipped += part->clipped;
    sum->error += part->error;
    sum->sum += part->sum;
    sum->ret_sum += part->ret_sum;
}
