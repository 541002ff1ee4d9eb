#include "kern/few.h"

#include "kern/pack.h"
#include "kern/shape.h"
#include "tensor/dims.h"

#if ISA_X86
#include <immintrin.h>

/*
 * A tile is at most three rows times two panels, or one row times four: 12 or 8 sums, the
 * panels' vectors and one broadcast number fit the 16 registers.  More rows than MOST_ROWS are
 * served better by tiles of six (pack.c), which ask less of memory at a time.
 */
enum { MOST_ROWS = 8, TILE_ROWS = 3, STREAMS = 4, VEC = 8, VECS = AVX2_WIDTH / VEC };

/* A block of depth of P panels, `step` floats apart, and what is asked for with each k: of each
 * panel the float `ahead` + k * `share` behind its begin. */
struct streams {
    const float *b;
    size_t step, K, ahead, share;
};

int few_rows(enum isa isa, size_t M)
{
    return isa == ISA_AVX2 && M <= MOST_ROWS;
}

/* c (N) = sum or, if `add`, += sum, of a panel's columns. */
TARGET_AVX2 ISA_BODY void finish(float *c, const float *sum, size_t N, int add)
{
    if (N < AVX2_WIDTH) {
        for (size_t n = 0; n < N; n++)
            c[n] = add ? c[n] + sum[n] : sum[n];
        return;
    }
    for (size_t n = 0; n < AVX2_WIDTH; n += VEC) {
        const __m256 s = _mm256_loadu_ps(sum + n);

        _mm256_storeu_ps(c + n, add ? _mm256_add_ps(_mm256_loadu_ps(c + n), s) : s);
    }
}

/* R and P are constants, so that the sums stay in registers. */
TARGET_AVX2 ISA_BODY void tile(float *c, size_t ldc, const float *a, size_t lda,
                               const struct streams *s, size_t N, int add, size_t R,
                               size_t P)
{
    __m256 acc[TILE_ROWS][STREAMS * VECS];
    float sum[TILE_ROWS][STREAMS * AVX2_WIDTH]; /* acc stays in registers (pack.c) */

    for (size_t r = 0; r < R; r++)
        for (size_t v = 0; v < P * VECS; v++)
            acc[r][v] = _mm256_setzero_ps();
    for (size_t k = 0; k < s->K; k++) {
        __m256 w[STREAMS * VECS];

        for (size_t p = 0; p < P; p++) {
            const float *b = s->b + p * s->step;

            _mm_prefetch((const char *)(b + s->ahead + k * s->share), _MM_HINT_T1);
            for (size_t v = 0; v < VECS; v++)
                w[p * VECS + v] = _mm256_load_ps(b + k * AVX2_WIDTH + v * VEC);
        }
        for (size_t r = 0; r < R; r++) {
            const __m256 x = _mm256_broadcast_ss(a + r * lda + k);

            for (size_t v = 0; v < P * VECS; v++)
                acc[r][v] = _mm256_fmadd_ps(w[v], x, acc[r][v]);
        }
    }
    for (size_t r = 0; r < R; r++)
        for (size_t v = 0; v < P * VECS; v++)
            _mm256_storeu_ps(sum[r] + v * VEC, acc[r][v]);
    for (size_t r = 0; r < R; r++)
        for (size_t p = 0; p < P; p++)
            finish(c + r * ldc + p * AVX2_WIDTH, sum[r] + p * AVX2_WIDTH,
                   N - p * AVX2_WIDTH, add);
}

/* All rows times P panels, N > (P - 1) AVX2_WIDTH columns. */
TARGET_AVX2 ISA_BODY void rows(float *c, size_t ldc, const float *a, size_t lda,
                               struct streams s, size_t M, size_t N, int add, size_t P)
{
    const size_t tiles = ceil_div(M, TILE_ROWS), most = ceil_div(M, tiles);

    /* the panels that come next, by all tiles together */
    s.share = AVX2_WIDTH / tiles;
    for (size_t i = 0, m = 0; m < M; i++, m += most) {
        float *cm = c + m * ldc;
        const float *am = a + m * lda;

        s.ahead = P * s.step + i * s.share * s.K;
        switch (least(most, M - m)) {
        case 1: tile(cm, ldc, am, lda, &s, N, add, 1, P); break;
        case 2: tile(cm, ldc, am, lda, &s, N, add, 2, P); break;
        default: tile(cm, ldc, am, lda, &s, N, add, TILE_ROWS, P); break;
        }
    }
}

/* One block of depth. */
TARGET_AVX2 static void block(float *c, size_t ldc, const float *a, size_t lda,
                              struct streams s, size_t M, size_t N, int add)
{
    for (size_t n = 0, P; n < N; n += P * AVX2_WIDTH, s.b += P * s.step) {
        const size_t left = ceil_div(N - n, AVX2_WIDTH);

        P = M == 1 && left >= STREAMS ? STREAMS : least(left, 2);
        switch (P) {
        case STREAMS: rows(c + n, ldc, a, lda, s, M, N - n, add, STREAMS); break;
        case 2: rows(c + n, ldc, a, lda, s, M, N - n, add, 2); break;
        default: rows(c + n, ldc, a, lda, s, M, N - n, add, 1); break;
        }
    }
}

void few_multiply(float *c, size_t ldc, const float *a, size_t lda, const float *panels,
                  size_t M, size_t N, size_t K)
{
    const size_t depth = pack_depth(K);

    for (size_t k = 0; k < K; k += depth)
        block(c, ldc, a + k, lda,
              (struct streams){.b = panels + k * AVX2_WIDTH,
                               .step = K * AVX2_WIDTH,
                               .K = least(depth, K - k)},
              M, N, k > 0);
}
#else
int few_rows(enum isa isa, size_t M)
{
    (void)isa;
    (void)M;
    return 0;
}

void few_multiply(float *c, size_t ldc, const float *a, size_t lda, const float *panels,
                  size_t M, size_t N, size_t K)
{
    (void)c, (void)ldc, (void)a, (void)lda, (void)panels, (void)M, (void)N, (void)K;
}
#endif
