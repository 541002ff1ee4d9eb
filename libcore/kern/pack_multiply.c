#include "kern/pack.h"

#include "kern/shape.h"
#include "tensor/dims.h"

#include <string.h>

#if ISA_X86
#include <immintrin.h>
#endif

/*
 * A tile is R rows of a times one panel (shape.h).  Its accumulators stay in registers only
 * as long as every index into them is a constant once loops are unrolled: so sums go through
 * memory to loops that are not, but those of a whole panel with AVX-512, which wins 1 to 3 % so.
 */

/* Weights come from memory: a panel is asked for so many k ahead of its use.  Where several
 * tiles read one panel, the first would wait for memory and the others for nothing: so
 * each of them asks for its share of the block behind, which comes to the second cache
 * while they compute. */
enum { LINE = 16, AHEAD_AVX2 = 24, AHEAD_AVX512 = 40 };

/* What a tile asks for: with its k, the float `from` + k * `step` behind the panel's begin. */
struct ahead {
    ptrdiff_t from;
    size_t step;
};

/* One block of depth of one panel; `wide` columns of it are real. */
struct panel {
    const float *b;
    size_t K, wide;
    float beta;
    struct ahead ahead;
};

/* The same of all panels, N columns; `then`: what is asked for with the last one. */
struct panels {
    const float *b, *then;
    size_t step, N, K;
    float beta;
};

ISA_BODY struct panel panel_at(const struct panels *p, size_t n, size_t width,
                               struct ahead ahead)
{
    return (struct panel){.b = p->b + n / width * p->step,
                          .K = p->K,
                          .wide = p->N - n < width ? p->N - n : width,
                          .beta = p->beta,
                          .ahead = ahead};
}

/* What comes behind the panel of column n, floats from it. */
static inline ptrdiff_t next_panel(const struct panels *p, size_t n, size_t width)
{
    if (n + width < p->N)
        return (ptrdiff_t)p->step;
    return p->then ? p->then - (p->b + n / width * p->step) : (ptrdiff_t)(p->K * width);
}

/* What the tile at row m of M asks for, of `height` rows at most: its share of what comes next,
 * `next` floats behind.  Where there are more tiles than columns the last ones ask for what is
 * there. */
static inline struct ahead ask_share(const struct panels *p, ptrdiff_t next, size_t m,
                                     size_t M, size_t height, size_t width,
                                     size_t ahead)
{
    const size_t tiles = ceil_div(M, height), step = ceil_div(width, tiles);
    const size_t column = m * tiles / M * step;

    if (tiles == 1)
        return (struct ahead){(ptrdiff_t)(ahead * width), width};
    return column < width ? (struct ahead){next + (ptrdiff_t)(p->K * column), step}
                          : (struct ahead){0, width};
}

static void finish_plain(float *c, const float *acc, struct panel p)
{
    for (size_t n = 0; n < p.wide; n++)
        c[n] = p.beta == 0 ? acc[n] : p.beta * c[n] + acc[n];
}

ISA_BODY void tile_plain(float *c, size_t ldc, struct pack_left a, struct panel p,
                         size_t R)
{
    float acc[PLAIN_HEIGHT][PLAIN_WIDTH] = {{0}};

    for (size_t k = 0; k < p.K; k++)
        for (size_t r = 0; r < R; r++)
            for (size_t n = 0; n < PLAIN_WIDTH; n++)
                acc[r][n] += a.a[r * a.row + k * a.column] * p.b[k * PLAIN_WIDTH + n];
    for (size_t r = 0; r < R; r++)
        finish_plain(c + r * ldc, acc[r], p);
}

static void rows_plain(float *c, size_t ldc, struct pack_left a, size_t M,
                       struct panels p)
{
    for (size_t m = 0; m < M; m += PLAIN_HEIGHT)
        for (size_t n = 0; n < p.N; n += PLAIN_WIDTH) {
            float *to = c + m * ldc + n;
            const struct pack_left am = {a.a + m * a.step, 0, a.row, a.column};
            const struct panel pn = panel_at(&p, n, PLAIN_WIDTH, (struct ahead){0});

            switch (M - m) {
            case 1: tile_plain(to, ldc, am, pn, 1); break;
            case 2: tile_plain(to, ldc, am, pn, 2); break;
            case 3: tile_plain(to, ldc, am, pn, 3); break;
            default: tile_plain(to, ldc, am, pn, PLAIN_HEIGHT); break;
            }
        }
}

