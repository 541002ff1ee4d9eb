#include "rl/policy.h"

#include <math.h>

/* What a ratio makes of an advantage. */
struct term {
    double l;   /* loss */
    double dlr; /* its derivative with respect to the log-ratio */
};

/* max(-A min(rho, cap), -A clip(rho)), then the dual clip.  d rho / d log-ratio = rho;
 * `live` is 0 where the log-ratio itself was cut.  Where both terms are equal the
 * unclipped one is taken: inside the range they are the same function. */
static struct term clip_term(const struct policy_opts *o, double rho, double live,
                             double A, double count, struct policy_stats *st)
{
    const double plain = -A * fmin(rho, o->cap);
    const double cut = -A * fmin(fmax(rho, 1 - o->low), 1 + o->high);
    struct term r = {.l = plain, .dlr = rho > o->cap ? 0 : -A * rho * live};

    if (cut > -A * rho)
        st->clipped += count;
    if (cut > plain)
        r = (struct term){.l = cut};
    if (A < 0 && r.l > -A * o->dual) {
        st->dual += count;
        r = (struct term){.l = -A * o->dual};
    }
    return r;
}

static double cut_ratio(const struct policy_opts *o, double lr, double *live)
{
    *live = fabs(lr) <= o->clamp;
    return fmin(fmax(lr, -o->clamp), o->clamp);
}

static void count_ratio(struct policy_stats *st, double lr, double count)
{
    const double rho = exp(lr);

    st->ratio += rho * count;
    st->ratio_max_dev = fmax(st->ratio_max_dev, fabs(rho - 1));
    st->approx_kl += (expm1(lr) - lr) * count;
}

/* One token of the kinds that judge tokens. */
static struct term token_term(const struct policy_opts *o, double logp, double old,
                              double A, struct policy_stats *st)
{
    double live;

    if (o->kind == POLICY_LOGLIK)
        return (struct term){.l = -A * logp, .dlr = -A};
    const double lr = cut_ratio(o, logp - old, &live), rho = exp(lr);
    count_ratio(st, lr, 1);
    if (o->kind == POLICY_CLIP)
        return clip_term(o, rho, live, A, 1, st);
    st->clipped += rho > o->cap;
    const double k = -fmin(rho, o->cap) * A; /* held constant */
    return (struct term){.l = k * logp, .dlr = k};
}

/* The term of a whole sequence, spread evenly over its T tokens' weights. */
static struct term seq_term(const struct policy_opts *o, const double *logp,
                            const double *old, size_t T, double A,
                            struct policy_stats *st)
{
    double lr = 0, live;

    for (size_t t = 0; t < T; t++)
        lr += logp[t] - old[t];
    if (o->kind == POLICY_SEQ_MEAN)
        lr /= (double)T;
    lr = cut_ratio(o, lr, &live);
    count_ratio(st, lr, (double)T);
    struct term r = clip_term(o, exp(lr), live, A, (double)T, st);
    /* T equal losses, each of which depends on all T tokens */
    r.dlr *= o->kind == POLICY_SEQ_MEAN ? 1 : (double)T;
    return r;
}

void policy_loss(double *dlogp, struct policy_stats *st, const struct seqs *s,
                 const double *logp, const double *old, const double *ref,
                 const double *adv, const double *w, const struct policy_opts *o)
{
    const int whole = o->kind == POLICY_SEQ_MEAN || o->kind == POLICY_SEQ_SUM;

    for (size_t i = 0; i < s->n; i++) {
        const size_t begin = s->off[i], T = seqs_len(s, i);
        struct term r = {0};
        if (whole && T > 0)
            r = seq_term(o, logp + begin, old + begin, T, adv[begin], st);
        for (size_t t = begin; t < begin + T; t++) {
            if (!whole)
                r = token_term(o, logp[t], old ? old[t] : 0, adv[t], st);
            double l = r.l, d = r.dlr;
            if (o->beta != 0) {
                const double kl = kl_value(o->kl, logp[t], ref[t]);
                l += o->beta * kl;
                d += o->beta * kl_dlogp(o->kl, logp[t], ref[t]);
                st->kl += kl;
            }
            st->loss += w[i] * l;
            dlogp[t] = w[i] * d;
        }
        st->tokens += (double)T;
        st->sequences += 1;
    }
}

void policy_stats_add(struct policy_stats *sum, const struct policy_stats *part)
{
    sum->loss += part->loss;
    sum->tokens += part->tokens;
    sum->sequences += part->sequences;
    sum->clipped += part->clipped;
    sum->dual += part->dual;
    sum->ratio += part->ratio;
    sum->ratio_max_dev = fmax(sum->ratio_max_dev, part->ratio_max_dev);
    sum->approx_kl += part->approx_kl;
    sum->kl += part->kl;
}
