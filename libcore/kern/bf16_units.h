/* The units of bf16.c, and what puts their operands in order: those that this compiler can
 * make. */
#ifndef CAGSR_KERN_BF16_UNITS_H
#define CAGSR_KERN_BF16_UNITS_H

#include "kern/bf16.h"

/* Loops of kern/bf16_order.h: parts of what bf16.h's functions of the left operand and of panels
 * do. */
struct bf16_order {
    void (*pieces)(uint32_t *w, size_t step, const float *x, size_t n);
    void (*across)(uint32_t *w, size_t apart, const float *x, size_t ld, size_t rows,
                   size_t n);
    void (*turn)(uint32_t *w, size_t ldw, const uint32_t *v, size_t ldv);
    void (*rows)(uint32_t *p, const float *W, size_t ldw, size_t wide, size_t K);
};

#if ISA_BF16
extern const struct bf16_order bf16_avx512_order;
extern const struct bf16_unit bf16_avx512_unit, bf16_amx_unit;
#endif

#endif
