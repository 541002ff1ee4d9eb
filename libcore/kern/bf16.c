#include "kern/bf16.h"

#include "kern/bf16_simd.h"
#include "kern/bf16_units.h"
#include "tensor/dims.h"

#include <string.h>

size_t bf16_pairs(size_t K)
{
    return round_up(K, BF16_STEP) / 2;
}

size_t bf16_tile_words(size_t K)
{
    return BF16_HEIGHT * bf16_pairs(K);
}

size_t bf16_band_words(size_t K)
{
    return BF16_BAND * bf16_pairs(K);
}

const struct bf16_unit *bf16_unit_of(enum isa isa)
{
    switch (isa) {
#if ISA_BF16
    case ISA_AVX512_BF16: return &bf16_avx512_unit;
    case ISA_AMX: return &bf16_amx_unit;
#endif
    default: return NULL;
    }
}

void bf16_round(enum isa isa, float *y, const float *x, size_t n)
{
    ISA_CALL(isa, bf16_rounded, (y, x, n));
}

void bf16_widen(enum isa isa, float *x, const uint16_t *h, size_t n)
{
    ISA_CALL(isa, bf16_widened, (x, h, n));
}

/* The loops of `isa`; those of ISA_AVX512_BF16 and beyond are one. */
static const struct bf16_order *order_of(enum isa isa)
{
#if ISA_BF16
    if (isa >= ISA_AVX512_BF16)
        return &bf16_avx512_order;
#endif
    return ISA_TABLE(isa, bf16_order);
}

void bf16_narrow(enum isa isa, uint16_t *h, size_t ldh, const float *x, size_t ldx,
                 size_t rows, size_t n)
{
    order_of(isa)->past(h, ldh, x, ldx, rows, n);
}

/* ---- packing ----------------------------------------------------------------------- */

/*
 * Neighbours in depth lie side by side in a row, or one below the other in two rows.  So a
 * left operand is words along rows, or words across rows, transposed; and panels are the
 * opposite.  What is transposed goes by way of a block on the stack.
 */
enum { STEP_PAIRS = BF16_STEP / 2, STEP_WORDS = STEP_PAIRS * BF16_HEIGHT };

static void clear(uint32_t *w, size_t n)
{
    memset(w, 0, n * sizeof *w);
}

/* Row m of the left operand, its first step of depth; `tile` words of a tile. */
static uint32_t *left_row(uint32_t *a, size_t tile, size_t m)
{
    return a + m / BF16_HEIGHT * tile + m % BF16_HEIGHT * STEP_PAIRS;
}

void bf16_left_from_rows(enum isa isa, uint32_t *a, size_t tile, const float *A,
                         size_t ld, size_t M, size_t K)
{
    const struct bf16_order *o = order_of(isa);

    for (size_t m = 0; m < M; m += BF16_HEIGHT)
        o->left(left_row(a, tile, m), STEP_WORDS, A + m * ld, ld,
                least(BF16_HEIGHT, M - m), K);
    for (size_t m = M; m < round_up(M, BF16_HEIGHT); m++)
        for (size_t k = 0; k < K; k += BF16_STEP)
            clear(left_row(a, tile, m) + k / BF16_STEP * STEP_WORDS, STEP_PAIRS);
}

/* Rows that go across bands at once: as many streams as memory likes. */
enum { ACROSS_ROWS = 8 };

static void across(const struct bf16_order *o, uint32_t *w, size_t apart,
                   const float *x, size_t ld, size_t rows, size_t n)
{
    for (size_t i = 0; i < rows; i += ACROSS_ROWS)
        o->across(w + i / 2 * BF16_BAND, apart, x + i * ld, ld,
                  least(rows - i, ACROSS_ROWS), n);
}

/* One step of depth, from row `k` of A on, of the columns of A: STEP_PAIRS words each. */
enum { TURN_COLUMNS = 128, BLOCK = STEP_PAIRS * BF16_BAND };

static void left_step(const struct bf16_order *o, uint32_t *a, size_t tile,
                      const float *A, size_t ld, size_t M, size_t deep)
{
    uint32_t block[STEP_PAIRS * TURN_COLUMNS];

    for (size_t m = 0; m < M; m += TURN_COLUMNS) {
        const size_t n = least(M - m, TURN_COLUMNS);

        if (deep < BF16_STEP)
            clear(block, STEP_PAIRS * TURN_COLUMNS);
        across(o, block, BLOCK, A + m, ld, deep, n);
        for (size_t i = 0; i < n; i += BF16_HEIGHT)
            o->turn(left_row(a, tile, m + i), STEP_PAIRS,
                    block + i / BF16_BAND * BLOCK + i % BF16_BAND, BF16_BAND);
    }
}

