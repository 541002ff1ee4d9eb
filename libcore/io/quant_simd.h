/* Blocks of GGUF tensors to float32, for each instruction set (kern/isa.h). */
#ifndef CAGSR_IO_QUANT_SIMD_H
#define CAGSR_IO_QUANT_SIMD_H

#include "io/quant.h"
#include "kern/isa.h"

/* n blocks at b, of a type that has blocks, to y (n * quant_block(t)); the same bits for every
 * set. */
ISA_DECLARE(quant_blocks, (float *restrict y, const unsigned char *restrict b,
                           enum quant_type t, size_t n));

#endif
