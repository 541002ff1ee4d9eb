/*
 * The block formats of GGUF tensors, to float32 and (some of them) back, exactly as ggml's
 * reference does it.
 *
 * A row of K values is K / quant_block(type) blocks of quant_block_bytes(type) bytes.
 * d, m are f16 scales of a block; q its small integers:
 *     Q8_0  d q                   32 values, 34 bytes
 *     Q4_0  d (q - 8)             32, 18         Q4_1  d q + m     32, 20
 *     Q5_0  d (q - 16)            32, 22         Q5_1  d q + m     32, 24
 *     Q4_K  d sc q - dmin mn      256, 144; sc, mn: 6 bits for each 32 values
 *     Q5_K  the same, 5-bit q     256, 176
 *     Q6_K  d sc (q - 32)         256, 210; sc: 8 bits for each 16 values
 */
#ifndef CAGSR_IO_QUANT_H
#define CAGSR_IO_QUANT_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>

enum quant_type {
    QUANT_F32,
    QUANT_F16,
    QUANT_BF16,
    QUANT_Q8_0,
    QUANT_Q4_0,
    QUANT_Q4_1,
    QUANT_Q5_0,
    QUANT_Q5_1,
    QUANT_Q4_K,
    QUANT_Q5_K,
    QUANT_Q6_K,
    QUANT_TYPES,
};

/* The type with the number that GGUF files use: 0, or -1 if we do not read it. */
int quant_from_gguf(enum quant_type *out, uint32_t number);

/* "Q4_1"; for a number we do not read, what ggml calls it, or NULL. */
const char *quant_name(enum quant_type t);
const char *quant_gguf_name(uint32_t number);

/* The number that GGUF files use. */
uint32_t quant_gguf_number(enum quant_type t);

/* Values of one block (1 for the float types), and its bytes. */
size_t quant_block(enum quant_type t);
size_t quant_block_bytes(enum quant_type t);

/* Bytes of n values; n is a multiple of quant_block(t), and the product fits. */
size_t quant_bytes(enum quant_type t, size_t n);

/* n values (a multiple of quant_block(t)) to float, the same bits by every instruction set that
 * this processor has.  src may be unaligned.  Cannot fail; safe from many threads on disjoint
 * outputs. */
void quant_widen(enum isa isa, float *dst, const void *src, enum quant_type t,
                 size_t n);

/* 1 for the types that we write: the floats, Q8_0 and Q4_0. */
int quant_can_narrow(enum quant_type t);

/*
 * n finite floats (a multiple of quant_block(t)) to a type that quant_can_narrow.  Q8_0:
 * d = max |x| / 127, q the nearest integer; Q4_0: d = x / -8 for the x of the largest
 * magnitude, so that it is met exactly, q = floor(x / d + 8.5) in 0..15.  Returns how many
 * finite values, or scales of blocks, became infinite.  dst may be unaligned.
 */
size_t quant_narrow(void *dst, const float *src, enum quant_type t, size_t n);

#endif
