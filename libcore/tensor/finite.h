/* The check that whatever enters a model, or leaves it, is made of numbers. */
#ifndef CAGSR_TENSOR_FINITE_H
#define CAGSR_TENSOR_FINITE_H

#include <stddef.h>

/* 1 if all n floats are finite. */
int all_finite(const float *x, size_t n);

#endif
