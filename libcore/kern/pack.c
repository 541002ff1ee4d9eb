#include "kern/pack.h"

#include "tensor/dims.h"

#include <string.h>

#if ISA_X86
#include <immintrin.h>
#endif

/*
 * A tile is R rows of x times one panel.  R * (vectors of a panel) accumulators, the
 * panel's vectors and one broadcast x fit the registers: 8 x 3 + 4 of AVX-512's 32,
 * 6 x 2 + 3 of AVX2's 16.
 */
enum { PLAIN_WIDTH = 16, AVX2_WIDTH = 16, AVX512_WIDTH = 48 };
enum { PLAIN_ROWS = 4, AVX2_ROWS = 6, AVX512_ROWS = 8 };

/* How far ahead of use a panel is asked for, in its rows: it comes from memory. */
enum { AHEAD = 24 };

size_t pack_width(enum isa isa)
{
    switch (isa) {
    case ISA_AVX512: return AVX512_WIDTH;
    case ISA_AVX2: return AVX2_WIDTH;
    default: return PLAIN_WIDTH;
    }
}

size_t pack_floats(enum isa isa, size_t N, size_t K)
{
    return round_up(N, pack_width(isa)) * K;
}

void pack_panel(enum isa isa, float *packed, size_t j, const float *W, size_t ldw,
                size_t N, size_t K)
{
    const size_t width = pack_width(isa), n0 = j * width;
    const size_t wide = N - n0 < width ? N - n0 : width;
    float *p = packed + n0 * K;

    memset(p, 0, width * K * sizeof *p);
    for (size_t n = 0; n < wide; n++)
        for (size_t k = 0; k < K; k++)
            p[k * width + n] = W[(n0 + n) * ldw + k];
}

/* The panel at hand: `wide` outputs of it are real. */
struct panel {
    const float *w;
    size_t K, wide;
};

ISA_BODY void tile_plain(float *y, size_t ldy, const float *x, size_t ldx,
                         struct panel p, size_t R)
{
    float acc[PLAIN_ROWS][PLAIN_WIDTH] = {{0}};

    for (size_t k = 0; k < p.K; k++)
        for (size_t r = 0; r < R; r++)
            for (size_t n = 0; n < PLAIN_WIDTH; n++)
                acc[r][n] += x[r * ldx + k] * p.w[k * PLAIN_WIDTH + n];
    for (size_t r = 0; r < R; r++)
        memcpy(y + r * ldy, acc[r], p.wide * sizeof(float));
}

static void rows_plain(float *y, size_t ldy, const float *x, size_t ldx, size_t M,
                       struct panel p)
{
    for (size_t m = 0; m < M; m += PLAIN_ROWS) {
        float *ym = y + m * ldy;
        const float *xm = x + m * ldx;

        switch (M - m) {
        case 1: tile_plain(ym, ldy, xm, ldx, p, 1); break;
        case 2: tile_plain(ym, ldy, xm, ldx, p, 2); break;
        case 3: tile_plain(ym, ldy, xm, ldx, p, 3); break;
        default: tile_plain(ym, ldy, xm, ldx, p, PLAIN_ROWS); break;
        }
    }
}

#if ISA_X86
TARGET_AVX2 ISA_BODY void store_avx2(float *y, __m256 a, __m256 b, size_t wide)
{
    float lane[AVX2_WIDTH];

    if (wide == AVX2_WIDTH) {
        _mm256_storeu_ps(y, a);
        _mm256_storeu_ps(y + 8, b);
        return;
    }
    _mm256_storeu_ps(lane, a);
    _mm256_storeu_ps(lane + 8, b);
    memcpy(y, lane, wide * sizeof *y);
}

TARGET_AVX2 ISA_BODY void tile_avx2(float *y, size_t ldy, const float *x, size_t ldx,
                                    struct panel p, size_t R)
{
    __m256 acc[AVX2_ROWS][2];

