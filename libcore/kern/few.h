/*
 * A few rows times panels of kern/pack.h, two or four panels side by side: memory is read as so
 * many streams, which processors' prefetching wants (AMD Zen 3, two threads: 20 GB/s in one, 25
 * in four; Intel Emerald Rapids: 22 and 25).  Seven and eight rows with AVX-512 go by one panel at a
 * time, once.  All go from a panel's end to the next one's beginning: memory that is read in its order
 * comes faster (Zen 5, two threads, eight rows: 69 GB/s, and 54 where each block of depth of all
 * panels came first).  Decoding a few sequences waits for nothing else.
 *
 * The bits are those of pack_multiply.
 */
#ifndef CAGSR_KERN_FEW_H
#define CAGSR_KERN_FEW_H

#include "kern/isa.h"

#include <stddef.h>

/* 1 if M rows are few, for that instruction set: not for ISA_PLAIN. */
int few_rows(enum isa isa, size_t M);

/* c (M, N) = a (M, K) b, rows ldc and lda apart, where few_rows() says so; panels of the whole
 * depth, one behind the other.  Safe from many threads on different c. */
void few_multiply(enum isa isa, float *c, size_t ldc, const float *a, size_t lda,
                  const float *panels, size_t M, size_t N, size_t K);

#endif
