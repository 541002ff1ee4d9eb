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
typedef double vdouble __attribute__((vector_size(VEC_BYTES))); /* VEC / 2 lanes */
typedef float vfloat_half __attribute__((vector_size(VEC_BYTES / 2))); /* VEC / 2 */

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
#if defined(__AVX512F__)
    return (vfloat)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vfloat)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* The larger; b where a is not a number. */
ISA_BODY vfloat vec_max(vfloat a, vfloat b)
{
    return vec_select(a > b, a, b);
}

ISA_BODY vdouble vec_low(vfloat v)
{
    vfloat_half h;

    memcpy(&h, &v, sizeof h);
    return __builtin_convertvector(h, vdouble);
}

ISA_BODY vdouble vec_high(vfloat v)
{
    vfloat_half h;

    memcpy(&h, (const char *)&v + sizeof h, sizeof h);
    return __builtin_convertvector(h, vdouble);
}

/* Sums across lanes: halves are added until one is left. */
ISA_BODY double vec_sum_double(vdouble v)
{
    double s[VEC / 2];

    memcpy(s, &v, sizeof s);
    for (int n = VEC / 4; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            s[i] += s[i + n];
    return s[0];
}

ISA_BODY float vec_sum(vfloat v)
{
    float s[VEC];

    vec_store(s, v);
    for (int n = VEC / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            s[i] += s[i + n];
    return s[0];
}

/* The largest lane. */
ISA_BODY float vec_peak(vfloat v)
{
    float m = v[0];

    for (int i = 1; i < VEC; i++)
        m = v[i] > m ? v[i] : m;
    return m;
}

/*
 * exp.  x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by a polynomial of degree 6 (relative
 * error 5e-9 before rounding), then 2^n in two steps so that results below 2^-126
 * round once into the subnormals.  Within 1.2 ulp of the true value;
 * 0 below -104, infinity above 88.73; NaN stays NaN.
 */
ISA_BODY vfloat vec_exp(vfloat x)
{
    const vfloat shift = vec_set(0x1.8p23f); /* adding it rounds to an integer */
    const vfloat lo = vec_set(-105.0f), hi = vec_set(89.0f);
    const vfloat x1 = vec_select(x < lo, lo, x);
    const vfloat x2 = vec_select(x1 > hi, hi, x1);
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
    const vint ni = (vint)t - (vint)shift; /* the low bits of t hold n */
    const vint half = ni >> 1;
    const vfloat s1 = (vfloat)((half + 127) << 23);
    const vfloat s2 = (vfloat)((ni - half + 127) << 23);
    return p * s1 * s2;
}

#endif
