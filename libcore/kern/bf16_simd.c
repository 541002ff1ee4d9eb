#include "kern/bf16_simd.h"

#include "kern/bf16.h"
#include "kern/halves.h"
#include "tensor/dims.h"

/* The last, partial vector is loaded over zeros. */
ISA_BODY vword part(const float *x, size_t n)
{
    return half_of((vword)vec_load_part(x, n, 0));
}

/* The halves of a vector, two in a word, past the caches. */
ISA_BODY void store_past(void *p, vword_half v)
{
#if defined(__AVX512F__)
    _mm256_stream_si256(p, (__m256i)v);
#elif defined(__AVX2__)
    _mm_stream_si128(p, (__m128i)v);
#else
    memcpy(p, &v, sizeof v);
#endif
}

static void along(uint16_t *h, const float *x, size_t n)
{
    size_t i = 0;

    for (; n - i >= VEC; i += VEC) {
        const vword_half two = join(rounded(x + i));

        memcpy(h + i, &two, sizeof two);
    }
    if (i < n) {
        const vword_half two = join(part(x + i, n - i));

        memcpy(h + i, &two, (n - i) * sizeof *h);
    }
}

/* h begins with a line.  Whole lines go past the caches. */
static void past_row(uint16_t *h, const float *x, size_t n)
{
    enum { LINE_HALVES = 64 / sizeof *h };

    for (; n >= LINE_HALVES; n -= LINE_HALVES, x += LINE_HALVES, h += LINE_HALVES) {
        UNROLL
        for (size_t i = 0; i < LINE_HALVES; i += VEC)
            store_past(h + i, join(rounded(x + i)));
    }
    along(h, x, n);
}

static void past(uint16_t *h, size_t ldh, const float *x, size_t ldx, size_t rows,
                 size_t n)
{
    const int lines = bf16_lines(h, ldh * sizeof *h);

    for (size_t r = 0; r < rows; r++)
        (lines ? past_row : along)(h + r * ldh, x + r * ldx, n);
    VEC_FENCE();
}

ISA_BODY void pieces(uint32_t *w, size_t step, const float *x, size_t n)
{
    for (; n >= BF16_STEP; n -= BF16_STEP, x += BF16_STEP, w += step) {
        UNROLL
        for (size_t i = 0; i < BF16_STEP; i += VEC) {
            const vword_half two = join(rounded(x + i));

            memcpy(w + i / 2, &two, sizeof two);
        }
    }
    if (n > 0) {
        memset(w, 0, BF16_STEP / 2 * sizeof *w);
        along((void *)w, x, n);
    }
}

static void left(uint32_t *w, size_t step, const float *x, size_t ld, size_t rows,
                 size_t n)
{
    for (size_t r = 0; r < rows; r++)
        pieces(w + r * (BF16_STEP / 2), step, x + r * ld, n);
}

/* A band's words of the rows x and y; y NULL: of x and zeros.  n: columns. */
ISA_BODY void band_pair(uint32_t *w, const float *x, const float *y, size_t n)
{
    UNROLL
    for (size_t i = 0; i < BF16_BAND; i += VEC) {
        const size_t left = n > i ? n - i : 0;
        const vword odd = !y            ? (vword){0}
                          : left >= VEC ? rounded(y + i)
                                        : part(y + i, left);
        const vword two =
            (left >= VEC ? rounded(x + i) : part(x + i, left)) | odd << 16;

        memcpy(w + i, &two, sizeof two);
    }
}

ISA_BODY void band(uint32_t *w, const float *x, size_t ld, size_t rows, size_t n)
{
    for (size_t i = 0; i + 1 < rows; i += 2)
        band_pair(w + i / 2 * BF16_BAND, x + i * ld, x + (i + 1) * ld, n);
    if (rows % 2)
        band_pair(w + rows / 2 * BF16_BAND, x + (rows - 1) * ld, NULL, n);
}

static void across(uint32_t *w, size_t apart, const float *x, size_t ld, size_t rows,
                   size_t n)
{
    for (; n >= BF16_BAND; n -= BF16_BAND, x += BF16_BAND, w += apart)
        band(w, x, ld, rows, BF16_BAND); /* a constant: no partial vectors */
    if (n > 0)
        band(w, x, ld, rows, n);
}

