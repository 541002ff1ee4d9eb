/* The units of bf16.c, and what puts their operands in order: those that this compiler can
 * make. */
#ifndef CAGSR_KERN_BF16_UNITS_H
#define CAGSR_KERN_BF16_UNITS_H

#include "kern/bf16.h"
#include "kern/bf16_simd.h"

#if ISA_BF16
extern const struct bf16_order bf16_avx512_order;
extern const struct bf16_unit bf16_avx512_unit, bf16_amx_unit;
#endif

#endif
