#include "nn/attention.h"

#include "kern/halves.h"
#include "nn/attention_simd.h"
#include "tensor/dims.h"

#include <assert.h>

/* Vectors here are those that every processor has: what stores wait for is memory. */

/* Numbers of a key that are turned into words together. */
enum { CHUNK = 64 };

/* Numbers in a float's place. */
static size_t packed(enum attn_keep keep)
{
    return keep == ATTN_HALVES ? 2 : 1;
}

size_t attn_store_cap(size_t n)
{
    return round_up(n, ATTN_PANEL);
}

size_t attn_store_k(const struct attn_shape *s, size_t n, enum attn_keep keep)
{
    return s->G * round_up(n, ATTN_PANEL) * s->D / packed(keep);
}

size_t attn_store_v(const struct attn_shape *s, size_t n, enum attn_keep keep)
{
    return s->G * round_up(n, ATTN_PANEL) * round_up(s->D, ATTN_PANEL) / packed(keep);
}

/* Of a row of n numbers the vector at i, and the same rounded, in the lower halves of words. */
ISA_BODY vword exact_at(const float *x, size_t i, size_t n)
{
    return (vword)vec_at(x, i, n, 0);
}

ISA_BODY vword half_at(const float *x, size_t i, size_t n)
{
    return half_of(exact_at(x, i, n));
}

/* The n <= CHUNK numbers of a key as they are kept; returns how many words they are. */
static size_t key_words(float *w, const float *x, size_t n, enum attn_keep keep)
{
    float half[CHUNK];
    uint32_t two[2];

    if (keep == ATTN_EXACT) {
        memcpy(w, x, n * sizeof *w);
        return n;
    }
    if (keep == ATTN_ROUNDED) {
        for (size_t i = 0; i < n; i += VEC)
            vec_put(w, i, n, (vfloat)(half_at(x, i, n) << 16));
        return n;
    }
    for (size_t i = 0; i < n; i += VEC)
        vec_put(half, i, n, (vfloat)half_at(x, i, n));
    for (size_t i = 0; i < n / 2; i++) {
        memcpy(two, half + 2 * i, sizeof two);
        two[0] |= two[1] << 16;
        memcpy(w + i, two, sizeof *w);
    }
    return n / 2;
}

static void put_key(float *k, size_t D, size_t at, const float *x, enum attn_keep keep)
{
    const size_t many = packed(keep);

    for (size_t d = 0; d < D; d += CHUNK) {
        float w[CHUNK], *to = k + attn_key_at(D / many, at, d / many);
        const size_t n = key_words(w, x + d, least(CHUNK, D - d), keep);

        for (size_t i = 0; i < n; i++)
            to[i * ATTN_PANEL] = w[i];
    }
}

/* The words at i of a row of n of values, one position or, where the next one's values y are
 * not NULL, two to a word; `to` holds those before. */
ISA_BODY vword value_words(const float *to, const float *x, const float *y, size_t i,
                           size_t n, size_t at, enum attn_keep keep)
{
    if (keep == ATTN_EXACT)
        return exact_at(x, i, n);
    const vword h = half_at(x, i, n);
    if (keep == ATTN_ROUNDED)
        return h << 16;
    if (y)
        return h | half_at(y, i, n) << 16;
    const vword old = exact_at(to, i, n);
    return at % 2 ? (old & 0xffffu) | h << 16 : (old & 0xffff0000u) | h;
}

/* Values x of position `at`; and of HALVES with it y of the next, if that is not NULL. */
static void put_value(const struct attn_store *st, float *v, size_t D, size_t at,
                      const float *x, const float *y)
{
    const size_t many = packed(st->keep);

    for (size_t d = 0; d < D; d += ATTN_PANEL) {
        const size_t n = least(ATTN_PANEL, D - d);
        float *to = v + attn_value_at(st->cap / many, at / many, d);

        for (size_t i = 0; i < n; i += VEC)
            vec_put(
                to, i, n,
                (vfloat)value_words(to, x + d, y ? y + d : NULL, i, n, at, st->keep));
    }
}

/* Of one head. */
static void put_values(const struct attn_store *st, float *v, size_t D, size_t at,
                       const float *from, size_t ldkv, size_t n)
{
    for (size_t i = 0, many; i < n; i += many) {
        const float *x = from + i * ldkv;

        many = st->keep == ATTN_HALVES && (at + i) % 2 == 0 && i + 1 < n ? 2 : 1;
        put_value(st, v, D, at + i, x, many == 2 ? x + ldkv : NULL);
    }
}

/* Asks for what put_value() adds halves to: with sequences enough it lies far away. */
static void fetch_value(const struct attn_store *st, const float *v, size_t D,
                        size_t at)
{
    for (size_t d = 0; d < D; d += ATTN_PANEL)
        __builtin_prefetch(v + attn_value_at(st->cap / 2, at / 2, d), 1);
}

void attn_store_put_head(const struct attn_shape *s, const struct attn_store *st,
                         size_t g, size_t at, const float *k, const float *v,
                         size_t ldkv, size_t n)
{
    const size_t D = s->D, many = packed(st->keep);
    float *keys = st->k + g * (st->cap * D / many);
    float *values = st->v + g * (st->cap * round_up(D, ATTN_PANEL) / many);

    assert(at + n <= st->cap && D % many == 0);
    if (many > 1)
        fetch_value(st, values, D, at);
    for (size_t i = 0; i < n; i++)
        put_key(keys, D, at + i, k + i * ldkv + g * D, st->keep);
    put_values(st, values, D, at, v + g * D, ldkv, n);
}

void attn_store_put(const struct attn_shape *s, const struct attn_store *st, size_t at,
                    const float *k, const float *v, size_t ldkv, size_t n)
{
    for (size_t g = 0; g < s->G; g++)
        attn_store_put_head(s, st, g, at, k, v, ldkv, n);
}
