#include "nn/linear_simd.h"

#include "kern/vec.h"

void ISA_NAME(linear_add)(float *y, size_t ldy, const float *x, size_t ldx, size_t M,
                          size_t N)
{
    for (size_t m = 0; m < M; m++) {
        float *ym = y + m * ldy;
        const float *xm = x + m * ldx;

        for (size_t n = 0; n < N; n += VEC)
            vec_put(ym, n, N, vec_at(ym, n, N, 0) + vec_at(xm, n, N, 0));
    }
}

void ISA_NAME(linear_sum)(float *db, const float *dy, size_t ld, size_t M, size_t n)
{
    for (size_t i = 0; i < n; i += VEC) {
        vdouble lo = {0}, hi = {0};
        float sum[VEC];

        for (size_t m = 0; m < M; m++) {
            const vfloat v = vec_at(dy + m * ld, i, n, 0);

            lo += vec_low(v);
            hi += vec_high(v);
        }
        for (size_t l = 0; l < VEC / 2; l++) {
            sum[l] = (float)lo[l];
            sum[VEC / 2 + l] = (float)hi[l];
        }
        vec_put(db, i, n, vec_at(db, i, n, 0) + vec_load(sum));
    }
}
