#include "metrics/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3000 };
#define GAIN 1e-10 /* relative; two steps in a row that gain less end it */

static double dot(const double *w, const float *d, size_t F)
{
    double s = 0;

    for (size_t f = 0; f < F; f++)
        s += w[f] * (double)d[f];
    return s;
}

struct problem {
    const float *d;
    size_t K, F;
    double ridge, unit; /* d is multiplied by unit */
};

/* log(1 + exp(-z)), and the derivative's factor 1 / (1 + exp(z)). */
static double softplus(double z, double *slope)
{
    const double q = exp(-fabs(z));

    *slope = z > 0 ? q / (1 + q) : 1 / (1 + q);
    return log1p(q) + (z > 0 ? 0 : -z);
}

/* The objective at w; its gradient into g (F), unless NULL. */
static double objective(double *g, const struct problem *p, const double *w)
{
    double sum = 0, slope;

    for (size_t f = 0; f < p->F; f++) {
        sum += p->ridge / 2 * w[f] * w[f];
        if (g)
            g[f] = p->ridge * w[f];
    }
    for (size_t k = 0; k < p->K; k++) {
        const float *d = p->d + k * p->F;

        sum += softplus(p->unit * dot(w, d, p->F), &slope) / (double)p->K;
        if (!g)
            continue;
        slope *= p->unit / (double)p->K;
        for (size_t f = 0; f < p->F; f++)
            g[f] -= slope * (double)d[f];
    }
    return sum;
}

/* 1 / L with L = ridge + |D|^2 / 4K, the Frobenius norm above the spectral one. */
static double step_length(const struct problem *p)
{
    double ss = 0;

    for (size_t i = 0; i < p->K * p->F; i++)
        ss += (double)p->d[i] * (double)p->d[i];
    return 1 / (p->ridge + p->unit * p->unit * ss / (4 * (double)p->K));
}

static double root_mean_square(const float *d, size_t n)
{
    double ss = 0;

    for (size_t i = 0; i < n; i++)
        ss += (double)d[i] * (double)d[i];
    return sqrt(ss / (double)n);
}

/* w out; v, g (F each): scratch. */
static void minimise(double *w, double *v, double *g, const struct problem *p)
{
    const double step = step_length(p);
    double t = 1, best = objective(NULL, p, w);

    memcpy(v, w, p->F * sizeof *v);
    for (size_t i = 0, still = 0; i < STEPS && still < 2; i++) {
        objective(g, p, v);
        const double next = (1 + sqrt(1 + 4 * t * t)) / 2, carry = (t - 1) / next;

        for (size_t f = 0; f < p->F; f++) {
            const double moved = fmax(0, v[f] - step * g[f]);

            v[f] = moved + carry * (moved - w[f]);
            w[f] = moved;
        }
        const double now = objective(NULL, p, w);
        if (now > best) { /* the momentum carried it too far */
            memcpy(v, w, p->F * sizeof *v);
            t = 1;
        } else {
            t = next;
        }
        still = fabs(best - now) < GAIN * best ? still + 1 : 0;
        best = now;
    }
}

int heads_fit(double *w, const float *d, size_t K, size_t F, double ridge,
              struct err *e)
{
    const double s = root_mean_square(d, K * F);
    struct problem p = {d, K, F, ridge, s > 0 ? 1 / s : 0};
    double *work = calloc(2 * F + 1, sizeof *work), sum = 0;

    if (!work)
        return err_set(e, ERR_NOMEM, "no memory for %zu weights", F);
    memset(w, 0, F * sizeof *w);
    minimise(w, work, work + F, &p);
    free(work);
    for (size_t f = 0; f < F; f++)
        sum += w[f];
    for (size_t f = 0; f < F && sum > 0; f++)
        w[f] /= sum;
    return 0;
}

double heads_share(const double *w, const float *d, size_t K, size_t F)
{
    double above = 0;

    for (size_t k = 0; k < K; k++) {
        const double z = dot(w, d + k * F, F);

        above += z > 0 ? 1 : z < 0 ? 0 : 0.5;
    }
    return K ? above / (double)K : (double)NAN;
}
