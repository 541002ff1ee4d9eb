#include "tiles.h"

#include "tensor/dtype.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers: denormals are 0, as operands and as results ----------------------------- */

static float flushed(float x)
{
    return isnormal(x) || x == 0 || !isfinite(x) ? x : copysignf(0, x);
}

static float low(uint32_t w)
{
    return flushed(f32_from_bits(w << 16));
}

static float high(uint32_t w)
{
    return flushed(f32_from_bits(w & 0xffff0000u));
}

/* Rounded once, to nearest. */
static float add_product(float sum, float x, float y)
{
    return flushed(fmaf(x, y, flushed(sum)));
}

lanes vdpbf16ps(lanes s, lane_words w, lane_words v)
{
    for (int i = 0; i < 16; i++) {
        const float odd = add_product(s[i], high(w[i]), high(v[i]));

        s[i] = add_product(odd, low(w[i]), low(v[i]));
    }
    return s;
}

static uint16_t half(float x)
{
    return bf16_from_f32(flushed(x));
}

lane_halves vcvtne2ps2bf16(lanes lo, lanes hi)
{
    lane_halves h;

    for (int i = 0; i < 16; i++) {
        h[i] = half(lo[i]);
        h[16 + i] = half(hi[i]);
    }
    return h;
}

/* ---- tiles: what the processor faults at ends the test ------------------------------------ */

struct tile {
    size_t bytes, rows; /* 0: not configured */
    uint8_t row[16][64];
};

static _Thread_local struct tile tile[8];
static _Thread_local int configured;

static void fault_unless(int holds)
{
    if (!holds)
        abort();
}

static atomic_size_t lines;

void vmovntdq(void *p, const void *from)
{
    fault_unless((uintptr_t)p % 64 == 0);
    memcpy(p, from, 64);
    atomic_fetch_add(&lines, 1);
}

size_t lines_past(void)
{
    return atomic_load(&lines);
}

void ldtilecfg(const void *config)
{
    uint8_t c[64];

    memcpy(c, config, sizeof c);
    memset(tile, 0, sizeof tile);
    fault_unless(c[0] == 1 && c[1] == 0);
    for (int i = 2; i < 16; i++)
        fault_unless(c[i] == 0);
    for (int t = 0; t < 16; t++) {
        const size_t bytes = c[16 + 2 * t] + 256u * c[17 + 2 * t], rows = c[48 + t];

        fault_unless(bytes <= 64 && rows <= 16 && (bytes == 0) == (rows == 0));
        fault_unless(t < 8 || rows == 0);
        if (t < 8) {
            tile[t].bytes = bytes;
            tile[t].rows = rows;
        }
    }
    configured = 1;
}

void tilerelease(void)
{
    fault_unless(configured);
    memset(tile, 0, sizeof tile);
    configured = 0;
}

void tilezero(int t)
{
    fault_unless(tile[t].rows > 0);
    memset(tile[t].row, 0, sizeof tile[t].row);
}

void tileloadd(int t, const void *from, size_t stride)
{
    fault_unless(tile[t].rows > 0);
    memset(tile[t].row, 0, sizeof tile[t].row);
    for (size_t r = 0; r < tile[t].rows; r++)
        memcpy(tile[t].row[r], (const char *)from + r * stride, tile[t].bytes);
}

void tilestored(int t, void *to, size_t stride)
{
    fault_unless(tile[t].rows > 0);
    for (size_t r = 0; r < tile[t].rows; r++)
        memcpy((char *)to + r * stride, tile[t].row[r], tile[t].bytes);
}

static uint32_t word_of(const struct tile *t, size_t r, size_t i)
{
    uint32_t w;

    memcpy(&w, t->row[r] + i * sizeof w, sizeof w);
    return w;
}

/* Even and odd products are summed apart from 0, then together, then to what is there. */
void tdpbf16ps(int c, int a, int b)
{
    const size_t pairs = tile[a].bytes / 4, cols = tile[c].bytes / 4;

    fault_unless(c != a && a != b && b != c);
    fault_unless(tile[c].rows == tile[a].rows && tile[c].bytes == tile[b].bytes &&
                 tile[b].rows == pairs && pairs > 0);
    for (size_t m = 0; m < tile[c].rows; m++)
        for (size_t n = 0; n < cols; n++) {
            float even = 0, odd = 0;

            for (size_t k = 0; k < pairs; k++) {
                const uint32_t x = word_of(&tile[a], m, k), y = word_of(&tile[b], k, n);

                even = add_product(even, low(x), low(y));
                odd = add_product(odd, high(x), high(y));
            }
            const float was = flushed(f32_from_bits(word_of(&tile[c], m, n)));
            const float sum = flushed(was + flushed(even + odd));

            memcpy(tile[c].row[m] + n * sizeof sum, &sum, sizeof sum);
        }
}
