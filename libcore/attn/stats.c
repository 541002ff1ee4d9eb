#include "attn/stats.h"

#include "attn/entropy_simd.h"

#include <float.h>
#include <math.h>

void attn_add(double *A, const double *x, size_t n, double w)
{
    for (size_t i = 0; i < n; i++)
        A[i] += w * x[i];
}

void attn_add_f32(double *A, const float *x, size_t n, double w)
{
    for (size_t i = 0; i < n; i++)
        A[i] += w * (double)x[i];
}

void attn_widen(double *A, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        A[i] = (double)x[i];
}

int attn_check(const double *A, size_t T, size_t P, struct err *e)
{
    for (size_t t = 0; t < T; t++) {
        const double *row = A + t * P;
        size_t good = 0;

        for (size_t j = 0; j < P; j++)
            good += (row[j] >= 0) & (row[j] <= DBL_MAX); /* no branch: a vector loop */
        if (good == P)
            continue;
        for (size_t j = 0; j < P; j++)
            if (!(row[j] >= 0 && row[j] <= DBL_MAX))
                return err_set(e, ERR_NUMERIC,
                               "attention of step %zu to position %zu is %g", t, j,
                               row[j]);
    }
    return 0;
}

size_t attn_support(uint32_t *pos, const unsigned char *mask, size_t P)
{
    size_t n = 0;

    for (size_t j = 0; j < P; j++)
        if (mask[j])
            pos[n++] = (uint32_t)j;
    return n;
}

static double gather(const double *row, const uint32_t *pos, size_t n)
{
    double m = 0;

    for (size_t i = 0; i < n; i++)
        m += row[pos[i]];
    return m;
}

void attn_masses(double *support, double *sink, double *response,
                 const struct attn_rows *r)
{
    for (size_t t = 0; t < r->T; t++) {
        const double *row = r->A + t * r->P;
        double all = 0;

        for (size_t j = 0; j < r->P; j++)
            all += row[j];
        support[t] = gather(row, r->pos, r->n);
        sink[t] = all - support[t];
        response[t] = 1 - all;
    }
}

size_t attn_kept(size_t *kept, double *mass, const struct attn_rows *r)
{
    size_t n = 0;

    for (size_t t = 0; t < r->steps; t++) {
        const double m = gather(r->A + t * r->P, r->pos, r->n);

        if (m >= ATTN_MASS_MIN) {
            kept[n] = t;
            mass[n++] = m;
        }
    }
    return n;
}

void attn_renormalise(double *a, const struct attn_rows *r, size_t t, double mass)
{
    const double *row = r->A + t * r->P;

    for (size_t i = 0; i < r->n; i++)
        a[i] = row[r->pos[i]] / mass;
}

/* With a = A / m:  -sum a log a = log m - sum A log A / m, one division per row. */
double attn_entropy(const struct attn_rows *r, size_t t, double mass)
{
    double sum;

    ISA_CALL(isa_best(), attn_a_log_a, (&sum, r->A + t * r->P, r->pos, r->n));
    return log(mass) - sum / mass;
}
