#include "rl/kl.h"

#include <math.h>

enum { VALUE_CUT = 10 };

static double raw(enum kl_kind k, double d)
{
    switch (k) {
    case KL_K1: return d;
    case KL_K2: return 0.5 * d * d;
    case KL_K3: return expm1(-d) + d;
    }
    return 0;
}

double kl_value(enum kl_kind k, double logp, double ref)
{
    return fmin(fmax(raw(k, logp - ref), -VALUE_CUT), VALUE_CUT);
}

double kl_dlogp(enum kl_kind k, double logp, double ref)
{
    const double d = logp - ref;

    if (fabs(raw(k, d)) > VALUE_CUT)
        return 0;
    switch (k) {
    case KL_K1: return 1;
    case KL_K2: return d;
    case KL_K3: return -expm1(-d);
    }
    return 0;
}

void kl_control_update(struct kl_control *c, double kl, size_t n)
{
    if (c->target <= 0)
        return;
    const double e = fmin(fmax(kl / c->target - 1, -0.2), 0.2);
    c->beta *= 1 + e * (double)n / c->horizon;
}

double kl_best_of_n(size_t n)
{
    return log((double)n) - ((double)n - 1) / (double)n;
}
