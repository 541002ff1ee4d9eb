/*
 * A vector of floats, as wide as the instruction set's registers, in the compilers' own
 * vector types: the same source for every set, for the loops of NAME_simd.c (kern/isa.h).
 * (A type wider than the registers would live in memory.)
 *
 * A row that is no multiple of VEC ends in a partial vector, loaded over a filler and
 * computed by the same instructions as the others.  So the bits of an element never
 * depend on its place, and a sum over a row has one fixed order: VEC (or VEC / 2 double)
 * lanes, then the lanes in pairs.
 */
#ifndef CAGSR_KERN_VEC_H
#define CAGSR_KERN_VEC_H

#include "kern/isa.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VEC = 16 };
#elif defined(__AVX2__)
enum { VEC = 8 };
#else
enum { VEC = 4 };
#endif
enum { VEC_BYTES = 4 * VEC };
typedef float vfloat __attribute__((vector_size(VEC_BYTES)));
typedef int32_t vint __attribute__((vector_size(VEC_BYTES)));
typedef uint8_t vbyte __attribute__((vector_size(VEC_BYTES)));
typedef double vdouble __attribute__((vector_size(VEC_BYTES))); /* VEC / 2 lanes */
typedef float vfloat_half __attribute__((vector_size(VEC_BYTES / 2))); /* VEC / 2 */

/* An instruction that compilers do not find by themselves, on vectors of theirs. */
#if defined(__AVX512F__)
typedef __m512 vraw;
#define VEC_CALL(op, ...) ((vfloat)_mm512_##op##_ps(__VA_ARGS__))
#elif defined(__AVX2__)
typedef __m256 vraw;
#define VEC_CALL(op, ...) ((vfloat)_mm256_##op##_ps(__VA_ARGS__))
#endif

/* What was written past the caches is there for other threads. */
#if defined(__AVX2__)
#define VEC_FENCE() _mm_sfence()
#else
#define VEC_FENCE() ((void)0)
#endif

/* a - 0 is a, whatever a is, and compilers know: 0 + a would be an addition, for -0. */
ISA_BODY vfloat vec_set(float a)
{
    return a - (vfloat){0};
}

ISA_BODY vfloat vec_load(const float *p)
{
    vfloat v;

    memcpy(&v, p, sizeof v);
    return v;
}

