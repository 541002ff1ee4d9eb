/* kern/finite.h for each instruction set. */
#ifndef CAGSR_KERN_FINITE_SIMD_H
#define CAGSR_KERN_FINITE_SIMD_H

#include "kern/isa.h"

#include <stddef.h>

/* *yes = 1 if every x (n) is finite, else 0. */
ISA_DECLARE(finite, (int *yes, const float *x, size_t n));

#endif
