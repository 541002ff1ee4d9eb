#include "nn/attention.h"

#include "../support/machine.h"
#include "nn/attention_simd.h"
#include "tensor/dims.h"
#include "tensor/dtype.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Positions written in four pieces: from an even one, from an odd one, and one alone. */
enum { G = 2, N = 37, PIECES = 5 };
static const size_t piece[PIECES] = {0, 7, 8, 9, N};

static uint16_t *half(float *words, size_t word, size_t i)
{
    return (uint16_t *)(void *)(words + word) + i;
}

/* The layout as nn/attention.h tells it, number by number. */
static void put_number(const struct attn_store *st, size_t D, size_t g, size_t at,
                       size_t d, float k, float v)
{
    const size_t W = round_up(D, ATTN_PANEL), many = st->keep == ATTN_HALVES ? 2 : 1;
    float *to_k = st->k + g * st->cap * D / many,
          *to_v = st->v + g * st->cap * W / many;

    if (many == 2) {
        *half(to_k, attn_key_at(D / 2, at, d / 2), d % 2) = bf16_from_f32(k);
        *half(to_v, attn_value_at(st->cap / 2, at / 2, d), at % 2) = bf16_from_f32(v);
        return;
    }
    const int exact = st->keep == ATTN_EXACT;
    to_k[attn_key_at(D, at, d)] = exact ? k : f32_from_bf16(bf16_from_f32(k));
    to_v[attn_value_at(st->cap, at, d)] = exact ? v : f32_from_bf16(bf16_from_f32(v));
}

static struct attn_store store(const struct attn_shape *s, enum attn_keep keep)
{
    return (struct attn_store){zeros(attn_store_k(s, N, keep)),
                               zeros(attn_store_v(s, N, keep)), attn_store_cap(N),
                               keep};
}

static int same(const struct attn_shape *s, const struct attn_store *a,
                const struct attn_store *b)
{
    return memcmp(a->k, b->k, attn_store_k(s, N, a->keep) * sizeof *a->k) == 0 &&
           memcmp(a->v, b->v, attn_store_v(s, N, a->keep) * sizeof *a->v) == 0;
}

TheoryDataPoints(attention_store, layout) = {
    DataPoints(int, ATTN_EXACT, ATTN_ROUNDED, ATTN_HALVES),
    DataPoints(size_t, 2, 6, 24, 64, 138),
};
Theory((int keep, size_t D), attention_store, layout)
{
    const struct attn_shape s = {.H = G, .G = G, .D = D};
    const struct attn_store a = store(&s, (enum attn_keep)keep),
                            b = store(&s, (enum attn_keep)keep);
    float *kv = normals(N * 2 * G * D, 3);

    kv[5] = NAN;
    kv[2 * G * D] = -INFINITY;
    kv[G * D + 1] = 0x1.fffffep127f; /* rounds to infinity */
    for (size_t at = 0; at < N; at++)
        for (size_t g = 0; g < G; g++)
            for (size_t d = 0; d < D; d++) {
                const float *k = kv + at * 2 * G * D + g * D + d;

                put_number(&a, D, g, at, d, k[0], k[G * D]);
            }
    for (size_t i = 0; i + 1 < PIECES; i++) {
        const float *k = kv + piece[i] * 2 * G * D;

        attn_store_put(&s, &b, piece[i], k, k + G * D, 2 * G * D,
                       piece[i + 1] - piece[i]);
    }
    cr_expect(same(&s, &a, &b));
    /* what is there already stays, on both sides */
    attn_store_put(&s, &b, 4, kv + 4 * 2 * G * D, kv + (4 * 2 + 1) * G * D, 2 * G * D,
                   1);
    attn_store_put(&s, &b, 17, kv + 17 * 2 * G * D, kv + (17 * 2 + 1) * G * D,
                   2 * G * D, 1);
    cr_expect(same(&s, &a, &b));
    free(a.k);
    free(a.v);
    free(b.k);
    free(b.v);
    free(kv);
}