    for (size_t r = 0; r < R; r++)
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (size_t k = 0; k < p.K; k++) {
        const float *w = p.w + k * AVX2_WIDTH;
        const __m256 w0 = _mm256_load_ps(w), w1 = _mm256_load_ps(w + 8);

        _mm_prefetch((const char *)(w + AHEAD * AVX2_WIDTH), _MM_HINT_T0);
        for (size_t r = 0; r < R; r++) {
            const __m256 b = _mm256_broadcast_ss(x + r * ldx + k);

            acc[r][0] = _mm256_fmadd_ps(w0, b, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(w1, b, acc[r][1]);
        }
    }
    for (size_t r = 0; r < R; r++)
        store_avx2(y + r * ldy, acc[r][0], acc[r][1], p.wide);
}

TARGET_AVX2 static void rows_avx2(float *y, size_t ldy, const float *x, size_t ldx,
                                  size_t M, struct panel p)
{
    for (size_t m = 0; m < M; m += AVX2_ROWS) {
        float *ym = y + m * ldy;
        const float *xm = x + m * ldx;

        switch (M - m) {
        case 1: tile_avx2(ym, ldy, xm, ldx, p, 1); break;
        case 2: tile_avx2(ym, ldy, xm, ldx, p, 2); break;
        case 3: tile_avx2(ym, ldy, xm, ldx, p, 3); break;
        case 4: tile_avx2(ym, ldy, xm, ldx, p, 4); break;
        case 5: tile_avx2(ym, ldy, xm, ldx, p, 5); break;
        default: tile_avx2(ym, ldy, xm, ldx, p, AVX2_ROWS); break;
        }
    }
}

/* The mask of the lanes of vector v that are below `wide`. */
TARGET_AVX512 ISA_BODY __mmask16 lanes(size_t wide, size_t v)
{
    const size_t left = wide > v * 16 ? wide - v * 16 : 0;

    return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
}

TARGET_AVX512 ISA_BODY void tile_avx512(float *y, size_t ldy, const float *x,
                                        size_t ldx, struct panel p, size_t R)
{
    __m512 acc[AVX512_ROWS][3];

    for (size_t r = 0; r < R; r++)
        acc[r][0] = acc[r][1] = acc[r][2] = _mm512_setzero_ps();
    for (size_t k = 0; k < p.K; k++) {
        const float *w = p.w + k * AVX512_WIDTH;
        const __m512 w0 = _mm512_load_ps(w), w1 = _mm512_load_ps(w + 16);
        const __m512 w2 = _mm512_load_ps(w + 32);

        for (size_t v = 0; v < 3; v++)
            _mm_prefetch((const char *)(w + AHEAD * AVX512_WIDTH + v * 16),
                         _MM_HINT_T0);
        for (size_t r = 0; r < R; r++) {
            const __m512 b = _mm512_set1_ps(x[r * ldx + k]);

            acc[r][0] = _mm512_fmadd_ps(w0, b, acc[r][0]);
            acc[r][1] = _mm512_fmadd_ps(w1, b, acc[r][1]);
            acc[r][2] = _mm512_fmadd_ps(w2, b, acc[r][2]);
        }
    }
    for (size_t r = 0; r < R; r++)
        for (size_t v = 0; v < 3; v++)
            _mm512_mask_storeu_ps(y + r * ldy + v * 16, lanes(p.wide, v), acc[r][v]);
}

TARGET_AVX512 static void rows_avx512(float *y, size_t ldy, const float *x, size_t ldx,
                                      size_t M, struct panel p)
{
    for (size_t m = 0; m < M; m += AVX512_ROWS) {
        float *ym = y + m * ldy;
        const float *xm = x + m * ldx;

        switch (M - m) {
        case 1: tile_avx512(ym, ldy, xm, ldx, p, 1); break;
        case 2: tile_avx512(ym, ldy, xm, ldx, p, 2); break;
        case 3: tile_avx512(ym, ldy, xm, ldx, p, 3); break;
        case 4: tile_avx512(ym, ldy, xm, ldx, p, 4); break;
        case 5: tile_avx512(ym, ldy, xm, ldx, p, 5); break;
        case 6: tile_avx512(ym, ldy, xm, ldx, p, 6); break;
        case 7: tile_avx512(ym, ldy, xm, ldx, p, 7); break;
        default: tile_avx512(ym, ldy, xm, ldx, p, AVX512_ROWS); break;
        }
    }
}
#endif

void pack_multiply(enum isa isa, float *y, size_t ldy, const float *x, size_t ldx,
                   const float *packed, size_t j, size_t M, size_t N, size_t K)
{
    const size_t width = pack_width(isa), n0 = j * width;
    const struct panel p = {packed + n0 * K, K, N - n0 < width ? N - n0 : width};

    switch (isa) {
#if ISA_X86
    case ISA_AVX512: rows_avx512(y + n0, ldy, x, ldx, M, p); break;
    case ISA_AVX2: rows_avx2(y + n0, ldy, x, ldx, M, p); break;
#endif
    default: rows_plain(y + n0, ldy, x, ldx, M, p); break;
    }
}
