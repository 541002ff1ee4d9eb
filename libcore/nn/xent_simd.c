#include "nn/xent_simd.h"

#include "kern/halves.h"
#include "tensor/dims.h"

#include <math.h>

/* max(v, lo), but NaN stays NaN. */
ISA_BODY vfloat not_below(vfloat v, float lo)
{
    return vec_max(vec_set(lo), v);
}

ISA_BODY float row_max(const float *z, size_t V)
{
    vfloat m = vec_set(-INFINITY);

    for (size_t i = 0; i < V; i += VEC)
        m = vec_max(vec_at(z, i, V, -INFINITY), m);
    return vec_peak(m);
}

/* v rounded to nearest, ties to even, at element i of a row of n: all, or what is left of the row.
 * NaN may become a number (unlike half_of's): the row's sum is NaN then, and so are its gradients. */
ISA_BODY void put_rounded(uint16_t *p, size_t i, size_t n, vfloat v)
{
    const vword u = (vword)v, near = (u + 0x7fffu + (u >> 16 & 1)) >> 16;
    const vshort_half h = __builtin_convertvector(near, vshort_half);
    uint16_t lane[VEC];

    if (n - i >= VEC) {
        memcpy(p + i, &h, sizeof h);
        return;
    }
    memcpy(lane, &h, sizeof h);
    for (size_t l = 0; l < n - i; l++)
        p[i + l] = lane[l];
}

/* The same back; zeros behind the row. */
ISA_BODY vfloat rounded_at(const uint16_t *p, size_t i, size_t n)
{
    uint16_t lane[VEC] = {0};

    if (n - i >= VEC)
        return widened(p + i);
    for (size_t l = 0; l < n - i; l++)
        lane[l] = p[i + l];
    return widened(lane);
}

/* Adds n logits to a row's sums, with u - max = a <= 0:  e += exp(a),  eu += exp(a) a.  Keeps
 * exp(a) where `kept` is not NULL. */
ISA_BODY void add_exps(struct xent_sums *s, const float *z, size_t n, float max,
                       float inv, uint16_t *kept)
{
    vdouble e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0};

    for (size_t i = 0; i < n; i += VEC) {
        /* The filler is far below every logit, but finite: exp is 0 and 0 a is 0. */
        const vfloat a = not_below((vec_at(z, i, n, -INFINITY) - max) * inv, -1e4f);
        const vfloat e = vec_exp(a), f = e * a;

        e0 += vec_low(e);
        e1 += vec_high(e);
        f0 += vec_low(f);
        f1 += vec_high(f);
        if (kept)
            put_rounded(kept, i, n, e);
    }
    s->e += vec_sum_double(e0 + e1);
    s->eu += vec_sum_double(f0 + f1);
}

/* From the largest logit so far to a larger one. */
static void raise_max(struct xent_sums *s, float max, double inv)
{
    const double by = ((double)s->max - (double)max) * inv, scale = exp(by);

    if (s->max > -INFINITY) { /* else there is nothing yet, or no number */
        s->eu = scale * (s->eu + by * s->e);
        s->e *= scale;
    }
    s->max = max;
}

ISA_BODY void add_block(struct xent_sums *s, const float *z, size_t n, double inv,
                        uint16_t *kept)
{
    const float max = row_max(z, n);

    if (max > s->max)
        raise_max(s, max, inv);
    /* against 0 as long as all is -infinity, so that what is no number is seen */
    add_exps(s, z, n, s->max > -INFINITY ? s->max : 0, (float)inv, kept);
}

/* Exponentials are kept where there is room for them: of a part, a block with one peak. */
void ISA_NAME(xent_rows_add)(const struct xent_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        const float *z = j->z + n * j->V;
        const double inv = 1 / (double)j->temperature[n];
        const size_t at = (size_t)j->target[n] - j->from; /* large, if not here */

        for (size_t i = 0; i < j->V; i += XENT_BLOCK)
            add_block(&j->sums[n], z + i, least(j->V - i, XENT_BLOCK), inv,
                      j->e ? j->e + n * j->V + i : NULL);
        if (j->e)
            j->peak[n] = j->sums[n].max;
        if (at < j->V)
            j->sums[n].target = z[at];
    }
}

void ISA_NAME(xent_rows_back)(const struct xent_job *j, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        const float *z = j->z + n * j->V;
        float *dz = j->dz + n * j->V;
        const float inv = 1 / j->temperature[n], lse = j->lse[n];
        const float a = j->dlogp[n] * inv;
        const float b = j->dentropy ? j->dentropy[n] * inv : 0;
        const float h = j->dentropy ? j->entropy[n] : 0;

        for (size_t i = 0; i < j->V; i += VEC) {
            const vfloat logp = not_below(vec_at(z, i, j->V, 0) * inv - lse, -1e4f);

            vec_put(dz, i, j->V, -vec_exp(logp) * (a + b * (logp + h)));
        }
        dz[j->target[n]] += a;
    }
}

/* The caller's next block lies beside this one.  Its rows are two cache lines, far apart, and come
 * from memory, for which processors do not ask by themselves. */
ISA_BODY void ask_ahead(const uint16_t *e)
{
    enum { LINE = 64 / sizeof *e };

    __builtin_prefetch(e);
    __builtin_prefetch(e + LINE);
}

/* Where e is 0 its logarithm is some number: vec_logf. */
void ISA_NAME(xent_kept_block)(float *dz, size_t ld, const uint16_t *e, size_t lde,
                               const struct xent_rate *rate, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, dz += ld, e += lde) {
        const float a = rate[r].e, b = rate[r].e_log_e;

        ask_ahead(e + cols);
        if (b == 0) {
            for (size_t i = 0; i < cols; i += VEC)
                vec_put(dz, i, cols, rounded_at(e, i, cols) * a);
            continue;
        }
        for (size_t i = 0; i < cols; i += VEC) {
            const vfloat v = rounded_at(e, i, cols);

            vec_put(dz, i, cols, v * (vec_logf(v) * b + a));
        }
    }
}
