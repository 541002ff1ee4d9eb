#include "kern/few_simd.h"

#include "kern/shape.h"
#include "kern/vec.h"
#include "tensor/dims.h"

/*
 * A tile is TILE_ROWS rows at most times two panels, or one row times four: the sums, the
 * panels' vectors and one broadcast number fit the registers (AVX2: 12 of 16 are sums, AVX-512:
 * 24 of 32).  With AVX-512 seven rows or eight, ALONE_ROWS, go with one panel: a second tile would
 * read its panels once more.
 */
enum { TILE_ROWS = VEC == 16 ? 6 : 3, STREAMS = 4, VECS = WIDTH / VEC };
enum {
    ALONE_ROWS = VEC == 16 ? 8 : TILE_ROWS,
    NEAR = 64 /* numbers in depth, of one panel */
};
static const size_t line = 16; /* floats */

/* A block of depth of P panels, `step` floats apart, and what is asked for with each k: of each
 * panel the `share` floats from `ahead` + k * `share` behind its begin. */
struct streams {
    const float *b;
    size_t step, K, ahead, share;
};

/* c (N) = sum or, if `add`, += sum, of a panel's columns. */
ISA_BODY void finish(float *c, const float *sum, size_t N, int add)
{
    if (N < WIDTH) {
        for (size_t n = 0; n < N; n++)
            c[n] = add ? c[n] + sum[n] : sum[n];
        return;
    }
    for (size_t n = 0; n < WIDTH; n += VEC) {
        const vfloat s = vec_load(sum + n);

        vec_store(c + n, add ? vec_load(c + n) + s : s);
    }
}

/* The vectors of P panels at k, which ask for what comes later. */
ISA_BODY void take(vfloat w[STREAMS * VECS], const struct streams *s, size_t k,
                   size_t P)
{
    UNROLL
    for (size_t p = 0; p < P; p++) {
        const float *b = s->b + p * s->step, *ahead = b + s->ahead + k * s->share;

        __builtin_prefetch(ahead, 0, 3);
        if (WIDTH > line && s->share > line)
            __builtin_prefetch(ahead + line, 0, 3);
        UNROLL
        for (size_t v = 0; v < VECS; v++)
            w[p * VECS + v] = vec_load(b + k * WIDTH + v * VEC);
    }
}

/* R and P are constants, so that the sums stay in registers. */
ISA_BODY void tile(float *c, size_t ldc, const float *a, size_t lda,
                   const struct streams *s, size_t N, int add, size_t R, size_t P)
{
    /* sums go through memory, for acc to stay in registers (pack_multiply.c) */
    vfloat acc[ALONE_ROWS][STREAMS * VECS];
    float sum[ALONE_ROWS][STREAMS * WIDTH];

    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < P * VECS; v++)
        acc[r][v] = vec_set(0);
    for (size_t k = 0; k < s->K; k++) {
        vfloat w[STREAMS * VECS];

        take(w, s, k, P);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            const vfloat x = vec_set(a[r * lda + k]);

            UNROLL
            for (size_t v = 0; v < P * VECS; v++)
                acc[r][v] = vec_fma(w[v], x, acc[r][v]);
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
    for (size_t v = 0; v < P * VECS; v++)
        vec_store(sum[r] + v * VEC, acc[r][v]);
    for (size_t r = 0; r < R; r++)
        for (size_t p = 0; p < P; p++)
            finish(c + r * ldc + p * WIDTH, sum[r] + p * WIDTH, N - p * WIDTH, add);
}

/* All rows times P panels, N > (P - 1) WIDTH columns.  s.ahead: where what comes next begins. */
ISA_BODY void rows(float *c, size_t ldc, const float *a, size_t lda, struct streams s,
                   size_t M, size_t N, int add, size_t P)
{
    const size_t tiles = ceil_div(M, P == 1 ? ALONE_ROWS : TILE_ROWS);
    const size_t most = ceil_div(M, tiles), next = s.ahead;

    /* what comes next, by all tiles together; of a panel that goes alone what comes soon */
    s.share = WIDTH / tiles;
    for (size_t i = 0, m = 0; m < M; i++, m += most) {
        float *cm = c + m * ldc;
        const float *am = a + m * lda;

        s.ahead = P == 1 && tiles == 1 ? NEAR * WIDTH : next + i * s.share * s.K;
        switch (least(most, M - m)) {
        case 1: tile(cm, ldc, am, lda, &s, N, add, 1, P); break;
        case 2: tile(cm, ldc, am, lda, &s, N, add, 2, P); break;
        case 3: tile(cm, ldc, am, lda, &s, N, add, 3, P); break;
#if defined(__AVX512F__)
        case 4: tile(cm, ldc, am, lda, &s, N, add, 4, P); break;
        case 5: tile(cm, ldc, am, lda, &s, N, add, 5, P); break;
        case 6: tile(cm, ldc, am, lda, &s, N, add, 6, P); break;
        case 7: tile(cm, ldc, am, lda, &s, N, add, 7, 1); break; /* P is 1 */
        case 8: tile(cm, ldc, am, lda, &s, N, add, 8, 1); break;
#endif
        }
    }
}

/* How many panels of those left M rows take at once. */
static size_t streams_of(size_t M, size_t left)
{
    if (M == 1 && left >= STREAMS)
        return STREAMS;
    return M > TILE_ROWS && M <= ALONE_ROWS ? 1 : least(left, 2);
}

/* The same of P as a constant. */
static void block(float *c, size_t ldc, const float *a, size_t lda, struct streams s,
                  size_t M, size_t N, int add, size_t P)
{
    switch (P) {
    case STREAMS: tile(c, ldc, a, lda, &s, N, add, 1, STREAMS); break; /* M is 1 */
    case 2: rows(c, ldc, a, lda, s, M, N, add, 2); break;
    default: rows(c, ldc, a, lda, s, M, N, add, 1); break;
    }
}

/* Panels from end to end, one block of depth behind the other, which is the order of memory. */
void ISA_NAME(few_panels)(float *c, size_t ldc, const float *a, size_t lda,
                          const float *b, size_t M, size_t N, size_t K, size_t depth)
{
    const size_t step = K * WIDTH;

    for (size_t n = 0, P; n < N; n += P * WIDTH, b += P * step) {
        P = streams_of(M, ceil_div(N - n, WIDTH));
        for (size_t k = 0; k < K; k += depth) {
            const size_t deep = least(depth, K - k), at = k * WIDTH;
            const size_t next = k + deep < K ? deep * WIDTH : P * step - at;

            block(c + n, ldc, a + k, lda,
                  (struct streams){b + at, step, deep, next, WIDTH}, M, N - n, k > 0,
                  P);
        }
    }
}