void ISA_NAME(bf16_rounded)(float *y, const float *x, size_t n)
{
    size_t i = 0;

    for (; n - i >= VEC; i += VEC)
        vec_store(y + i, (vfloat)(rounded(x + i) << 16));
    if (i < n)
        vec_store_part(y + i, (vfloat)(part(x + i, n - i) << 16), n - i);
}

void ISA_NAME(bf16_widened)(float *x, const uint16_t *h, size_t n)
{
    size_t i = 0;

    for (; n - i >= VEC; i += VEC)
        vec_store(x + i, widened(h + i));
    for (; i < n; i++) {
        const uint32_t word = (uint32_t)h[i] << 16;

        memcpy(x + i, &word, sizeof word);
    }
}

/* ---- transposing ------------------------------------------------------------------- */

/* Eight rows of eight words; three times, rows 1, 2 and 4 apart change places of their
 * words with each other. */
typedef uint32_t word8 __attribute__((vector_size(32)));

ISA_BODY void swap_ones(word8 *a, word8 *b)
{
    const word8 x = *a, y = *b;

    *a = ISA_MIX(word8, x, y, 0, 8, 2, 10, 4, 12, 6, 14);
    *b = ISA_MIX(word8, x, y, 1, 9, 3, 11, 5, 13, 7, 15);
}

ISA_BODY void swap_twos(word8 *a, word8 *b)
{
    const word8 x = *a, y = *b;

    *a = ISA_MIX(word8, x, y, 0, 1, 8, 9, 4, 5, 12, 13);
    *b = ISA_MIX(word8, x, y, 2, 3, 10, 11, 6, 7, 14, 15);
}

ISA_BODY void swap_fours(word8 *a, word8 *b)
{
    const word8 x = *a, y = *b;

    *a = ISA_MIX(word8, x, y, 0, 1, 2, 3, 8, 9, 10, 11);
    *b = ISA_MIX(word8, x, y, 4, 5, 6, 7, 12, 13, 14, 15);
}

ISA_BODY void turn_block(uint32_t *w, size_t ldw, const uint32_t *v, size_t ldv)
{
    word8 r[8];

    UNROLL
    for (size_t i = 0; i < 8; i++)
        memcpy(&r[i], v + i * ldv, sizeof r[i]);
    UNROLL
    for (size_t i = 0; i < 8; i += 2)
        swap_ones(&r[i], &r[i + 1]);
    UNROLL
    for (size_t i = 0; i < 4; i++)
        swap_twos(&r[i / 2 * 4 + i % 2], &r[i / 2 * 4 + i % 2 + 2]);
    UNROLL
    for (size_t i = 0; i < 4; i++)
        swap_fours(&r[i], &r[i + 4]);
    UNROLL
    for (size_t i = 0; i < 8; i++)
        memcpy(w + i * ldw, &r[i], sizeof r[i]);
}

/* `cols` columns of 16 rows, a multiple of 8. */
ISA_BODY void turn_columns(uint32_t *w, size_t ldw, const uint32_t *v, size_t ldv,
                           size_t cols)
{
    for (size_t r = 0; r < BF16_STRIP; r += 8)
        for (size_t c = 0; c < cols; c += 8)
            turn_block(w + c * ldw + r, ldw, v + r * ldv + c, ldv);
}

static void turn(uint32_t *w, size_t ldw, const uint32_t *v, size_t ldv)
{
    turn_columns(w, ldw, v, ldv, BF16_STRIP);
}

/* Words of rows go by way of a block on the stack. */
enum { DEEP = 4 * BF16_STEP, DEEP_PAIRS = DEEP / 2 };

static void rows(uint32_t *p, const float *W, size_t ldw, size_t wide, size_t K)
{
    uint32_t block[BF16_STRIP * DEEP_PAIRS];

    for (size_t k = 0; k < K; k += DEEP) {
        const size_t deep = least(K - k, DEEP);

        if (wide < BF16_STRIP || deep < DEEP)
            memset(block, 0, sizeof block);
        for (size_t n = 0; n < wide; n++)
            along((void *)(block + n * DEEP_PAIRS), W + n * ldw + k, deep);
        turn_columns(p + k / 2 * BF16_BAND, BF16_BAND, block, DEEP_PAIRS,
                     round_up(deep, BF16_STEP) / 2);
    }
}

const struct bf16_order ISA_NAME(bf16_order) = {past, left, across, turn, rows};
