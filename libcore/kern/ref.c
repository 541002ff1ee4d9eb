#include "kern/ref.h"

static void put(float *y, double sum, float beta)
{
    *y = (float)(beta == 0 ? sum : sum + (double)beta * *y);
}

void ref_gemm_nt(float *y, size_t ldy, const float *x, size_t ldx, const float *W,
                 size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double s = 0;

            for (size_t k = 0; k < K; k++)
                s += (double)x[m * ldx + k] * W[n * ldw + k];
            put(y + m * ldy + n, s, beta);
        }
}

void ref_gemm_nn(float *dx, size_t lddx, const float *dy, size_t lddy, const float *W,
                 size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    for (size_t m = 0; m < M; m++)
        for (size_t k = 0; k < K; k++) {
            double s = 0;

            for (size_t n = 0; n < N; n++)
                s += (double)dy[m * lddy + n] * W[n * ldw + k];
            put(dx + m * lddx + k, s, beta);
        }
}

void ref_gemm_tn(float *dW, size_t lddw, const float *dy, size_t lddy, const float *x,
                 size_t ldx, size_t M, size_t N, size_t K, float beta)
{
    for (size_t n = 0; n < N; n++)
        for (size_t k = 0; k < K; k++) {
            double s = 0;

            for (size_t m = 0; m < M; m++)
                s += (double)dy[m * lddy + n] * x[m * ldx + k];
            put(dW + n * lddw + k, s, beta);
        }
}
