#include "bf16_emulated.h"

#include "tiles.h"

#define UNIT_TARGET
#define STORE_PAST(p, from) vmovntdq(p, from)
#define PAST_STORED() ((void)0)
#define PAIRS_DOT(s, w, v) vdpbf16ps(s, w, v)
#include "kern/bf16_avx512.h"
#include "kern/bf16_few.h"

#define TILES_BEGIN(config) ldtilecfg(config)
#define TILES_STORED() ((void)0)
#define TILES_END() tilerelease()
#define TILE_ZERO(t) tilezero(t)
#define TILE_LOAD(t, p, n) tileloadd(t, p, n)
#define TILE_STREAM(t, p, n) tileloadd(t, p, n)
#define TILE_DOT(c, a, b) tdpbf16ps(c, a, b)
#define TILE_STORE(t, p, n) tilestored(t, p, n)
#include "kern/bf16_amx.h"

#define ROUND_TWO(lo, hi) vcvtne2ps2bf16(lo, hi)
#include "kern/bf16_order.h"

const struct bf16_order emulated_order = {order_past, order_left, order_across,
                                          order_turn, order_rows};

const struct bf16_unit emulated_avx512 = {"emulated_avx512", pairs_multiply, pairs_few,
                                          BF16_BAND};
const struct bf16_unit emulated_amx = {"emulated_amx", tiles_multiply, pairs_few,
                                       TILES_COLUMNS};

static void wrong_multiply(const struct bf16_product *p)
{
    pairs_multiply(p);
    p->c[(p->M - 1) * p->ldc + p->N - 1] += 1;
}

const struct bf16_unit emulated_wrong = {"wrong", wrong_multiply, pairs_few,
                                         BF16_WIDTH};
