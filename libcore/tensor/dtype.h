/*
 * Element types of tensors in files, and bf16 and f16 to float and back.
 *
 * bf16 is the upper half of a float32; f16 is IEEE 754 binary16.  Narrowing rounds to
 * nearest, ties to even, as numpy and torch do; widening is exact.  NaN stays NaN.
 */
#ifndef CAGSR_TENSOR_DTYPE_H
#define CAGSR_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_I8,
    DTYPE_U8,
    DTYPE_BOOL,
    DTYPE_COUNT,
};

/* Bytes of one element. */
size_t dtype_size(enum dtype t);

/* "F32", "BF16" ... as safetensors writes them. */
const char *dtype_name(enum dtype t);

/* The type with that name: n bytes, upper case.  0, or -1 if there is none. */
int dtype_parse(enum dtype *out, const char *name, size_t n);

/* The bits of a float, and back. */
static inline uint32_t f32_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float f32_from_bits(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* The exponent's bias differs by 112: a product with 2^112 moves it and normalises
 * subnormals on the way.  Only infinity and NaN need their exponent set. */
static inline float f32_from_f16(uint16_t h)
{
    const uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    const uint32_t special = (h & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
    const uint32_t u = f32_bits(f32_from_bits(magnitude) * 0x1p112f) | special;

    return f32_from_bits(u | (uint32_t)(h & 0x8000) << 16);
}

static inline float f32_from_bf16(uint16_t h)
{
    return f32_from_bits((uint32_t)h << 16);
}

uint16_t f16_from_f32(float x); /* beyond 65504: infinity */
uint16_t bf16_from_f32(float x);

/* n elements at src, which may be unaligned, to float; 0, or -1 if t is not F32, F16 or
 * BF16.  dst may not overlap src. */
int dtype_widen(float *dst, const void *src, enum dtype t, size_t n);

/* n floats to F32, F16 or BF16 at dst, which may be unaligned.  Returns the number of
 * finite values that became infinite, or -1 if t is none of the three. */
long dtype_narrow(void *dst, const float *src, enum dtype t, size_t n);

#endif
