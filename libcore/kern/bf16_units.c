#include "kern/bf16_units.h"

#if ISA_BF16
#include <immintrin.h>

#define STORE_PAST(p, from) _mm512_stream_si512((void *)(p), _mm512_loadu_si512(from))
#define PAST_STORED() _mm_sfence()

#define UNIT_TARGET TARGET_AVX512_BF16
#define PAIRS_DOT(s, w, v)                                                             \
    ((line_sum)_mm512_dpbf16_ps((__m512)(s), (__m512bh)(w), (__m512bh)(v)))
#include "kern/bf16_avx512.h"
#include "kern/bf16_few.h"
#undef UNIT_TARGET

#define UNIT_TARGET TARGET_AVX512_ORDER
#define ROUND_TWO(lo, hi) _mm512_cvtne2ps_pbh((__m512)(hi), (__m512)(lo))
#include "kern/bf16_order.h"
#undef UNIT_TARGET

/* Compilers' headers do not say that ldtilecfg reads all of its 64 bytes, nor that tileloadd
 * reads at all (gcc 12): so what was stored is made to be in memory. */
#define IN_MEMORY() __asm__ volatile("" ::: "memory")

#undef STORE_PAST
#define UNIT_TARGET TARGET_AMX
#define TILES_BEGIN(config)                                                            \
    do {                                                                               \
        IN_MEMORY();                                                                   \
        _tile_loadconfig(config);                                                      \
    } while (0)
#define TILES_STORED() IN_MEMORY()
#define TILES_END() _tile_release()
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, p, n) _tile_loadd(t, p, n)
#define TILE_STREAM(t, p, n) _tile_stream_loadd(t, p, n)
#define TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)
#define TILE_STORE(t, p, n) _tile_stored(t, p, n)
/* By halves: there is a test that runs this where AVX-512 is not. */
#define STORE_PAST(p, from)                                                            \
    do {                                                                               \
        _mm256_stream_ps(p, _mm256_loadu_ps(from));                                    \
        _mm256_stream_ps((p) + 8, _mm256_loadu_ps((from) + 8));                        \
    } while (0)
#include "kern/bf16_amx.h"

const struct bf16_order bf16_avx512_order = {order_past, order_left, order_across,
                                             order_turn, order_rows};
const struct bf16_unit bf16_avx512_unit = {"avx512_bf16", pairs_multiply, pairs_few,
                                           BF16_BAND};
const struct bf16_unit bf16_amx_unit = {"amx", tiles_multiply, pairs_few,
                                        TILES_COLUMNS};
#else
typedef int no_units; /* a file wants something in it */
#endif
