#include "rl/advantage.h"

#include <math.h>
#include <string.h>

/* Count, sum and squared deviations of each group, in scratch (3 n). */
struct groups {
    double *count, *mean, *dev;
};

static struct groups groups_measure(const double *x, const size_t *group, size_t n,
                                    double *scratch)
{
    struct groups g = {scratch, scratch + n, scratch + 2 * n};

    memset(scratch, 0, 3 * n * sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) {
            g.count[group[i]] += 1;
            g.mean[group[i]] += x[i];
        }
    for (size_t k = 0; k < n; k++)
        if (g.count[k] > 0)
            g.mean[k] /= g.count[k];
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) {
            const double d = x[i] - g.mean[group[i]];
            g.dev[group[i]] += d * d;
        }
    for (size_t k = 0; k < n; k++)
        g.dev[k] = g.count[k] > 1 ? sqrt(g.dev[k] / (g.count[k] - 1)) : 0;
    return g;
}

double advantage_std(const double *reward, size_t n)
{
    double count = 0, mean = 0, dev = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(reward[i])) {
            count += 1;
            mean += reward[i];
        }
    if (count < 2)
        return 0;
    mean /= count;
    for (size_t i = 0; i < n; i++)
        if (!isnan(reward[i]))
            dev += (reward[i] - mean) * (reward[i] - mean);
    return sqrt(dev / (count - 1));
}

/* d / (std + eps), 0 where nothing spreads: 0/0 has no sign to learn from. */
static double scaled(double d, double std, double eps)
{
    return std + eps > 0 ? d / (std + eps) : 0;
}

size_t advantage_group(double *adv, const double *reward, const size_t *group, size_t n,
                       enum advantage_scale scale, struct advantage_eps eps,
                       double *scratch)
{
    const struct groups g = groups_measure(reward, group, n, scratch);
    const double batch = advantage_std(reward, n), e = fmax(eps.abs, eps.rel * batch);
    size_t flat = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t k = group[i];
        const double d = reward[i] - g.mean[k];
        if (isnan(reward[i]) || g.count[k] < 2)
            adv[i] = 0;
        else if (scale == SCALE_NONE)
            adv[i] = d;
        else
            adv[i] = scaled(d, scale == SCALE_GROUP ? g.dev[k] : batch, e);
    }
    for (size_t k = 0; k < n; k++)
        flat += g.count[k] > 1 && g.dev[k] == 0;
    return flat;
}

void advantage_leave_one_out(double *adv, const double *reward, const size_t *group,
                             size_t n, double *scratch)
{
    const struct groups g = groups_measure(reward, group, n, scratch);

    for (size_t i = 0; i < n; i++) {
        const double k = g.count[group[i]];
        adv[i] = isnan(reward[i]) || k < 2
                     ? 0
                     : k / (k - 1) * (reward[i] - g.mean[group[i]]);
    }
}

void advantage_multi(double *adv, const double *component, const double *weight,
                     size_t K, const size_t *group, size_t n, struct advantage_eps eps,
                     double *scratch)
{
    double *sum = scratch, *z = scratch + n, mean = 0, count = 0;

    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < K; k++)
            if (isnan(component[k * n + i]))
                sum[i] = NAN;
    for (size_t k = 0; k < K; k++) {
        /* what is left out is left out of every component's mean */
        for (size_t i = 0; i < n; i++)
            adv[i] = isnan(sum[i]) ? NAN : component[k * n + i];
        advantage_group(z, adv, group, n, SCALE_GROUP, eps, scratch + 2 * n);
        for (size_t i = 0; i < n; i++)
            sum[i] += weight[k] * z[i];
    }
    for (size_t i = 0; i < n; i++)
        if (!isnan(sum[i])) {
            mean += sum[i];
            count += 1;
        }
    const double std = advantage_std(sum, n), e = fmax(eps.abs, eps.rel * std);
    for (size_t i = 0; i < n; i++)
        adv[i] = isnan(sum[i]) ? 0 : scaled(sum[i] - mean / count, std, e);
}

void advantage_running_mean(struct advantage_running *r, double *adv,
                            const double *reward, size_t n)
{
    double sum = 0, count = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(reward[i])) {
            sum += reward[i];
            count += 1;
        }
    const double mean = r->count > 0 ? r->sum / r->count : count > 0 ? sum / count : 0;
    for (size_t i = 0; i < n; i++)
        adv[i] = isnan(reward[i]) ? 0 : reward[i] - mean;
    r->sum += sum;
    r->count += count;
}

/* The first of the largest sign * reward in group g, or n. */
static size_t extreme(const double *reward, const size_t *group, size_t n, size_t g,
                      double sign)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++)
        if (group[i] == g && !isnan(reward[i]) &&
            (best == n || sign * reward[i] > sign * reward[best]))
            best = i;
    return best;
}

size_t advantage_best(const double *reward, const size_t *group, size_t n, size_t g)
{
    return extreme(reward, group, n, g, 1);
}

size_t advantage_worst(const double *reward, const size_t *group, size_t n, size_t g)
{
    return extreme(reward, group, n, g, -1);
}

double advantage_overlong(size_t length, size_t t_max, size_t buffer)
{
    const size_t free_up_to = t_max > buffer ? t_max - buffer : 0;

    if (length <= free_up_to)
        return 0;
    if (length > t_max)
        return -1;
    return -(double)(length - free_up_to) / (double)buffer;
}