/* Rows of the next tile where `left` are left: all tiles are as even as can be, for a thin one has
 * too few sums side by side to hide what one takes.  A left operand that is packed by tiles
 * has them whole. */
static inline size_t tile_rows(const struct pack_left *a, size_t left, size_t height)
{
    if (is_tiles(a))
        return least(left, height);
    return ceil_div(left, ceil_div(left, height));
}

#if ISA_X86
TARGET_AVX2 ISA_BODY void finish_avx2(float *c, const float *sum, struct panel p)
{
    const __m256 beta = _mm256_set1_ps(p.beta);
    __m256 s0 = _mm256_loadu_ps(sum), s1 = _mm256_loadu_ps(sum + 8);
    float lane[AVX2_WIDTH];
    float *to = p.wide == AVX2_WIDTH ? c : lane;

    if (to != c)
        memcpy(lane, c, p.wide * sizeof *c);
    if (p.beta != 0) {
        s0 = _mm256_fmadd_ps(beta, _mm256_loadu_ps(to), s0);
        s1 = _mm256_fmadd_ps(beta, _mm256_loadu_ps(to + 8), s1);
    }
    _mm256_storeu_ps(to, s0);
    _mm256_storeu_ps(to + 8, s1);
    if (to != c)
        memcpy(c, lane, p.wide * sizeof *c);
}

/* A number of the left operand.  `tiles`, a constant: it lies in tiles, and numbers are constants
 * apart, which spares the loop half of its sums of addresses. */
TARGET_AVX2 ISA_BODY __m256 left_avx2(const struct pack_left *a, size_t r, size_t k,
                                      int tiles)
{
    return _mm256_broadcast_ss(a->a + (tiles ? k * AVX2_HEIGHT + r : r * a->row + k));
}

TARGET_AVX2 ISA_BODY void tile_avx2(float *c, size_t ldc, struct pack_left a,
                                    struct panel p, int tiles, size_t R)
{
    const float *ahead = p.b + p.ahead.from;
    __m256 acc[AVX2_HEIGHT][2];
    float sum[AVX2_HEIGHT * AVX2_WIDTH];

    for (size_t r = 0; r < R; r++) {
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
        __builtin_prefetch(c + r * ldc, 1, 3);
    }
    UNROLL_4
    for (size_t k = 0; k < p.K; k++) {
        const float *b = p.b + k * AVX2_WIDTH;
        const __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);

        _mm_prefetch((const char *)(ahead + k * p.ahead.step), _MM_HINT_T1);
        for (size_t r = 0; r < R; r++) {
            const __m256 x = left_avx2(&a, r, k, tiles);

            acc[r][0] = _mm256_fmadd_ps(b0, x, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(b1, x, acc[r][1]);
        }
    }
    for (size_t r = 0; r < R; r++) {
        _mm256_storeu_ps(sum + r * AVX2_WIDTH, acc[r][0]);
        _mm256_storeu_ps(sum + r * AVX2_WIDTH + 8, acc[r][1]);
    }
    for (size_t r = 0; r < R; r++)
        finish_avx2(c + r * ldc, sum + r * AVX2_WIDTH, p);
}

/* One panel times all tiles. */
TARGET_AVX2 ISA_BODY void panel_avx2(float *c, size_t ldc, struct pack_left a, size_t M,
                                     const struct panels *p, size_t n, int tiles)
{
    const ptrdiff_t next = next_panel(p, n, AVX2_WIDTH);

    for (size_t m = 0, rows; m < M; m += rows) {
        float *cm = c + m * ldc;
        const struct pack_left am = {a.a + m * a.step, 0, a.row, a.column};
        const struct ahead ahead =
            ask_share(p, next, m, M, AVX2_HEIGHT, AVX2_WIDTH, AHEAD_AVX2);
        const struct panel pn = panel_at(p, n, AVX2_WIDTH, ahead);

        rows = tile_rows(&a, M - m, AVX2_HEIGHT);
        switch (rows) {
        case 1: tile_avx2(cm, ldc, am, pn, tiles, 1); break;
        case 2: tile_avx2(cm, ldc, am, pn, tiles, 2); break;
        case 3: tile_avx2(cm, ldc, am, pn, tiles, 3); break;
        case 4: tile_avx2(cm, ldc, am, pn, tiles, 4); break;
        case 5: tile_avx2(cm, ldc, am, pn, tiles, 5); break;
        default: tile_avx2(cm, ldc, am, pn, tiles, AVX2_HEIGHT); break;
        }
    }
}

