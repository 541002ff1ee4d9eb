#include "io/quant_simd.h"

#include "kern/vec.h"
#include "tensor/dtype.h"

/*
 * Every product here is exact (f16 scales have 11 bits, integers at most 8 and 6 more),
 * so there is one rounding, that of the sum, and contraction to fused multiply-add
 * changes nothing: the values are ggml's bit for bit, whatever the set.
 */

static float f16_at(const unsigned char *p)
{
    uint16_t h;

    memcpy(&h, p, 2);
    return f32_from_f16(h);
}

/* VEC values d q + m.  Types without a minimum pass -0.0, which leaves even a negative zero as
 * it is. */
ISA_BODY void put(float *y, vint q, float d, float m)
{
    vec_store(y, vec_set(d) * __builtin_convertvector(q, vfloat) + vec_set(m));
}

static void q8_0(float *restrict y, const unsigned char *restrict b)
{
    const float d = f16_at(b);

    UNROLL
    for (size_t i = 0; i < 32; i += VEC)
        put(y + i, vec_signed_bytes(b + 2 + i), d, -0.0f);
}

/* Low nibbles are the first 16 values, high ones the other 16. */
ISA_BODY void nibbles(float *restrict y, const unsigned char *restrict q, float d,
                      float m, int zero)
{
    UNROLL
    for (size_t i = 0; i < 16; i += VEC) {
        const vint two = vec_bytes(q + i);

        put(y + i, (two & 15) - zero, d, m);
        put(y + i + 16, (two >> 4) - zero, d, m);
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

/* 16 in the lanes whose bit of `bits` is set, from bit `from` on. */
ISA_BODY vint fifth(uint32_t bits, size_t from)
{
    vint lane;

    UNROLL
    for (size_t i = 0; i < VEC; i++)
        lane[i] = (int32_t)(1u << i);
    return ((lane & (int32_t)(bits >> from)) != 0) & 16;
}

/* The same with a fifth bit for each value in the four bytes at h. */
ISA_BODY void quints(float *restrict y, const unsigned char *restrict q,
                     const unsigned char *restrict h, float d, float m, int zero)
{
    uint32_t bits;

    memcpy(&bits, h, 4);
    UNROLL
    for (size_t i = 0; i < 16; i += VEC) {
        const vint two = vec_bytes(q + i);

        put(y + i, ((two & 15) | fifth(bits, i)) - zero, d, m);
        put(y + i + 16, ((two >> 4) | fifth(bits, i + 16)) - zero, d, m);
    }
}

static void q5_0(float *restrict y, const unsigned char *restrict b)
{
    quints(y, b + 6, b + 2, f16_at(b), -0.0f, 16);
}

static void q5_1(float *restrict y, const unsigned char *restrict b)
{
    quints(y, b + 8, b + 4, f16_at(b), f16_at(b + 2), 0);
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

/* b: d, dmin, 12 bytes of scales, 32 of fifth bits if there are any, 128 of nibbles, of which 32
 * bytes hold two runs of 32 values. */
ISA_BODY void eight_runs(float *restrict y, const unsigned char *restrict b, int fifths)
{
    const float d = f16_at(b), dmin = f16_at(b + 2);
    const unsigned char *qh = b + 16, *ql = qh + 32 * fifths;

    for (int j = 0; j < 8; j++, y += 32) {
        const unsigned char *q = ql + 32 * (j / 2);
        float sc, mn;

        scale_min(&sc, &mn, b + 4, j, d, dmin);
        UNROLL
        for (size_t i = 0; i < 32; i += VEC) {
            vint v = vec_bytes(q + i) >> 4 * (j % 2) & 15;

            if (fifths)
                v |= (vec_bytes(qh + i) >> j & 1) << 4;
            put(y + i, v, sc, -mn);
        }
    }
}

static void q4_k(float *restrict y, const unsigned char *restrict b)
{
    eight_runs(y, b, 0);
}

static void q5_k(float *restrict y, const unsigned char *restrict b)
{
    eight_runs(y, b, 1);
}

/* b: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, d.  In each
 * half of 128 values, four runs of 32 take their bits from the same bytes. */
static void q6_k(float *restrict y, const unsigned char *restrict b)
{
    const signed char *scales = (const signed char *)b + 192;
    const float d = f16_at(b + 208);

    for (int j = 0; j < 8; j++, y += 32) {
        const int half = j / 4, run = j % 4;
        const unsigned char *ql = b + 64 * half + 32 * (run % 2);
        const unsigned char *qh = b + 128 + 32 * half;
        const signed char *sc = scales + 8 * half + 2 * run;

        UNROLL
        for (size_t i = 0; i < 32; i += VEC) {
            const vint lo = vec_bytes(ql + i) >> 4 * (run / 2) & 15;
            const vint hi = vec_bytes(qh + i) >> 2 * run & 3;

            put(y + i, (lo | hi << 4) - 32, d * (float)sc[i / 16], -0.0f);
        }
    }
}

#define BLOCKS(of, values, bytes)                                                      \
    do {                                                                               \
        for (size_t i = 0; i < n; i++)                                                 \
            of(y + i * (values), b + i * (bytes));                                     \
    } while (0)

void ISA_NAME(quant_blocks)(float *restrict y, const unsigned char *restrict b,
                            enum quant_type t, size_t n)
{
    switch (t) {
    case QUANT_Q8_0: BLOCKS(q8_0, 32, 34); break;
    case QUANT_Q4_0: BLOCKS(q4_0, 32, 18); break;
    case QUANT_Q4_1: BLOCKS(q4_1, 32, 20); break;
    case QUANT_Q5_0: BLOCKS(q5_0, 32, 22); break;
    case QUANT_Q5_1: BLOCKS(q5_1, 32, 24); break;
    case QUANT_Q4_K: BLOCKS(q4_k, 256, 144); break;
    case QUANT_Q5_K: BLOCKS(q5_k, 256, 176); break;
    case QUANT_Q6_K: BLOCKS(q6_k, 256, 210); break;
    default: break;
    }
}
