#include "kern/narrow.h"

#include "kern/narrow_simd.h"
#include "kern/pack.h"
#include "kern/shape.h"
#include "tensor/dims.h"

#include <string.h>

size_t narrow_words(enum isa isa, size_t K)
{
    return pack_width(isa) * ((K + 1) / 2);
}

void narrow_from_rows(enum isa isa, uint32_t *p, const float *W, size_t ldw, size_t N,
                      size_t K)
{
    _Alignas(64) float block[PACK_DEPTH * WIDTH_MAX];
    const size_t width = pack_width(isa);

    for (size_t k0 = 0; k0 < K; k0 += PACK_DEPTH) {
        const size_t deep = K - k0 < PACK_DEPTH ? K - k0 : PACK_DEPTH;

        pack_from_rows(isa, block, W + k0, ldw, N, deep);
        ISA_CALL(isa, narrow_round, (p + k0 / 2 * width, block, deep));
    }
}

void narrow_row(float *row, const uint32_t *panel, size_t width, size_t n, size_t K)
{
    for (size_t k = 0; k < K; k++) {
        const uint32_t w = panel[k / 2 * width + n];
        const uint32_t u = k & 1 ? w & 0xffff0000u : w << 16;

        memcpy(row + k, &u, sizeof u);
    }
}

void narrow_widen(enum isa isa, float *out, const uint32_t *panel, size_t k0,
                  size_t deep)
{
    ISA_CALL(isa, narrow_widen, (out, panel + k0 / 2 * pack_width(isa), deep));
}

/* Beyond so many tiles of rows a panel is widened once for all of them. */
enum { DIRECT_TILES = 2 };

static void multiply_widened(enum isa isa, float *c, size_t ldc, const float *a,
                             size_t lda, const uint32_t *b, size_t M, size_t N,
                             size_t deep, int add)
{
    _Alignas(64) float block[PACK_DEPTH * WIDTH_MAX];

    ISA_CALL(isa, narrow_widen, (block, b, deep));
    pack_multiply(isa, &(struct pack_product){.c = c,
                                              .a = pack_left_rows(a, lda),
                                              .panels = block,
                                              .ldc = ldc,
                                              .M = M,
                                              .N = N,
                                              .K = deep,
                                              .depth = deep,
                                              .beta = add ? 1 : 0});
}

static void multiply_direct(enum isa isa, float *c, size_t ldc, const float *a,
                            size_t lda, const uint32_t *b, size_t M, size_t N,
                            size_t deep, int add)
{
    const size_t tiles = ceil_div(M, pack_height(isa));
    const size_t rows = ceil_div(M, tiles);

    for (size_t m = 0; m < M; m += rows)
        ISA_CALL(isa, narrow_tile,
                 (c + m * ldc, ldc, a + m * lda, lda, b, M - m < rows ? M - m : rows, N,
                  deep, add));
}

void narrow_multiply(enum isa isa, float *c, size_t ldc, const float *a, size_t lda,
                     const uint32_t *panel, size_t M, size_t N, size_t K)
{
    const size_t depth = pack_depth(K);

    for (size_t k = 0; k < K; k += depth) {
        const size_t deep = K - k < depth ? K - k : depth;
        const uint32_t *b = panel + k / 2 * pack_width(isa);

        if (M <= DIRECT_TILES * pack_height(isa))
            multiply_direct(isa, c, ldc, a + k, lda, b, M, N, deep, k > 0);
        else
            multiply_widened(isa, c, ldc, a + k, lda, b, M, N, deep, k > 0);
    }
}
