/* The loops of bf16.c: kern/isa.h says how they are built.  Words are those of kern/bf16.h. */
#ifndef CAGSR_KERN_BF16_SIMD_H
#define CAGSR_KERN_BF16_SIMD_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

/* w ((n + 1) / 2): neighbours of x (n), 0 behind an odd n. */
ISA_DECLARE(bf16_along, (uint32_t * w, const float *x, size_t n));

/* The same in pieces of BF16_STEP numbers, their words `step` apart; behind n zeros. */
ISA_DECLARE(bf16_pieces, (uint32_t * w, size_t step, const float *x, size_t n));

/* n columns of x, whose `rows` rows lie ld apart: for each BF16_STRIP of them (rows + 1) / 2
 * times the words of neighbours in depth, side by side; strips `apart` words apart.  Behind
 * column n, and behind an odd row, zeros. */
ISA_DECLARE(bf16_across, (uint32_t * w, size_t apart, const float *x, size_t ld,
                          size_t rows, size_t n));

/* w (cols, rows), rows ldw apart, from v (rows, cols), rows ldv apart. */
ISA_DECLARE(bf16_turn, (uint32_t * w, size_t ldw, const uint32_t *v, size_t ldv,
                        size_t rows, size_t cols));

ISA_DECLARE(bf16_rounded, (float *y, const float *x, size_t n));

#endif