ISA_BODY void vec_store(float *p, vfloat v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n < VEC floats at p, the other lanes `filler`. */
ISA_BODY vfloat vec_load_part(const float *p, size_t n, float filler)
{
    float lane[VEC];

    for (size_t i = 0; i < VEC; i++)
        lane[i] = filler;
    for (size_t i = 0; i < n; i++)
        lane[i] = p[i];
    return vec_load(lane);
}

ISA_BODY void vec_store_part(float *p, vfloat v, size_t n)
{
    float lane[VEC];

    vec_store(lane, v);
    for (size_t i = 0; i < n; i++)
        p[i] = lane[i];
}

/* Loads or stores the vector at element i of a row of n: whole, or what is left. */
ISA_BODY vfloat vec_at(const float *p, size_t i, size_t n, float filler)
{
    return n - i >= VEC ? vec_load(p + i) : vec_load_part(p + i, n - i, filler);
}

ISA_BODY void vec_put(float *p, size_t i, size_t n, vfloat v)
{
    if (n - i >= VEC)
        vec_store(p + i, v);
    else
        vec_store_part(p + i, v, n - i);
}

/* Lane by lane m ? a : b; m is a comparison's result (all bits or none). */
ISA_BODY vfloat vec_select(vint m, vfloat a, vfloat b)
{
    return (vfloat)((m & (vint)a) | (~m & (vint)b));
}

/* a b + c, rounded once where the instruction set has that (all but the plain one), whatever
 * the compiler makes of the plain expression: where bits must be those of other loops. */
ISA_BODY vfloat vec_fma(vfloat a, vfloat b, vfloat c)
{
#if defined(VEC_CALL)
    return VEC_CALL(fmadd, (vraw)a, (vraw)b, (vraw)c);
#else
    return a * b + c;
#endif
}

/* The larger, and the smaller; b where one of them is not a number. */
ISA_BODY vfloat vec_max(vfloat a, vfloat b)
{
#if defined(VEC_CALL)
    return VEC_CALL(max, (vraw)a, (vraw)b);
#else
    return vec_select(a > b, a, b);
#endif
}

ISA_BODY vfloat vec_min(vfloat a, vfloat b)
{
#if defined(VEC_CALL)
    return VEC_CALL(min, (vraw)a, (vraw)b);
#else
    return vec_select(a < b, a, b);
#endif
}

/* Half of the lanes as double.  Compilers take four instructions for what is one. */
ISA_BODY vdouble vec_widen(vfloat_half h)
{
#if defined(__AVX512F__)
    return (vdouble)_mm512_cvtps_pd((__m256)h);
#elif defined(__AVX2__)
    return (vdouble)_mm256_cvtps_pd((__m128)h);
#else
    return __builtin_convertvector(h, vdouble);
#endif
}

ISA_BODY vdouble vec_low(vfloat v)
{
    vfloat_half h;

    memcpy(&h, &v, sizeof h);
    return vec_widen(h);
}

ISA_BODY vdouble vec_high(vfloat v)
{
    vfloat_half h;

    memcpy(&h, (const char *)&v + sizeof h, sizeof h);
    return vec_widen(h);
}

/* VEC bytes as numbers from 0; and as two's complement. */
ISA_BODY vint vec_bytes(const unsigned char *p)
{
#if defined(__AVX512F__)
    return (vint)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
#elif defined(__AVX2__)
    return (vint)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
#else
    const vbyte zero = {0}; /* two interleavings with zeros: 16 bits, then 32 */
    uint32_t four;

    memcpy(&four, p, sizeof four);
    const vbyte b = (vbyte)(vint){(int32_t)four};
    const vbyte two =
        ISA_MIX(vbyte, b, zero, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);

    return (vint)ISA_MIX(vbyte, two, zero, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6,
                         7, 22, 23);
#endif
}

ISA_BODY vint vec_signed_bytes(const unsigned char *p)
{
    return (vec_bytes(p) ^ 128) - 128;
}

/* Across lanes: the halves together, until one lane is left. */
ISA_BODY double vec_sum_double(vdouble v)
{
    double s[VEC / 2];

    memcpy(s, &v, sizeof s);
    for (int n = VEC / 4; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            s[i] += s[i + n];
    return s[0];
}

#if defined(__AVX2__)
#if defined(__AVX512F__)
#define VEC_EIGHT(v, op)                                                               \
    _mm256_##op##_ps(_mm512_castps512_ps256((__m512)(v)),                              \
                     _mm512_extractf32x8_ps((__m512)(v), 1))
#else
#define VEC_EIGHT(v, op) ((__m256)(v))
#endif
#define VEC_ACROSS(v, op)                                                              \
    do {                                                                               \
        const __m256 eight = VEC_EIGHT(v, op);                                         \
        const __m128 four = _mm_##op##_ps(_mm256_castps256_ps128(eight),               \
                                          _mm256_extractf128_ps(eight, 1));            \
        const __m128 two = _mm_##op##_ps(four, _mm_movehl_ps(four, four));             \
                                                                                       \
        return _mm_cvtss_f32(_mm_##op##_ss(two, _mm_movehdup_ps(two)));                \
    } while (0)
#else
#define VEC_OF_add(a, b) ((a) + (b))
#define VEC_OF_max(a, b) ((a) > (b) ? (a) : (b))
#define VEC_ACROSS(v, op)                                                              \
    do {                                                                               \
        float s[VEC];                                                                  \
                                                                                       \
        vec_store(s, v);                                                               \
        for (int n = VEC / 2; n > 0; n /= 2)                                           \
            for (int i = 0; i < n; i++)                                                \
                s[i] = VEC_OF_##op(s[i], s[i + n]);                                    \
        return s[0];                                                                   \
    } while (0)
#endif

ISA_BODY float vec_sum(vfloat v)
{
    VEC_ACROSS(v, add);
}

/* The largest lane; all are numbers. */
ISA_BODY float vec_peak(vfloat v)
{
    VEC_ACROSS(v, max);
}

/*
 * exp.  x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by a polynomial of degree 6 (relative
 * error 5e-9 before rounding), then 2^n so that results below 2^-126 round once into the
 * subnormals.  Within 1.2 ulp of the true value; 0 below -104, infinity above 88.73; NaN stays NaN.
 */
ISA_BODY vfloat vec_exp(vfloat x)
{
    const vfloat shift = vec_set(0x1.8p23f); /* adding it rounds to an integer */
    const vfloat x2 = vec_min(vec_set(89.0f), vec_max(vec_set(-105.0f), x));
    const vfloat t = x2 * 0x1.715476p+0f + shift; /* 1 / ln 2 */
    const vfloat n = t - shift;
    const vfloat r1 = x2 - n * 0x1.62e4p-1f;   /* ln 2, 15 bits: n times it is exact */
    const vfloat r = r1 - n * 0x1.7f7d1cp-20f; /* the rest of ln 2 */
    vfloat p = r * 0x1.6a1a6ap-10f + 0x1.123fc8p-7f;

    p = p * r + 0x1.555916p-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0x1.fffffcp-2f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
#if defined(__AVX512F__)
    return VEC_CALL(scalef, (vraw)p, (vraw)n);
#else
    const vint ni = (vint)t - (vint)shift; /* the low bits of t hold n */
    const vint half = ni >> 1;             /* 2^n in two steps */
    const vfloat s1 = (vfloat)((half + 127) << 23);
    const vfloat s2 = (vfloat)((ni - half + 127) << 23);

    return p * s1 * s2;
#endif
}

/*
 * log of x from 2^-126 up to the largest number.  x = 2^n m, sqrt(1/2) <= m < sqrt(2), and with
 * t = (m - 1) / (m + 1), |t| < 0.172,
 *     log m = 2 artanh t = 2 (t + t^3 / 3 + t^5 / 5 + t^7 / 7 + ...),
 * of which what is left out is below 3e-8.  Below 2^-126, where numbers have no such form, it is
 * something from -88.1 to -87.3, for 0 too: x log x is then 0 as it should be.
 */
ISA_BODY vfloat vec_logf(vfloat x)
{
    const int32_t root = 0x3f3504f3; /* sqrt(1/2): where n changes */
    const vint n = ((vint)x - root) >> 23;
    const vfloat m = (vfloat)((vint)x - (n << 23));
    const vfloat t = (m - 1.0f) / (m + 1.0f), tt = t * t;
    vfloat p = tt * 0x1.24924ap-3f + 0x1.99999ap-3f; /* 1/7, 1/5 */

    p = p * tt + 0x1.555556p-2f;
    p = p * tt + 1.0f;
    return __builtin_convertvector(n, vfloat) * 0x1.62e43p-1f + 2.0f * t * p;
}

#endif
