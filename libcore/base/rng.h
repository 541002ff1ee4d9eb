/*
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011): a counter goes in, random bits come out, no state is carried.  So the number
 * that draws token t of candidate c of prompt id under a seed is a function of just
 * these four, and neither batch, nor threads, nor shards, nor order can change it.
 */
#ifndef CAGSR_BASE_RNG_H
#define CAGSR_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* out[4] = the ten-round Philox bijection of ctr[4] under key[2]. */
void philox4x32(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]);

/* Uniform in [0, 1) with 53 bits.  id is a hash (hash64) of the prompt's id string. */
double rng_uniform(uint64_t seed, uint64_t id, uint32_t cand, uint32_t t);

/* Two independent standard normals (Box-Muller) at counter i of stream `stream`. */
void rng_normal2(double out[2], uint64_t seed, uint64_t stream, uint64_t i);

/* A permutation of 0..n-1 (Fisher-Yates), a function of (seed, stream) alone. */
void rng_shuffle(size_t *perm, size_t n, uint64_t seed, uint64_t stream);

#endif
