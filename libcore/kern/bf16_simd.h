/* The loops of bf16.c: kern/isa.h says how they are built.  Words are those of kern/bf16.h. */
#ifndef CAGSR_KERN_BF16_SIMD_H
#define CAGSR_KERN_BF16_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* What puts a unit's operands in order: parts of what bf16.h's functions of the left operand and
 * of panels do. */
struct bf16_order {
    /* bf16_narrow. */
    void (*past)(uint16_t *h, size_t ldh, const float *x, size_t ldx, size_t rows,
                 size_t n);
    /* A tile of the left operand: the words of neighbours of x (rows, n), rows ld apart, in pieces of
     * BF16_STEP numbers, those of a row behind those of the row before; from piece to piece `step`
     * words.  Behind n zeros. */
    void (*left)(uint32_t *w, size_t step, const float *x, size_t ld, size_t rows,
                 size_t n);
    /* n columns of x, whose `rows` rows lie ld apart: for each BF16_BAND of them (rows + 1) / 2
     * times the words of neighbours in depth, side by side; bands `apart` words apart.  Behind
     * column n, and behind an odd row, zeros. */
    void (*across)(uint32_t *w, size_t apart, const float *x, size_t ld, size_t rows,
                   size_t n);
    /* w (16, 16), rows ldw apart, from v (16, 16), rows ldv apart: transposed. */
    void (*turn)(uint32_t *w, size_t ldw, const uint32_t *v, size_t ldv);
    /* A strip of a band from the rows of `wide` columns W (wide, K), ldw apart; then zeros. */
    void (*rows)(uint32_t *p, const float *W, size_t ldw, size_t wide, size_t K);
};

ISA_DECLARE_TABLE(struct bf16_order, bf16_order);

/* y (n) = x rounded, as float32; y may be x. */
ISA_DECLARE(bf16_rounded, (float *y, const float *x, size_t n));
ISA_DECLARE(bf16_widened, (float *x, const uint16_t *h, size_t n));

#endif
