/*
 * bf16 arithmetic by AVX512_BF16.  Includers define
 *
 *     UNIT_TARGET           the attribute of functions that use the instruction
 *     PAIRS_DOT(s, w, v)    s + products of the words w and v, lane by lane, of 16 floats:
 *                           vdpbf16ps
 *
 * A tile is at most 8 rows of a times a panel: for each pair in depth three vectors of the
 * panel, and of each row one word in all lanes.  24 sums, the panel's vectors and the word
 * fit the 32 registers, as in kern/shape.h.
 */
#ifndef CAGSR_KERN_BF16_AVX512_H
#define CAGSR_KERN_BF16_AVX512_H

#include "kern/bf16_tile.h"

enum { PAIRS_HEIGHT = 8, PAIRS_VEC = 16, PAIRS_VECS = BF16_WIDTH / PAIRS_VEC };
typedef float pairs_sum __attribute__((vector_size(64)));
typedef uint32_t pairs_word __attribute__((vector_size(64)));

/* R is a constant, so that the sums stay in registers. */
UNIT_TARGET ISA_BODY void pairs_rows(const struct bf16_tile *t, size_t R)
{
    _Alignas(64) float out[PAIRS_HEIGHT * BF16_WIDTH];
    pairs_sum sum[PAIRS_HEIGHT][PAIRS_VECS];
    const uint32_t *b = t->b;

    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < PAIRS_VECS; v++)
        sum[r][v] = (pairs_sum){0};
    for (size_t k = 0; k < t->pairs; k++, b += BF16_WIDTH) {
        pairs_word w[PAIRS_VECS];

        UNROLL
        for (size_t v = 0; v < PAIRS_VECS; v++)
            memcpy(&w[v], b + v * PAIRS_VEC, sizeof w[v]);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            const pairs_word a = (pairs_word){0} + t->a[r * t->lda + k];

            UNROLL
            for (size_t v = 0; v < PAIRS_VECS; v++)
                sum[r][v] = PAIRS_DOT(sum[r][v], w[v], a);
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < PAIRS_VECS; v++)
        memcpy(out + r * BF16_WIDTH + v * PAIRS_VEC, &sum[r][v], sizeof sum[r][v]);
    bf16_finish(t, out);
}

UNIT_TARGET static void pairs_tile(const struct bf16_tile *t)
{
    switch (t->rows) {
    case 1: pairs_rows(t, 1); break;
    case 2: pairs_rows(t, 2); break;
    case 3: pairs_rows(t, 3); break;
    case 4: pairs_rows(t, 4); break;
    case 5: pairs_rows(t, 5); break;
    case 6: pairs_rows(t, 6); break;
    case 7: pairs_rows(t, 7); break;
    default: pairs_rows(t, PAIRS_HEIGHT); break;
    }
}

static void pairs_multiply(const struct bf16_product *p)
{
    bf16_tiles(p, PAIRS_HEIGHT, pairs_tile);
}

#endif
