#include "io/quant.h"

#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

/*
 * Every product here is exact (f16 scales have 11 bits, integers at most 8 and 6 more),
 * so there is one rounding, that of the sum, and contraction to fused multiply-add
 * changes nothing: the values are ggml's bit for bit.
 */

static float f16_at(const unsigned char *p)
{
    uint16_t h;

    memcpy(&h, p, 2);
    return f32_from_f16(h);
}

static void q8_0(float *restrict y, const unsigned char *restrict b)
{
    const float d = f16_at(b);

    for (int i = 0; i < 32; i++)
        y[i] = d * (float)(signed char)b[2 + i];
}

/* Low nibbles are the first 16 values, high ones the other 16.  Types without a minimum
 * pass -0.0, which leaves even a negative zero as it is. */
static inline void nibbles(float *restrict y, const unsigned char *restrict q, float d,
                           float m, int zero)
{
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((q[i] & 15) - zero) + m;
        y[i + 16] = d * (float)((q[i] >> 4) - zero) + m;
    }
}

static void q4_0(float *restrict y, const unsigned char *restrict b)
{
    nibbles(y, b + 2, f16_at(b), -0.0f, 8);
}

static void q4_1(float *restrict y, const unsigned char *restrict b)
{
    nibbles(y, b + 4, f16_at(b), f16_at(b + 2), 0);
}

/* The same with a fifth bit for each value in qh. */
static inline void quints(float *restrict y, const unsigned char *restrict q,
                          uint32_t qh, float d, float m, int zero)
{
    for (int i = 0; i < 16; i++) {
        const int lo = (int)(qh >> i & 1) << 4, hi = (int)(qh >> (i + 16) & 1) << 4;

        y[i] = d * (float)(((q[i] & 15) | lo) - zero) + m;
        y[i + 16] = d * (float)(((q[i] >> 4) | hi) - zero) + m;
    }
}

static void q5_0(float *restrict y, const unsigned char *restrict b)
{
    uint32_t qh;

    memcpy(&qh, b + 2, 4);
    quints(y, b + 6, qh, f16_at(b), -0.0f, 16);
}

static void q5_1(float *restrict y, const unsigned char *restrict b)
{
    uint32_t qh;

    memcpy(&qh, b + 4, 4);
    quints(y, b + 8, qh, f16_at(b), f16_at(b + 2), 0);
}

/* Scale and minimum of the j-th 32 values, j < 8: 6 bits each, packed into 12 bytes. */
static void scale_min(float *scale, float *min, const unsigned char *s, int j, float d,
                      float dmin)
{
    int sc, mn;

    if (j < 4) {
        sc = s[j] & 63;
        mn = s[j + 4] & 63;
    } else {
        sc = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        mn = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
    }
    *scale = d * (float)sc;
    *min = dmin * (float)mn;
}

/* b: d, dmin, 12 bytes of scales, 128 of nibbles. */
static void q4_k(float *restrict y, const unsigned char *restrict b)
{
    const float d = f16_at(b), dmin = f16_at(b + 2);

    for (int j = 0; j < 8; j++) {
        const unsigned char *q = b + 16 + 32 * (j / 2);
        const int shift = 4 * (j % 2);
        float sc, mn;

        scale_min(&sc, &mn, b + 4, j, d, dmin);
        for (int i = 0; i < 32; i++)
            y[32 * j + i] = sc * (float)(q[i] >> shift & 15) - mn;
    }
}

/* b: d, dmin, 12 bytes of scales, 32 of fifth bits, 128 of nibbles. */
static void q5_k(float *restrict y, const unsigned char *restrict b)
{
    const float d = f16_at(b), dmin = f16_at(b + 2);
    const unsigned char *qh = b + 16;

    for (int j = 0; j < 8; j++) {
        const unsigned char *q = b + 48 + 32 * (j / 2);
        const int shift = 4 * (j % 2);
        float sc, mn;

        scale_min(&sc, &mn, b + 4, j, d, dmin);
        for (int i = 0; i < 32; i++)
            y[32 * j + i] =
                sc * (float)((q[i] >> shift & 15) | (qh[i] >> j & 1) << 4) - mn;
    }
}

/* b: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, d.  In each
 * half of 128 values, four runs of 32 take their bits from the same bytes. */
static void q6_k(float *restrict y, const unsigned char *restrict b)
{
    const signed char *scales = (const signed char *)b + 192;
    const float d = f16_at(b + 208);

    for (int j = 0; j < 8; j++) {
        const int half = j / 4, run = j % 4;
        const unsigned char *ql = b + 64 * half + 32 * (run % 2);
        const unsigned char *qh = b + 128 + 32 * half;
        const signed char *sc = scales + 8 * half + 2 * run;

        for (int i = 0; i < 32; i++) {
            const int lo = ql[i] >> (4 * (run / 2)) & 15;
            const int hi = qh[i] >> (2 * run) & 3;

            y[32 * j + i] = d * (float)sc[i / 16] * (float)((lo | hi << 4) - 32);
        }
    }
}

/* ---- and back ---------------------------------------------------------------------- */

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

/* One row for each type.  `fn` makes one block; NULL: the floats, done by dtype.  `back`
 * writes one, 1 if its scale does not fit; NULL: we do not. */
static const struct {
    const char *name;
    uint32_t gguf;
    size_t block, bytes;
    void (*fn)(float *restrict y, const unsigned char *restrict b);
    int (*back)(unsigned char *restrict b, const float *restrict x);
} table[QUANT_TYPES] = {
    [QUANT_F32] = {"F32", 0, 1, 4, NULL},
    [QUANT_F16] = {"F16", 1, 1, 2, NULL},
    [QUANT_BF16] = {"BF16", 30, 1, 2, NULL},
    [QUANT_Q8_0] = {"Q8_0", 8, 32, 34, q8_0, to_q8_0},
    [QUANT_Q4_0] = {"Q4_0", 2, 32, 18, q4_0, to_q4_0},
    [QUANT_Q4_1] = {"Q4_1", 3, 32, 20, q4_1},
    [QUANT_Q5_0] = {"Q5_0", 6, 32, 22, q5_0},
    [QUANT_Q5_1] = {"Q5_1", 7, 32, 24, q5_1},
    [QUANT_Q4_K] = {"Q4_K", 12, 256, 144, q4_k},
    [QUANT_Q5_K] = {"Q5_K", 13, 256, 176, q5_k},
    [QUANT_Q6_K] = {"Q6_K", 14, 256, 210, q6_k},
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

/* The types without blocks. */
static const enum dtype plain[] = {
    [QUANT_F32] = DTYPE_F32, [QUANT_F16] = DTYPE_F16, [QUANT_BF16] = DTYPE_BF16};

void quant_widen(float *dst, const void *src, enum quant_type t, size_t n)
{
    const unsigned char *s = src;

    if (!table[t].fn) {
        (void)dtype_widen(dst, src, plain[t], n);
        return;
    }
    for (size_t i = 0; i < n / table[t].block; i++)
        table[t].fn(dst + i * table[t].block, s + i * table[t].bytes);
}

int quant_can_narrow(enum quant_type t)
{
    return !table[t].fn || table[t].back;
}

size_t quant_narrow(void *dst, const float *src, enum quant_type t, size_t n)
{
    unsigned char *b = dst;
    size_t lost = 0;

    if (!table[t].fn)
        return (size_t)dtype_narrow(dst, src, plain[t], n);
    for (size_t i = 0; i < n / table[t].block; i++)
        lost += (size_t)table[t].back(b + i * table[t].bytes, src + i * table[t].block);
    return lost;
}
