#include "kern/pack.h"

#include "kern/shape.h"
#include "tensor/dims.h"

#include <string.h>

#if ISA_X86
#include <immintrin.h>
#endif

size_t pack_width(enum isa isa)
{
    switch (isa) {
    case ISA_AVX512: return AVX512_WIDTH;
    case ISA_AVX2: return AVX2_WIDTH;
    default: return PLAIN_WIDTH;
    }
}

size_t pack_height(enum isa isa)
{
    switch (isa) {
    case ISA_AVX512: return AVX512_HEIGHT;
    case ISA_AVX2: return AVX2_HEIGHT;
    default: return PLAIN_HEIGHT;
    }
}

size_t pack_depth(size_t K)
{
    return K > PACK_DEPTH ? share_out(K, PACK_DEPTH, 8) : PACK_DEPTH;
}

size_t pack_floats(enum isa isa, size_t N, size_t K)
{
    return round_up(N, pack_width(isa)) * K;
}

static void transpose_plain(float *p, size_t width, const float *W, size_t ldw,
                            size_t wide, size_t from, size_t K)
{
    for (size_t n = 0; n < wide; n++)
        for (size_t k = from; k < K; k++)
            p[k * width + n] = W[n * ldw + k];
}

#if ISA_X86
/* `rows` rows of eight to eight columns: pairs, then fours, then halves change places.
 * Columns are stored in order, eight floats each. */
