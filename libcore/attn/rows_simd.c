#include "attn/rows_simd.h"

#include "kern/vec.h"

#include <float.h>

enum { LANES = VEC / 2 };
typedef uint64_t vword __attribute__((vector_size(VEC_BYTES)));
typedef int64_t vindex __attribute__((vector_size(VEC_BYTES))); /* truths: -1 or 0 */

#define LN2 0.693147180559945309417
#define BITS_ONE UINT64_C(0x3ff0000000000000)
#define BITS_LOW UINT64_C(0x3fe6a09e667f3bcd) /* sqrt(1/2) */
#define BITS_MANTISSA UINT64_C(0x000fffffffffffff)
#define BITS_2_52 UINT64_C(0x4330000000000000)

/*
 * log x of x >= 0, within a few units in the last place (finite for 0 and wrong for
 * subnormal x: times x, both are 0).  x = 2^k m, m in [sqrt(1/2), sqrt(2)), and
 * log m = 2 atanh s = 2 (s + s^3/3 + s^5/5 + ...), s = (m-1)/(m+1), |s| < .172.
 */
ISA_BODY vdouble vec_log(vdouble x)
{
    const vword u = (vword)x + (BITS_ONE - BITS_LOW);
    const vdouble m = (vdouble)((u & BITS_MANTISSA) + BITS_LOW);
    /* An integer below 2^52 in the mantissa of 2^52 adds itself. */
    const vdouble k = (vdouble)(u >> 52 | BITS_2_52) - (0x1p52 + 1023);
    const vdouble s = (m - 1) / (m + 1), z = s * s;
    vdouble sum = {0};

    for (int odd = 21; odd > 1; odd -= 2)
        sum = (sum + 1.0 / odd) * z;
    return k * LN2 + 2 * s * (1 + sum);
}

/* ---- LANES rows ------------------------------------------------------------------------- */
/*
 * Rows are taken in blocks of LANES, one in each lane; the last block reaches back where
 * they do not come out even.  Of fewer rows than LANES each is a block, in all lanes.
 */
struct blocks {
    size_t rows;   /* of a block */
    size_t stride; /* from lane to lane */
};

ISA_BODY struct blocks blocks_of(size_t steps, size_t P)
{
    return steps < LANES ? (struct blocks){1, 0} : (struct blocks){LANES, P};
}

ISA_BODY size_t block_start(struct blocks b, size_t t, size_t steps)
{
    return steps - t < b.rows ? steps - b.rows : t;
}

/* What a block's rows have at x, the place in the first one. */
ISA_BODY vdouble column(const double *x, size_t stride)
{
    vdouble a;

    for (size_t lane = 0; lane < LANES; lane++, x += stride)
        a[lane] = *x;
    return a;
}

/* Every LANES'th term goes into a sum of its own, for an addition waits for the one before
 * it. */
ISA_BODY void sums(vdouble *mass, vdouble *a_log_a, const double *row, size_t stride,
                   const uint32_t *pos, size_t n)
{
    vdouble m = {0}, part[LANES] = {{0}}, all = {0};

    for (size_t i = 0; i < n; i += LANES)
        UNROLL
    for (size_t k = 0; k < LANES; k++)
        if (i + k < n) {
            const vdouble a = column(row + pos[i + k], stride);

            m += a;
            part[k] += a * vec_log(a);
        }
    for (size_t k = 0; k < LANES; k++)
        all += part[k];
    *mass = m;
    *a_log_a = all;
}

void ISA_NAME(attn_sums)(double *mass, double *a_log_a, const double *A, size_t P,
                         size_t steps, const uint32_t *pos, size_t n)
{
    const struct blocks b = blocks_of(steps, P);
    vdouble m, l;

    for (size_t t = 0; t < steps; t += b.rows) {
        const size_t from = block_start(b, t, steps);

        sums(&m, &l, A + from * P, b.stride, pos, n);
        for (size_t lane = 0; lane < b.rows; lane++) {
            mass[from + lane] = m[lane];
            a_log_a[from + lane] = l[lane];
        }
    }
}

/* ---- the largest ------------------------------------------------------------------------ */
void ISA_NAME(attn_peak)(double *top, size_t *step, const double *A, size_t P,
                         size_t steps, const uint32_t *pos, size_t n)
{
    const struct blocks b = blocks_of(steps, P);
    vdouble most = {0};
    vindex at = {0}, lanes;

    for (size_t lane = 0; lane < LANES; lane++)
        lanes[lane] = (int64_t)lane;
    for (size_t t = 0; t < steps; t += b.rows) {
        const size_t from = block_start(b, t, steps);
        const double *row = A + from * P;
        vdouble m = {0};

        for (size_t i = 0; i < n; i++)
            m += column(row + pos[i], b.stride);
        const vindex more = m > most, now = lanes + (int64_t)from;
        most = (vdouble)((more & (vindex)m) | (~more & (vindex)most));
        at = (more & now) | (~more & at);
    }
    *top = most[0];
    *step = (size_t)at[0];
    for (size_t lane = 1; lane < LANES; lane++)
        if (most[lane] > *top || (most[lane] == *top && (size_t)at[lane] < *step)) {
            *top = most[lane];
            *step = (size_t)at[lane];
        }
}

/* ---- all columns ------------------------------------------------------------------------ */
void ISA_NAME(attn_doubles)(double *A, const float *x, size_t n)
{
    size_t i = 0;

    for (; i + VEC <= n; i += VEC) {
        const vfloat v = vec_load(x + i);
        const vdouble low = vec_low(v), high = vec_high(v);

        memcpy(A + i, &low, sizeof low);
        memcpy(A + i + LANES, &high, sizeof high);
    }
    for (; i < n; i++)
        A[i] = (double)x[i];
}

void ISA_NAME(attn_all_good)(int *good, const double *x, size_t n)
{
    vindex all = (vindex){0} - 1;
    int rest = 1;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        vdouble v;

        memcpy(&v, x + i, sizeof v);
        all &= (v >= 0) & (v <= DBL_MAX);
    }
    for (; i < n; i++)
        rest &= (x[i] >= 0) & (x[i] <= DBL_MAX);
    for (size_t lane = 0; lane < LANES; lane++)
        rest &= all[lane] != 0;
    *good = rest;
}
