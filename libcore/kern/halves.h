/*
 * Numbers rounded to bfloat16 and two of them in a word, by vectors (kern/vec.h): for loops
 * of NAME_simd.c.
 */
#ifndef CAGSR_KERN_HALVES_H
#define CAGSR_KERN_HALVES_H

#include "kern/vec.h"

typedef uint32_t vword __attribute__((vector_size(VEC_BYTES)));
typedef uint64_t vlong __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t vword_half __attribute__((vector_size(VEC_BYTES / 2)));
typedef uint16_t vshort_half __attribute__((vector_size(VEC_BYTES / 2)));

ISA_BODY vword words(const void *p)
{
    vword w;

    memcpy(&w, p, sizeof w);
    return w;
}

/* The numbers in words' lower and upper halves. */
ISA_BODY vfloat lower(vword w)
{
    return (vfloat)(w << 16);
}

ISA_BODY vfloat upper(vword w)
{
    return (vfloat)(w & 0xffff0000u);
}

/* The upper half of what is nearest, in the lower half of a word.  To the order of a float's
 * bits half of the last place is added, and less if the bit that becomes the last is even;
 * NaN stays NaN. */
ISA_BODY vword half_of(vword u)
{
    const vword nan = (vword)((u & 0x7fffffffu) > 0x7f800000u);
    const vword near = (u + 0x7fffu + (u >> 16 & 1)) >> 16;

    return (nan & (u >> 16 | 0x40)) | (~nan & near);
}

ISA_BODY vword rounded(const float *p)
{
    return half_of(words(p));
}

/* x (n) rounded, n a multiple of VEC. */
ISA_BODY void round_all(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC)
        vec_store(x + i, lower(rounded(x + i)));
}

/* Of the halves of a vector, in the lower halves of words, neighbours: a word each. */
ISA_BODY vword_half join(vword h)
{
    const vlong two = (vlong)h;

    return __builtin_convertvector(two | two >> 16, vword_half);
}

/* Of VEC halves side by side the numbers. */
ISA_BODY vfloat widened(const uint16_t *h)
{
    vshort_half two;

    memcpy(&two, h, sizeof two);
    return lower(__builtin_convertvector(two, vword));
}

#endif
