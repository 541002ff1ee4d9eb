#include "attn/stats.h"

#include "attn/rows_simd.h"

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
    ISA_CALL(isa_best(), attn_doubles, (A, x, n));
}

int attn_check(const double *A, size_t T, size_t P, struct err *e)
{
    int good;

    ISA_CALL(isa_best(), attn_all_good, (&good, A, T * P));
    for (size_t i = 0; i < T * P && !good; i++)
        if (!(A[i] >= 0 && A[i] <= DBL_MAX))
            return err_set(e, ERR_NUMERIC,
                           "attention of step %zu to position %zu is %g", i / P, i % P,
                           A[i]);
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

/* With a = A / m:  -sum a log a = log m - sum A log A / m, one division per row. */
size_t attn_kept(size_t *kept, double *mass, double *entropy, const struct attn_rows *r)
{
    size_t n = 0;

    ISA_CALL(isa_best(), attn_sums,
             (mass, entropy, r->A, r->P, r->steps, r->pos, r->n));
    for (size_t t = 0; t < r->steps; t++) {
        const double m = mass[t];

        if (m >= ATTN_MASS_MIN) {
            kept[n] = t;
            mass[n] = m;
            entropy[n++] = log(m) - entropy[t] / m;
        }
    }
    return n;
}

double attn_best(size_t *step, const struct attn_rows *r, size_t first,
                 const uint32_t *pos, size_t n)
{
    const size_t steps = r->steps > first ? r->steps - first : 0;
    double top;

    ISA_CALL(isa_best(), attn_peak,
             (&top, step, r->A + first * r->P, r->P, steps, pos, n));
    *step += first;
    return top;
}
