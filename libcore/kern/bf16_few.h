/*
 * Products of a few rows by AVX512_BF16, their words as they lie: attention's, of the heads that share a
 * key, whose depth or columns change with each position.  Included behind kern/bf16_avx512.h, whose
 * macros it uses.
 */
#ifndef CAGSR_KERN_BF16_FEW_H
#define CAGSR_KERN_BF16_FEW_H

#include "kern/bf16_avx512.h"

/* Strips that R rows are multiplied with at once: sums enough to hide the latency of one. */
enum { FEW_STRIPS_MOST = 8 };
#define FEW_STRIPS(R) ((R) > 2 ? 4 : FEW_STRIPS_MOST)

/* R rows, a constant, by S strips, a constant, from column n on. */
UNIT_TARGET ISA_BODY void pairs_few_strips(const struct bf16_few *p, size_t n,
                                           const size_t R, const size_t S)
{
    const uint32_t *b = p->b + n / BF16_STRIP * p->apart;
    float *c = p->c + n;
    line_sum sum[BF16_FEW][FEW_STRIPS_MOST];

    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < S; v++)
        if (p->add)
            memcpy(&sum[r][v], c + r * p->ldc + v * LINE, sizeof sum[r][v]);
        else
            sum[r][v] = (line_sum){0};
    for (size_t k = 0; k < p->pairs; k++) {
        line_word w[FEW_STRIPS_MOST];

        UNROLL
        for (size_t v = 0; v < S; v++)
            memcpy(&w[v], b + v * p->apart + k * BF16_STRIP, sizeof w[v]);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            const line_word x = (line_word){0} + p->a[r * p->lda + k];

            UNROLL
            for (size_t v = 0; v < S; v++)
                sum[r][v] = PAIRS_DOT(sum[r][v], w[v], x);
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < S; v++)
        memcpy(c + r * p->ldc + v * LINE, &sum[r][v], sizeof sum[r][v]);
}

UNIT_TARGET ISA_BODY void pairs_few_rows(const struct bf16_few *p, const size_t R)
{
    const size_t all = FEW_STRIPS(R) * BF16_STRIP, N = p->N;
    size_t n = 0;

    for (; n + all <= N; n += all)
        pairs_few_strips(p, n, R, FEW_STRIPS(R));
    for (; n + 3 * BF16_STRIP <= N; n += 3 * BF16_STRIP)
        pairs_few_strips(p, n, R, 3);
    for (; n + 2 * BF16_STRIP <= N; n += 2 * BF16_STRIP)
        pairs_few_strips(p, n, R, 2);
    for (; n < N; n += BF16_STRIP)
        pairs_few_strips(p, n, R, 1);
}

UNIT_TARGET static void pairs_few(const struct bf16_few *p)
{
    switch (p->M) {
    case 1: pairs_few_rows(p, 1); break;
    case 2: pairs_few_rows(p, 2); break;
    case 3: pairs_few_rows(p, 3); break;
    case 4: pairs_few_rows(p, 4); break;
    case 5: pairs_few_rows(p, 5); break;
    default: pairs_few_rows(p, BF16_FEW); break;
    }
}

#endif
