/*
 * The shape of a tile, by instruction set: PACK_HEIGHT rows of the left operand times
 * PACK_WIDTH columns of a panel (kern/pack.h).
 *
 * Height * (vectors of a panel) accumulators, the panel's vectors and one broadcast number
 * fit the registers: 12 x 2 + 3 of AVX-512's 32, 6 x 2 + 3 of AVX2's 16.  A panel's block of
 * depth (kern/pack.h), at most 80 kB and 40, comes from the second cache as fast as it is used.
 */
#ifndef CAGSR_KERN_SHAPE_H
#define CAGSR_KERN_SHAPE_H

enum { PLAIN_WIDTH = 16, AVX2_WIDTH = 16, AVX512_WIDTH = 32, WIDTH_MAX = 32 };
enum { PLAIN_HEIGHT = 4, AVX2_HEIGHT = 6, AVX512_HEIGHT = 12 };

/* Those of the set that a NAME_simd.c is compiled for (kern/isa.h). */
#if defined(__AVX512F__)
enum { WIDTH = AVX512_WIDTH, HEIGHT = AVX512_HEIGHT };
#elif defined(__AVX2__)
enum { WIDTH = AVX2_WIDTH, HEIGHT = AVX2_HEIGHT };
#else
enum { WIDTH = PLAIN_WIDTH, HEIGHT = PLAIN_HEIGHT };
#endif

#endif
