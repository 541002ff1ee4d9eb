/* The check that whatever enters a model, or leaves it, is made of numbers. */
#ifndef CAGSR_KERN_FINITE_H
#define CAGSR_KERN_FINITE_H

#include "kern/isa.h"

#include <stddef.h>

/* 1 if all n floats are finite. */
int all_finite(enum isa isa, const float *x, size_t n);

#endif
