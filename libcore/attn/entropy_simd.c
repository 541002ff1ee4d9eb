#include "attn/entropy_simd.h"

#include "kern/vec.h"

enum { LANES = VEC / 2 };
typedef uint64_t vword __attribute__((vector_size(VEC_BYTES)));

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

void ISA_NAME(attn_a_log_a)(double *sum, const double *row, const uint32_t *pos,
                            size_t n)
{
    vdouble all = {0};

    *sum = 0;
    for (size_t i = 0; i < n; i += LANES) {
        vdouble a = {0};

        for (size_t lane = 0; lane < LANES && i + lane < n; lane++)
            a[lane] = row[pos[i + lane]];
        all += a * vec_log(a);
    }
    for (size_t lane = 0; lane < LANES; lane++)
        *sum += all[lane];
}