TARGET_AVX2 ISA_BODY void transpose8(float *p, size_t width, const float *W, size_t ldw,
                                     size_t rows)
{
    __m256 r[8], t[8];

    for (size_t i = 0; i < 8; i++)
        r[i] = i < rows ? _mm256_loadu_ps(W + i * ldw) : _mm256_setzero_ps();
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (size_t i = 0; i < 4; i++)
        _mm256_storeu_ps(p + i * width, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    for (size_t i = 0; i < 4; i++)
        _mm256_storeu_ps(p + (i + 4) * width,
                         _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
}

TARGET_AVX2 static void transpose_avx2(float *p, size_t width, const float *W,
                                       size_t ldw, size_t wide, size_t K)
{
    const size_t eights = wide / 8 * 8, deep = K / 8 * 8;

    for (size_t n = 0; n < eights; n += 8)
        for (size_t k = 0; k < deep; k += 8)
            transpose8(p + k * width + n, width, W + n * ldw + k, ldw, 8);
    transpose_plain(p, width, W, ldw, eights, deep, K);
    transpose_plain(p + eights, width, W + eights * ldw, ldw, wide - eights, 0, K);
}
#endif

/* Zeros beyond column `wide` of a panel. */
static void clear_beyond(float *p, size_t width, size_t wide, size_t K)
{
    if (wide < width)
        for (size_t k = 0; k < K; k++)
            memset(p + k * width + wide, 0, (width - wide) * sizeof *p);
}

static void panel_from_rows(enum isa isa, float *p, const float *W, size_t ldw,
                            size_t wide, size_t K)
{
    const size_t width = pack_width(isa);

    clear_beyond(p, width, wide, K);
#if ISA_X86
    if (isa != ISA_PLAIN) {
        transpose_avx2(p, width, W, ldw, wide, K);
        return;
    }
#endif
    transpose_plain(p, width, W, ldw, wide, 0, K);
}

void pack_from_rows(enum isa isa, float *p, const float *W, size_t ldw, size_t N,
                    size_t K)
{
    const size_t width = pack_width(isa);

    for (size_t n = 0; n < N; n += width)
        panel_from_rows(isa, p + n * K, W + n * ldw, ldw, N - n < width ? N - n : width,
                        K);
}

void pack_row(enum isa isa, float *row, const float *p, size_t n, size_t K)
{
    const size_t width = pack_width(isa);

    p += n / width * width * K + n % width;
    for (size_t k = 0; k < K; k++)
        row[k] = p[k * width];
}

/* Rows of A, ld apart, to `tiles` tiles of `width` columns.  A row is read from end to end:
 * its tiles are written side by side. */
ISA_BODY void copy_tiles(float *p, size_t width, const float *A, size_t ld,
                         size_t tiles, struct pack_rows r)
{
    for (size_t k = r.from; k < r.to; k++)
        for (size_t j = 0; j < tiles; j++)
            memcpy(p + (j * r.K + k) * width, A + k * ld + j * width,
                   width * sizeof *p);
}

/* The same of any number of columns; what is left of them is less than a tile.  With a
 * constant width a copy is a few instructions. */
static void copy_columns(float *p, size_t width, const float *A, size_t ld, size_t n,
                         struct pack_rows r)
{
    const size_t tiles = n / width, left = n % width;

    switch (width) {
    case PLAIN_HEIGHT: copy_tiles(p, PLAIN_HEIGHT, A, ld, tiles, r); break;
    case AVX2_HEIGHT: copy_tiles(p, AVX2_HEIGHT, A, ld, tiles, r); break;
    case AVX512_HEIGHT: copy_tiles(p, AVX512_HEIGHT, A, ld, tiles, r); break;
    case AVX2_WIDTH: copy_tiles(p, AVX2_WIDTH, A, ld, tiles, r); break;
    case AVX512_WIDTH: copy_tiles(p, AVX512_WIDTH, A, ld, tiles, r); break;
    default: copy_tiles(p, width, A, ld, tiles, r); break;
    }
    for (size_t k = r.from; left && k < r.to; k++)
        memcpy(p + (tiles * r.K + k) * width, A + k * ld + tiles * width,
               left * sizeof *p);
}

void pack_from_columns(enum isa isa, float *p, const float *B, size_t ldb, size_t N,
                       struct pack_rows k)
{
    const size_t width = pack_width(isa), whole = N / width * width;

    if (whole < N)
        clear_beyond(p + whole * k.K + k.from * width, width, N - whole, k.to - k.from);
    copy_columns(p, width, B, ldb, N, k);
}

struct pack_left pack_left_tiles(enum isa isa, const float *mem, size_t K)
{
    return (struct pack_left){mem, K, 1, pack_height(isa)};
}

#if ISA_X86
/* A whole tile of `height` rows, 6 or 12.  What eight floats hold beyond the height is
 * overwritten, by the next column: so the upper rows come first, and the last columns are not
 * stored so. */
TARGET_AVX2 ISA_BODY void tile_from_rows(float *p, size_t height, const float *A,
                                         size_t ld, size_t K)
{
    size_t k = 0;

    for (; k + 8 < K; k += 8) {
        if (height > 8)
            transpose8(p + k * height + 8, height, A + 8 * ld + k, ld, height - 8);
        transpose8(p + k * height, height, A + k, ld, least(height, 8));
    }
    transpose_plain(p, height, A, ld, height, k, K);
}

TARGET_AVX2 static void tiles_avx2(float *mem, size_t height, const float *A, size_t ld,
                                   size_t tiles, size_t K)
{
    for (size_t i = 0; i < tiles; i++, mem += height * K, A += height * ld)
        if (height == AVX2_HEIGHT)
            tile_from_rows(mem, AVX2_HEIGHT, A, ld, K);
        else
            tile_from_rows(mem, AVX512_HEIGHT, A, ld, K);
}
#endif

void pack_tiles_from_rows(enum isa isa, float *mem, const float *A, size_t ld, size_t M,
                          size_t K)
{
    const size_t height = pack_height(isa);
    size_t m = 0;

#if ISA_X86
    if (isa != ISA_PLAIN) {
        m = M / height * height;
        tiles_avx2(mem, height, A, ld, m / height, K);
    }
#endif
    for (; m < M; m += height)
        transpose_plain(mem + m * K, height, A + m * ld, ld,
                        M - m < height ? M - m : height, 0, K);
}

void pack_tiles_from_columns(enum isa isa, float *mem, const float *A, size_t ld,
                             size_t M, struct pack_rows k)
{
    copy_columns(mem, pack_height(isa), A, ld, M, k);
}
