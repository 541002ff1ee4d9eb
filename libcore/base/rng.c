#include "base/rng.h"

#include <math.h>

static void round_once(uint32_t c[4], const uint32_t k[2])
{
    const uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t c1 = c[1], c3 = c[3];

    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k[0];
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k[1];
    c[3] = (uint32_t)p0;
}

void philox4x32(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t k[2] = {key[0], key[1]};

    for (int i = 0; i < 4; i++)
        out[i] = ctr[i];
    for (int r = 0; r < 10; r++) {
        round_once(out, k);
        k[0] += 0x9E3779B9u; /* golden ratio */
        k[1] += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
}

static void draw(uint32_t out[4], uint64_t seed, uint64_t a, uint64_t b)
{
    const uint32_t ctr[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                             (uint32_t)(b >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    philox4x32(out, ctr, key);
}

static double to_unit(uint32_t hi, uint32_t lo)
{
    const uint64_t bits = (uint64_t)hi << 32 | lo;

    return (double)(bits >> 11) * 0x1p-53;
}

double rng_uniform(uint64_t seed, uint64_t id, uint32_t cand, uint32_t t)
{
    uint32_t r[4];

    draw(r, seed, id, (uint64_t)cand << 32 | t);
    return to_unit(r[0], r[1]);
}

void rng_normal2(double out[2], uint64_t seed, uint64_t stream, uint64_t i)
{
    uint32_t r[4];

    draw(r, seed, stream, i);
    const double u = 1.0 - to_unit(r[0], r[1]); /* (0, 1]: the logarithm is finite */
    const double radius = sqrt(-2.0 * log(u));
    const double angle = 2.0 * 3.14159265358979323846 * to_unit(r[2], r[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

void rng_shuffle(size_t *perm, size_t n, uint64_t seed, uint64_t stream)
{
    for (size_t i = 0; i < n; i++)
        perm[i] = i;
    for (size_t i = n; i > 1; i--) {
        uint32_t r[4];

        draw(r, seed, stream, i);
        const size_t j = (size_t)(to_unit(r[0], r[1]) * (double)i);
        const size_t swap = perm[i - 1];
        perm[i - 1] = perm[j];
        perm[j] = swap;
    }
}
