#include "rl/dpo.h"

#include "rl/sigmoid.h"

/* The side's log-ratio to the reference; *per_token is its derivative in each logp. */
static double log_ratio(const struct dpo_side *s, enum dpo_kind kind, double *per_token)
{
    double sum = 0;

    for (size_t t = 0; t < s->T; t++)
        sum += s->logp[t] - s->ref[t];
    *per_token = kind == DPO_IPO_MEAN && s->T ? 1 / (double)s->T : 1;
    return sum * *per_token;
}

double dpo_pair(struct dpo_stats *st, const struct dpo_side *chosen,
                const struct dpo_side *rejected, double weight,
                const struct dpo_opts *o, double *margin)
{
    double per_c, per_r, loss, dh;
    const double c = log_ratio(chosen, o->kind, &per_c);
    const double r = log_ratio(rejected, o->kind, &per_r);
    const double h = c - r, z = o->beta * h;

    if (o->kind == DPO_SIGMOID) {
        loss = -(1 - o->smoothing) * log_sigmoid(z) - o->smoothing * log_sigmoid(-z);
        dh = o->beta * (o->smoothing * sigmoid(z) - (1 - o->smoothing) * sigmoid(-z));
    } else {
        const double e = h - 1 / (2 * o->beta);
        loss = e * e;
        dh = 2 * e;
    }
    for (size_t t = 0; t < chosen->T; t++)
        chosen->dlogp[t] = weight * dh * per_c;
    for (size_t t = 0; t < rejected->T; t++)
        rejected->dlogp[t] = -weight * dh * per_r;
    st->loss += weight * loss;
    st->pairs += 1;
    st->correct += h > 0;
    st->chosen += o->beta * c;
    st->rejected += o->beta * r;
    if (margin)
        *margin = h;
    return loss;
}
