#include "rl/gae.h"

#include "rl/kl.h"

#include <math.h>

void gae_token_rewards(double *r, const struct seqs *s, const double *logp_old,
                       const double *ref, const double *reward, double beta)
{
    for (size_t i = 0; i < s->n; i++) {
        const size_t end = s->off[i + 1];
        for (size_t t = s->off[i]; t < end; t++)
            r[t] = ref ? -beta * kl_value(KL_K1, logp_old[t], ref[t]) : 0;
        if (end > s->off[i] && !isnan(reward[i]))
            r[end - 1] += reward[i];
    }
}

void gae(double *adv, double *ret, const struct seqs *s, const double *r,
         const double *value, double gamma, double lambda)
{
    for (size_t i = 0; i < s->n; i++) {
        double next_value = 0, next_adv = 0;
        for (size_t t = s->off[i + 1]; t-- > s->off[i];) {
            const double delta = r[t] + gamma * next_value - value[t];
            next_value = value[t];
            next_adv = delta + gamma * lambda * next_adv;
            adv[t] = next_adv;
            ret[t] = next_adv + value[t];
        }
    }
}

void gae_reward_to_go(double *g, const struct seqs *s, const double *r, double gamma)
{
    for (size_t i = 0; i < s->n; i++) {
        double acc = 0;
        for (size_t t = s->off[i + 1]; t-- > s->off[i];) {
            acc = r[t] + gamma * acc;
            g[t] = acc;
        }
    }
}
