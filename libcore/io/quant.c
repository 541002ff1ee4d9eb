#include "io/quant.h"

#include "io/quant_simd.h"
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

/* d as the block's f16 scale; 1 if it does not fit. */
static int put_scale(unsigned char *b, float d)
{
    const uint16_t h = f16_from_f32(d);

    memcpy(b, &h, 2);
    return isfinite(f32_from_f16(h)) == 0;
}

/* 1 / d; 0 where d is too small for that: its f16 is 0 as well. */
static float inverse(float d)
{
    const float id = d != 0 ? 1.0f / d : 0;

    return isfinite(id) ? id : 0;
}

static int to_q8_0(unsigned char *restrict b, const float *restrict x)
{
    float most = 0;

    for (int i = 0; i < 32; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    const float d = most / 127, id = inverse(d);
    for (int i = 0; i < 32; i++)
        b[2 + i] = (unsigned char)(signed char)roundf(x[i] * id);
    return put_scale(b, d);
}

/* The sum is rounded once, as a fused multiply-add does on the machines where ggml's
 * reference is compiled: the product of two floats is exact in double. */
static int nibble(float x, float id)
{
    const int q = (int)(float)((double)x * id + 8.5);

    return q < 15 ? q : 15;
}

static int to_q4_0(unsigned char *restrict b, const float *restrict x)
{
    float most = 0;

    for (int i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(most))
            most = x[i];
    const float d = most / -8, id = inverse(d); /* -0 for a block of zeros */
    for (int i = 0; i < 16; i++)
        b[2 + i] = (unsigned char)(nibble(x[i], id) | nibble(x[i + 16], id) << 4);
    return put_scale(b, d);
}

/* One row for each type.  `back` writes a block, 1 if its scale does not fit; NULL: the floats,
 * done by dtype, and what we do not write. */
static const struct {
    const char *name;
    uint32_t gguf;
    size_t block, bytes;
    int (*back)(unsigned char *restrict b, const float *restrict x);
} table[QUANT_TYPES] = {
    [QUANT_F32] = {"F32", 0, 1, 4, NULL},
    [QUANT_F16] = {"F16", 1, 1, 2, NULL},
    [QUANT_BF16] = {"BF16", 30, 1, 2, NULL},
    [QUANT_Q8_0] = {"Q8_0", 8, 32, 34, to_q8_0},
    [QUANT_Q4_0] = {"Q4_0", 2, 32, 18, to_q4_0},
    [QUANT_Q4_1] = {"Q4_1", 3, 32, 20, NULL},
    [QUANT_Q5_0] = {"Q5_0", 6, 32, 22, NULL},
    [QUANT_Q5_1] = {"Q5_1", 7, 32, 24, NULL},
    [QUANT_Q4_K] = {"Q4_K", 12, 256, 144, NULL},
    [QUANT_Q5_K] = {"Q5_K", 13, 256, 176, NULL},
    [QUANT_Q6_K] = {"Q6_K", 14, 256, 210, NULL},
};

int quant_from_gguf(enum quant_type *out, uint32_t number)
{
    for (int t = 0; t < QUANT_TYPES; t++)
        if (table[t].gguf == number) {
            *out = (enum quant_type)t;
            return 0;
        }
    return -1;
}

const char *quant_name(enum quant_type t)
{
    return table[t].name;
}

const char *quant_gguf_name(uint32_t number)
{
    static const char *const names[] = {
        [9] = "Q8_1",     [10] = "Q2_K",   [11] = "Q3_K",    [15] = "Q8_K",
        [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S",
        [20] = "IQ4_NL",  [21] = "IQ3_S",  [22] = "IQ2_S",   [23] = "IQ4_XS",
        [24] = "I8",      [25] = "I16",    [26] = "I32",     [27] = "I64",
        [28] = "F64",     [29] = "IQ1_M",  [34] = "TQ1_0",   [35] = "TQ2_0",
        [39] = "MXFP4",
    };
    enum quant_type t;

    if (quant_from_gguf(&t, number) == 0)
        return quant_name(t);
    return number < sizeof names / sizeof *names ? names[number] : NULL;
}

size_t quant_block(enum quant_type t)
{
    return table[t].block;
}

size_t quant_block_bytes(enum quant_type t)
{
    return table[t].bytes;
}

size_t quant_bytes(enum quant_type t, size_t n)
{
    return n / table[t].block * table[t].bytes;
}

uint32_t quant_gguf_number(enum quant_type t)
{
    return table[t].gguf;
}

/* The types without blocks, which come first. */
static const enum dtype plain[] = {
    [QUANT_F32] = DTYPE_F32, [QUANT_F16] = DTYPE_F16, [QUANT_BF16] = DTYPE_BF16};

static int is_plain(enum quant_type t)
{
    return t <= QUANT_BF16;
}

void quant_widen(enum isa isa, float *dst, const void *src, enum quant_type t, size_t n)
{
    if (is_plain(t))
        (void)dtype_widen(dst, src, plain[t], n);
    else
        ISA_CALL(isa, quant_blocks, (dst, src, t, n / table[t].block));
}

int quant_can_narrow(enum quant_type t)
{
    return is_plain(t) || table[t].back;
}

size_t quant_narrow(void *dst, const float *src, enum quant_type t, size_t n)
{
    unsigned char *b = dst;
    size_t lost = 0;

    if (is_plain(t))
        return (size_t)dtype_narrow(dst, src, plain[t], n);
    for (size_t i = 0; i < n / table[t].block; i++)
        lost += (size_t)table[t].back(b + i * table[t].bytes, src + i * table[t].block);
    return lost;
}
