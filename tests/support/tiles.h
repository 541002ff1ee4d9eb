/*
 * Instructions of bfloat16 in software, by what Intel's manual says of them (SDM, volume 2:
 * VDPBF16PS, VCVTNE2PS2BF16, LDTILECFG, TILERELEASE, TILEZERO, TILELOADD and T1, TILESTORED, TDPBF16PS).  Where a
 * processor would fault, the program aborts.  Tiles belong to the thread.
 */
#ifndef CAGSR_TESTS_TILES_H
#define CAGSR_TESTS_TILES_H

#include <stddef.h>
#include <stdint.h>

typedef float lanes __attribute__((vector_size(64)));
typedef uint32_t lane_words __attribute__((vector_size(64)));
typedef uint16_t lane_halves __attribute__((vector_size(64)));

/* s + the products of the odd halves, then of the even ones, lane by lane. */
lanes vdpbf16ps(lanes s, lane_words w, lane_words v);

/* The numbers of lo, then those of hi, rounded to nearest, ties to even; below 2^-126: 0. */
lane_halves vcvtne2ps2bf16(lanes lo, lanes hi);

/* 64 bytes to p, which must be aligned to as many; and how often that was done. */
void vmovntdq(void *p, const void *from);
size_t lines_past(void);

void ldtilecfg(const void *config); /* 64 bytes */
void tilerelease(void);
void tilezero(int t);
void tileloadd(int t, const void *from, size_t stride); /* in bytes */
void tilestored(int t, void *to, size_t stride);
void tdpbf16ps(int c, int a, int b);

/*
 * The same for programs as they are compiled: from here on tile instructions, which this
 * processor does not know, are decoded and done by the functions above (SIGILL).  1, or 0
 * where the processor has them or the system is another.  For the rest of the process.
 */
int tiles_trap(void);

#endif