TARGET_AVX2 static void rows_avx2(float *c, size_t ldc, struct pack_left a, size_t M,
                                  struct panels p)
{
    for (size_t n = 0; n < p.N; n += AVX2_WIDTH)
        if (is_tiles(&a))
            panel_avx2(c + n, ldc, a, M, &p, n, 1);
        else
            panel_avx2(c + n, ldc, a, M, &p, n, 0);
}

TARGET_AVX512 ISA_BODY void part_avx512(float *c, const float *sum, struct panel p)
{
    for (size_t v = 0; v < 2; v++) {
        const size_t left = p.wide > v * LINE ? p.wide - v * LINE : 0;
        const __mmask16 m = left >= LINE ? 0xffff : (__mmask16)((1u << left) - 1);
        __m512 s = _mm512_loadu_ps(sum + v * LINE);

        if (p.beta != 0)
            s = _mm512_fmadd_ps(_mm512_set1_ps(p.beta),
                                _mm512_maskz_loadu_ps(m, c + v * LINE), s);
        _mm512_mask_storeu_ps(c + v * LINE, m, s);
    }
}

TARGET_AVX512 ISA_BODY void finish_avx512(float *c, size_t ldc,
                                          __m512 acc[AVX512_HEIGHT][2], struct panel p,
                                          size_t R)
{
    float sum[AVX512_HEIGHT * AVX512_WIDTH];

    if (p.wide < AVX512_WIDTH) {
        for (size_t r = 0; r < R; r++)
            for (size_t v = 0; v < 2; v++)
                _mm512_storeu_ps(sum + r * AVX512_WIDTH + v * LINE, acc[r][v]);
        for (size_t r = 0; r < R; r++)
            part_avx512(c + r * ldc, sum + r * AVX512_WIDTH, p);
        return;
    }
    if (p.beta != 0)
        for (size_t r = 0; r < R; r++)
            for (size_t v = 0; v < 2; v++)
                acc[r][v] =
                    _mm512_fmadd_ps(_mm512_set1_ps(p.beta),
                                    _mm512_loadu_ps(c + r * ldc + v * LINE), acc[r][v]);
    for (size_t r = 0; r < R; r++)
        for (size_t v = 0; v < 2; v++)
            _mm512_storeu_ps(c + r * ldc + v * LINE, acc[r][v]);
}

/* Where rows of a left operand lie, bytes: every third, and how far apart.  All others are one of
 * these and 1 or 2 times that: addresses that an instruction makes by itself.  With an
 * address for each row compilers run out of registers, and keep a panel's vectors in
 * memory. */
struct places {
    const char *p[AVX512_HEIGHT / 3];
    size_t row;
};

TARGET_AVX512 ISA_BODY __m512 at_row(const struct places *a, size_t r)
{
    float x;

    memcpy(&x, a->p[r / 3] + r % 3 * a->row, sizeof x);
    return _mm512_set1_ps(x);
}

TARGET_AVX512 ISA_BODY void tile_avx512(float *c, size_t ldc, struct pack_left a,
                                        struct panel p, size_t R)
{
    const float *ahead = p.b + p.ahead.from, *b = p.b,
                *near = b + AHEAD_AVX512 * AVX512_WIDTH;
    const size_t row = a.row * sizeof(float), column = a.column * sizeof(float);
    const char *const first = (const char *)a.a;
    struct places at = {{first, first + 3 * row, first + 6 * row, first + 9 * row},
                        row};
    __m512 acc[AVX512_HEIGHT][2];

