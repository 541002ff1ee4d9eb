#include "tensor/dtype.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files are little-endian and read in place");

static const struct {
    char name[5];
    unsigned char size;
} types[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 4},   [DTYPE_F16] = {"F16", 2}, [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_F64] = {"F64", 8},   [DTYPE_I64] = {"I64", 8}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_I16] = {"I16", 2},   [DTYPE_I8] = {"I8", 1},   [DTYPE_U8] = {"U8", 1},
    [DTYPE_BOOL] = {"BOOL", 1},
};

size_t dtype_size(enum dtype t)
{
    return types[t].size;
}

const char *dtype_name(enum dtype t)
{
    return types[t].name;
}

int dtype_parse(enum dtype *out, const char *name, size_t n)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (strlen(types[t].name) == n && memcmp(types[t].name, name, n) == 0) {
            *out = (enum dtype)t;
            return 0;
        }
    return -1;
}

/* u + (half of the last kept place) - 1, and 1 more if that place is odd: ties go to
 * even, and a carry out of the fraction raises the exponent as it should. */
static inline uint32_t round_bits(uint32_t u, int drop)
{
    return (u + (1u << (drop - 1)) - 1 + ((u >> drop) & 1)) >> drop;
}

/* A NaN stays one, and quiet.  Without a branch: compilers make vectors of it. */
static inline uint32_t bf16_bits(uint32_t u)
{
    return (u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : round_bits(u, 16);
}

uint16_t bf16_from_f32(float x)
{
    return (uint16_t)bf16_bits(f32_bits(x));
}

uint16_t f16_from_f32(float x)
{
    const uint32_t u = f32_bits(x), a = u & 0x7fffffff;
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000);

    if (a > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (a >= 0x47800000) /* 2^16 and infinity */
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000) /* below 2^-14: adding 1/2 rounds at 2^-24, f16's last place */
        return (uint16_t)(sign | (f32_bits(f32_from_bits(a) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | round_bits(a - 0x38000000, 13));
}

int dtype_widen(float *dst, const void *src, enum dtype t, size_t n)
{
    const unsigned char *s = src;

    switch (t) {
    case DTYPE_F32: memcpy(dst, src, n * sizeof *dst); return 0;
    case DTYPE_F16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, s + 2 * i, 2);
            dst[i] = f32_from_f16(h);
        }
        return 0;
    case DTYPE_BF16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, s + 2 * i, 2);
            dst[i] = f32_from_bf16(h);
        }
        return 0;
    default: return -1;
    }
}

static long narrow_f16(unsigned char *d, const float *src, size_t n)
{
    long lost = 0;

    for (size_t i = 0; i < n; i++) {
        const uint16_t h = f16_from_f32(src[i]);

        lost += (h & 0x7fff) == 0x7c00 && (f32_bits(src[i]) & 0x7fffffff) < 0x7f800000;
        memcpy(d + 2 * i, &h, 2);
    }
    return lost;
}

static uint32_t narrow_run(unsigned char *d, const float *src, size_t n)
{
    uint32_t lost = 0;

    for (size_t i = 0; i < n; i++) {
        const uint32_t u = f32_bits(src[i]), r = bf16_bits(u);
        const uint16_t h = (uint16_t)r;

        lost += ((r & 0x7fff) == 0x7f80) & ((u & 0x7fffffff) < 0x7f800000);
        memcpy(d + 2 * i, &h, 2);
    }
    return lost;
}

static long narrow_bf16(unsigned char *d, const float *src, size_t n)
{
    enum { RUN = 1 << 16 }; /* what is lost of one is counted in 32 bits */
    long lost = 0;

    for (size_t i = 0; i < n; i += RUN)
        lost += narrow_run(d + 2 * i, src + i, n - i < RUN ? n - i : RUN);
    return lost;
}

long dtype_narrow(void *dst, const float *src, enum dtype t, size_t n)
{
    switch (t) {
    case DTYPE_F32: memcpy(dst, src, n * sizeof *src); return 0;
    case DTYPE_F16: return narrow_f16(dst, src, n);
    case DTYPE_BF16: return narrow_bf16(dst, src, n);
    default: return -1;
    }
}
