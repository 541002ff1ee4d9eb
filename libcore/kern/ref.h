/*
 * The slow, obvious twins of the kernels: what they must agree with.  For tests.
 * Sums are in double, in order, and rounded once.
 */
#ifndef CAGSR_KERN_REF_H
#define CAGSR_KERN_REF_H

#include <stddef.h>

/* As gemm_nt, gemm_nn, gemm_tn of kern/gemm.h. */
void ref_gemm_nt(float *y, size_t ldy, const float *x, size_t ldx, const float *W,
                 size_t ldw, size_t M, size_t N, size_t K, float beta);
void ref_gemm_nn(float *dx, size_t lddx, const float *dy, size_t lddy, const float *W,
                 size_t ldw, size_t M, size_t N, size_t K, float beta);
void ref_gemm_tn(float *dW, size_t lddw, const float *dy, size_t lddy, const float *x,
                 size_t ldx, size_t M, size_t N, size_t K, float beta);

#endif