    __asm__(""
            : "+r"(at.p[1]), "+r"(at.p[2]),
              "+r"(at.p[3])); /* not made anew each time */
    for (size_t r = 0; r < R; r++)
        acc[r][0] = acc[r][1] = _mm512_setzero_ps();
    for (size_t r = 0; r < R; r++)
        for (size_t v = 0; v < 2; v++)
            __builtin_prefetch(c + r * ldc + v * LINE, 1, 3);
    for (size_t k = 0, end = p.K - least(p.K, AHEAD_AVX512); k < p.K; end = p.K) {
        UNROLL_4
        for (; k < end;
             k++, b += AVX512_WIDTH, near += AVX512_WIDTH, ahead += p.ahead.step) {
            const __m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + LINE);

            for (size_t v = 0; v < 2; v++)
                _mm_prefetch((const char *)(near + v * LINE), _MM_HINT_T0);
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
            for (size_t r = 0; r < R; r++) {
                const __m512 x = at_row(&at, r);

                acc[r][0] = _mm512_fmadd_ps(b0, x, acc[r][0]);
                acc[r][1] = _mm512_fmadd_ps(b1, x, acc[r][1]);
            }
            for (size_t i = 0; i < AVX512_HEIGHT / 3; i++)
                at.p[i] += column;
        }
        near = p.b; /* where the next tile begins */
    }
    finish_avx512(c, ldc, acc, p, R);
}

/* One panel times all tiles. */
TARGET_AVX512 static void panel_avx512(float *c, size_t ldc, struct pack_left a,
                                       size_t M, const struct panels *p, size_t n)
{
    const ptrdiff_t next = next_panel(p, n, AVX512_WIDTH);

    for (size_t m = 0, rows; m < M; m += rows) {
        float *cm = c + m * ldc;
        const struct pack_left am = {a.a + m * a.step, 0, a.row, a.column};
        const struct ahead ahead =
            ask_share(p, next, m, M, AVX512_HEIGHT, AVX512_WIDTH, AHEAD_AVX512);
        const struct panel pn = panel_at(p, n, AVX512_WIDTH, ahead);

        rows = tile_rows(&a, M - m, AVX512_HEIGHT);
        switch (rows) {
        case 1: tile_avx512(cm, ldc, am, pn, 1); break;
        case 2: tile_avx512(cm, ldc, am, pn, 2); break;
        case 3: tile_avx512(cm, ldc, am, pn, 3); break;
        case 4: tile_avx512(cm, ldc, am, pn, 4); break;
        case 5: tile_avx512(cm, ldc, am, pn, 5); break;
        case 6: tile_avx512(cm, ldc, am, pn, 6); break;
        case 7: tile_avx512(cm, ldc, am, pn, 7); break;
        case 8: tile_avx512(cm, ldc, am, pn, 8); break;
        case 9: tile_avx512(cm, ldc, am, pn, 9); break;
        case 10: tile_avx512(cm, ldc, am, pn, 10); break;
        case 11: tile_avx512(cm, ldc, am, pn, 11); break;
        default: tile_avx512(cm, ldc, am, pn, AVX512_HEIGHT); break;
        }
    }
}

TARGET_AVX512 static void rows_avx512(float *c, size_t ldc, struct pack_left a,
                                      size_t M, struct panels p)
{
    for (size_t n = 0; n < p.N; n += AVX512_WIDTH)
        panel_avx512(c + n, ldc, a, M, &p, n);
}
#endif

static void multiply_block(enum isa isa, float *c, size_t ldc, struct pack_left a,
                           size_t M, struct panels p)
{
    switch (isa) {
#if ISA_X86
    case ISA_AVX512: rows_avx512(c, ldc, a, M, p); break;
    case ISA_AVX2: rows_avx2(c, ldc, a, M, p); break;
#endif
    default: rows_plain(c, ldc, a, M, p); break;
    }
}

void pack_multiply(enum isa isa, const struct pack_product *p)
{
    const size_t width = pack_width(isa);

    for (size_t k = 0, end; k < p->K; k = end) {
        struct pack_left ak = p->a;

        end = least(k + p->depth, p->K);
        ak.a += k * ak.column;
        multiply_block(
            isa, p->c, p->ldc, ak, p->M,
            (struct panels){.b = p->panels + k * width,
                            .then = end < p->K ? p->panels + end * width : p->then,
                            .step = p->step,
                            .N = p->N,
                            .K = end - k,
                            .beta = k == 0 ? p->beta : 1});
    }
}
