#include "kern/narrow_simd.h"

#include "kern/halves.h"
#include "kern/shape.h"

enum { VECS = WIDTH / VEC };

/* Words that are asked for before they are used. */
enum { AHEAD = 24 * WIDTH };

/* A row of a tile, VECS vectors; every index is a constant once the loops are unrolled, or
 * the sums would be kept in memory. */
ISA_BODY void row_clear(vfloat acc[VECS])
{
    UNROLL
    for (size_t v = 0; v < VECS; v++)
        acc[v] = vec_set(0);
}

ISA_BODY void row_add(vfloat acc[VECS], const vfloat w[VECS], float a)
{
    UNROLL
    for (size_t v = 0; v < VECS; v++)
        acc[v] = vec_fma(w[v], vec_set(a), acc[v]);
}

ISA_BODY void row_store(float *sum, const vfloat acc[VECS])
{
    UNROLL
    for (size_t v = 0; v < VECS; v++)
        vec_store(sum + v * VEC, acc[v]);
}

/* All rows, for one k: the even half of the words, or the odd one. */
ISA_BODY void add(vfloat acc[HEIGHT][VECS], const uint32_t *b, int is_odd,
                  const float *a, size_t lda, size_t R)
{
    vfloat w[VECS];

    UNROLL
    for (size_t v = 0; v < VECS; v++)
        w[v] = is_odd ? upper(words(b + v * VEC)) : lower(words(b + v * VEC));
    UNROLL
    for (size_t r = 0; r < R; r++)
        row_add(acc[r], w, a[r * lda]);
}

ISA_BODY void tile(float sum[HEIGHT][WIDTH], const float *a, size_t lda,
                   const uint32_t *b, size_t deep, size_t R)
{
    vfloat acc[HEIGHT][VECS];
    size_t k = 0;

    UNROLL
    for (size_t r = 0; r < R; r++)
        row_clear(acc[r]);
    for (; k + 1 < deep; k += 2, b += WIDTH) {
        __builtin_prefetch(b + AHEAD);
        add(acc, b, 0, a + k, lda, R);
        add(acc, b, 1, a + k + 1, lda, R);
    }
    if (k < deep)
        add(acc, b, 0, a + k, lda, R);
    UNROLL
    for (size_t r = 0; r < R; r++)
        row_store(sum[r], acc[r]);
}

static void sums(float sum[HEIGHT][WIDTH], const float *a, size_t lda,
                 const uint32_t *b, size_t deep, size_t R)
{
    switch (R) {
    case 1: tile(sum, a, lda, b, deep, 1); break;
    case 2: tile(sum, a, lda, b, deep, 2); break;
    case 3: tile(sum, a, lda, b, deep, 3); break;
    case 4: tile(sum, a, lda, b, deep, 4); break;
#if defined(__AVX2__)
    case 5: tile(sum, a, lda, b, deep, 5); break;
    case 6: tile(sum, a, lda, b, deep, 6); break;
#endif
#if defined(__AVX512F__)
    case 7: tile(sum, a, lda, b, deep, 7); break;
    case 8: tile(sum, a, lda, b, deep, 8); break;
    case 9: tile(sum, a, lda, b, deep, 9); break;
    case 10: tile(sum, a, lda, b, deep, 10); break;
    case 11: tile(sum, a, lda, b, deep, 11); break;
    case 12: tile(sum, a, lda, b, deep, 12); break;
#endif
    }
}

void ISA_NAME(narrow_tile)(float *c, size_t ldc, const float *a, size_t lda,
                           const uint32_t *b, size_t R, size_t N, size_t deep, int add)
{
    float sum[HEIGHT][WIDTH];

    sums(sum, a, lda, b, deep, R);
    for (size_t r = 0; r < R; r++)
        for (size_t n = 0; n < N; n++)
            c[r * ldc + n] = add ? c[r * ldc + n] + sum[r][n] : sum[r][n];
}

void ISA_NAME(narrow_round)(uint32_t *b, const float *panel, size_t deep)
{
    for (size_t k = 0; k < deep; k += 2, b += WIDTH, panel += 2 * (size_t)WIDTH)
        for (size_t v = 0; v < WIDTH; v += VEC) {
            vword w = rounded(panel + v);

            if (k + 1 < deep)
                w |= rounded(panel + WIDTH + v) << 16;
            memcpy(b + v, &w, sizeof w);
        }
}

void ISA_NAME(narrow_widen)(float *out, const uint32_t *b, size_t deep)
{
    for (size_t k = 0; k < deep; k += 2, b += WIDTH, out += 2 * (size_t)WIDTH)
        for (size_t v = 0; v < WIDTH; v += VEC) {
            vec_store(out + v, lower(words(b + v)));
            if (k + 1 < deep)
                vec_store(out + WIDTH + v, upper(words(b + v)));
        }
}