void bf16_left_from_columns(enum isa isa, uint32_t *a, const float *A, size_t ld,
                            size_t M, struct pack_rows k)
{
    const struct bf16_order *o = order_of(isa);

    for (size_t i = k.from; i < k.to; i += BF16_STEP)
        left_step(o, a + i / BF16_STEP * STEP_WORDS, bf16_tile_words(k.K),
                  A + (i - k.from) * ld, ld, M, least(k.to - i, BF16_STEP));
}

void bf16_panels_from_rows(enum isa isa, uint32_t *p, const float *W, size_t ldw,
                           size_t N, size_t K)
{
    const size_t band = bf16_band_words(K), end = round_up(N, BF16_BAND);
    const struct bf16_order *o = order_of(isa);

    for (size_t n = 0; n < end; n += BF16_STRIP) {
        const size_t m = least(n, N); /* a band's second strip may have no columns */

        o->rows(p + n / BF16_BAND * band + n % BF16_BAND, W + m * ldw, ldw,
                least(N - m, BF16_STRIP), K);
    }
    clear(p + end / BF16_BAND * band,
          (round_up(N, BF16_WIDTH) - end) / BF16_BAND * band);
}

void bf16_panels_from_columns(enum isa isa, uint32_t *p, const float *B, size_t ldb,
                              size_t N, struct pack_rows k)
{
    const size_t pairs = bf16_pairs(k.K), apart = bf16_band_words(k.K);
    const size_t from = k.from / 2, to = k.to == k.K ? pairs : k.to / 2;
    const size_t bands = ceil_div(N, BF16_BAND);
    const size_t full = ceil_div(k.to, 2) - from;

    across(order_of(isa), p + from * BF16_BAND, apart, B, ldb, k.to - k.from, N);
    for (size_t i = 0; i < round_up(N, BF16_WIDTH) / BF16_BAND; i++) {
        const size_t made = i < bands ? full : 0;

        clear(p + i * apart + (from + made) * BF16_BAND,
              (to - from - made) * BF16_BAND);
    }
}

/* ---- the check --------------------------------------------------------------------- */

/* Rows of two tiles, columns of two panels, two steps of depth; whole numbers, so that every
 * order of summing gives the same. */
enum { CHECK_M = BF16_HEIGHT + 1, CHECK_N = BF16_WIDTH + 2, CHECK_K = BF16_STEP + 3 };

struct check {
    float a[CHECK_M * CHECK_K], b[CHECK_N * CHECK_K], c[CHECK_M * CHECK_N];
    uint32_t left[2 * BF16_HEIGHT * BF16_STEP], panels[2 * BF16_WIDTH * BF16_STEP];
};

static void whole_numbers(float *x, size_t n, size_t turn)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * turn + 3) % 17) - 8;
}

static int is_right(const struct check *t)
{
    for (size_t m = 0; m < CHECK_M; m++)
        for (size_t n = 0; n < CHECK_N; n++) {
            int sum = 0;

            for (size_t k = 0; k < CHECK_K; k++)
                sum += (int)t->a[m * CHECK_K + k] * (int)t->b[n * CHECK_K + k];
            if (t->c[m * CHECK_N + n] != (float)sum)
                return 0;
        }
    return 1;
}

int bf16_check(const struct bf16_unit *u, struct err *e)
{
    _Alignas(64) struct check t;
    const struct bf16_product p = {.c = t.c,
                                   .a = t.left,
                                   .b = t.panels,
                                   .ldc = CHECK_N,
                                   .tile = bf16_tile_words(CHECK_K),
                                   .step = bf16_pairs(CHECK_K) * BF16_WIDTH,
                                   .M = CHECK_M,
                                   .N = CHECK_N,
                                   .K = CHECK_K};

    whole_numbers(t.a, CHECK_M * CHECK_K, 7);
    whole_numbers(t.b, CHECK_N * CHECK_K, 5);
    bf16_left_from_rows(ISA_PLAIN, t.left, p.tile, t.a, CHECK_K, CHECK_M, CHECK_K);
    bf16_panels_from_rows(ISA_PLAIN, t.panels, t.b, CHECK_K, CHECK_N, CHECK_K);
    u->multiply(&p);
    if (is_right(&t))
        return 0;
    return err_set(e, ERR_NUMERIC,
                   "this processor's products of bfloat16 (%s) are wrong: "
                   "CAGSR_ISA=%s in the environment goes without them",
                   u->name, isa_name(isa_best()));
}
