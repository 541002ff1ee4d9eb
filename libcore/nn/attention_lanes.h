/*
 * Attention with explicit vectors: what attention_simd.c and attention_back_simd.c share.
 *
 * Up to four queries that share keys go through the kernel together, as "lanes": rows
 * of one sequence, and query heads of one key/value head.  Keys lie in panels (D, 16), so
 * that the scores against the positions of a panel
 *     s[0..15] = sum_d q_d panel[d][0..15]
 * need no sum across a vector, for any D.  The whole row of scores is kept
 * (4 lanes, S floats), masked, and turned into exponentials; then the values, which lie
 * in rows padded to whole vectors, are added up position by position.  Each function that
 * takes the number of lanes n is compiled for each n, with as many sums side by side as
 * hide the latency of one (SUMS); the order within a sum is the same for all.
 *
 * Slots: positions of the prefix stand in slots 0..pre-1, the sequence's own from the
 * next multiple of 16 on, so that both stores are used as they lie.  Slots that a query
 * does not see hold -infinity, and later 0; adding a 0 changes no bits, so what is
 * computed beside a row does not matter to it.
 *
 * The way back, for query i and key j, with P_ij = exp(s_ij - lse_i):
 *     dP_ij = dO_i . v_j,   delta_i = dO_i . O_i,   dS_ij = P_ij (dP_ij - delta_i)
 *     dq_i = scale sum_j dS_ij k_j,   dk_j = scale sum_i dS_ij q_i,
 *     dv_j = sum_i P_ij dO_i
 * It needs values in panels and keys in rows, which are made in scratch.  With soft caps
 * s is the capped score, and dS is times the cap's slope.
 */
#ifndef CAGSR_NN_ATTENTION_LANES_H
#define CAGSR_NN_ATTENTION_LANES_H

#include "kern/vec.h"
#include "nn/attention_simd.h"
#include "nn/softcap_vec.h"
#include "tensor/dims.h"

#include <math.h>

enum { LANES = ATTN_LANES, PANEL = ATTN_PANEL };

/* Vectors that n lanes add up at once: 8 sums, and the registers of AVX2 hold them; AVX-512's
 * hold 12, so that three lanes have 8 as well. */
#if defined(__AVX512F__)
#define SUMS(n) ((n) == 1 ? 8 : (n) == 4 ? 2 : 4)
#else
#define SUMS(n) ((n) == 1 ? 8 : (n) == 2 ? 4 : 2)
#endif

/* ---- one group of lanes ------------------------------------------------------------ */

/* The keys that a run sees for one key/value head, as slots. */
struct keys {
    const float *k[2], *v[2]; /* prefix, own: panels, rows */
    size_t slots[2];          /* of each, multiples of 16 */
    size_t pre;
    size_t D, W; /* W: D in whole vectors */
    float scale;
    size_t window;
    float cap;
    const struct attn_bias *bias;
};

struct lanes {
    size_t n; /* 1..4 */
    size_t row[LANES], head[LANES], position[LANES];
    const float *q[LANES];
    size_t from[LANES], to[LANES]; /* slots seen, but for the gap behind the prefix */
    size_t begin, end;             /* slots computed: whole panels */
};

static inline size_t slot(const struct keys *ks, size_t position)
{
    return position < ks->pre ? position : ks->slots[0] + position - ks->pre;
}

/* Lanes c, c+1 .. of the rows i0..i1-1 with the heads of group g, heads first. */
static inline void lanes_take(struct lanes *l, const struct keys *ks,
                              const struct attn_shape *s, const struct attn_run *r,
                              size_t g, size_t ldq, size_t c, size_t all)
{
    const size_t share = s->H / s->G;

    l->n = all - c < LANES ? all - c : LANES;
    l->begin = SIZE_MAX;
    l->end = 0;
    for (size_t x = 0; x < l->n; x++) {
        const size_t y = c + x;
        const size_t position = r->at + y / share;

        l->row[x] = y / share;
        l->head[x] = g * share + y % share;
        l->position[x] = position;
        l->q[x] = r->q + l->row[x] * ldq + l->head[x] * s->D;
        l->from[x] =
            s->window && position >= s->window ? slot(ks, position + 1 - s->window) : 0;
        l->to[x] = slot(ks, r->all ? r->all - 1 : position) + 1;
        if (l->from[x] / PANEL * PANEL < l->begin)
            l->begin = l->from[x] / PANEL * PANEL;
        if (round_up(l->to[x], PANEL) > l->end)
            l->end = round_up(l->to[x], PANEL);
    }
}

/* out[x] (ld apart), u vectors from slot j on of a segment, = scale * q_x . key.  u vectors
 * are whole panels, or lie within one. */
ISA_BODY void scores_at(float *out, size_t ld, const float *const *q, const int n,
                        const int u, const float *panels, size_t j, size_t D,
                        float scale)
{
    const float *p = panels + j / PANEL * PANEL * D + j % PANEL;
    vfloat s[LANES][8] = {{{0}}};

    for (size_t d = 0; d < D; d++)
        for (int i = 0; i < u; i++) {
            const size_t at = (size_t)(i * VEC);
            const vfloat k =
                vec_load(p + at / PANEL * PANEL * D + at % PANEL + d * PANEL);

            for (int x = 0; x < n; x++)
                s[x][i] += k * q[x][d];
        }
    for (int x = 0; x < n; x++)
        for (int i = 0; i < u; i++)
            vec_store(out + (size_t)x * ld + j + (size_t)(i * VEC), s[x][i] * scale);
}

/* The same for slots a..b-1. */
ISA_BODY void scores_panels(float *out, size_t ld, const float *const *q, const int n,
                            const float *panels, size_t a, size_t b, size_t D,
                            float scale)
{
    size_t j = a;

    for (; j + SUMS(n) * VEC <= b; j += SUMS(n) * VEC)
        scores_at(out, ld, q, n, SUMS(n), panels, j, D, scale);
    for (; j + 2 * VEC <= b; j += 2 * VEC)
        scores_at(out, ld, q, n, 2, panels, j, D, scale);
    for (; j < b; j += VEC)
        scores_at(out, ld, q, n, 1, panels, j, D, scale);
}

/* The part of slots begin..end-1 that lies in segment i, relative to it. */
ISA_BODY void segment(size_t *a, size_t *b, const struct keys *ks,
                      const struct lanes *l, int i)
{
    const size_t base = i ? ks->slots[0] : 0, top = base + ks->slots[i];

    *a = l->begin > base ? l->begin - base : 0;
    *b = (l->end < top ? l->end : top) - base;
    if (l->end < base || *a > *b)
        *a = *b = 0;
}

/* t (lanes, ld) = x . panel vectors, for all slots computed; panels of either segment. */
ISA_BODY void products(float *t, size_t ld, const float *const *x, const int n,
                       const float *const *panels, const struct keys *ks,
                       const struct lanes *l, float scale)
{
    for (int i = 0; i < 2; i++) {
        size_t a, b;

        segment(&a, &b, ks, l, i);
        scores_panels(t + (i ? ks->slots[0] : 0), ld, x, n, panels[i], a, b, ks->D,
                      scale);
    }
}

/* The scores of one lane through the soft cap, where there is one. */
ISA_BODY void cap_scores(float *s, const struct keys *ks, const struct lanes *l)
{
    if (ks->cap > 0)
        for (size_t j = l->begin; j < l->end; j += VEC)
            vec_store(s + j, vec_softcap(vec_load(s + j), ks->cap));
}

static inline void blank(float *s, size_t from, size_t to)
{
    for (size_t j = from; j < to; j++)
        s[j] = -INFINITY;
}

static inline void mask(float *s, const struct keys *ks, const struct lanes *l,
                        size_t x)
{
    blank(s, l->begin, l->from[x]);
    if (l->from[x] < ks->slots[0])
        blank(s, ks->pre > l->begin ? ks->pre : l->begin, ks->slots[0]);
    blank(s, l->to[x], l->end);
}

/* Adds the bias of lane x to its scores s, for the keys it sees. */
ISA_BODY void add_bias(float *s, const struct keys *ks, const struct lanes *l, size_t x)
{
    const struct attn_bias *b = ks->bias;
    const size_t top = ks->slots[0], to = l->to[x];

    if (!b)
        return;
    const float *by =
        b->by_distance + (2 * l->head[x] + 1) * b->S - l->position[x]; /* j = 0 */
    for (size_t j = l->from[x]; j < ks->pre && j < to; j++)
        s[j] += by[j];
    for (size_t j = l->from[x] > top ? l->from[x] : top; j < to; j++)
        s[j] += by[ks->pre + j - top];
}

/* s[from..to) = exp(s - its maximum); returns the sum, *peak the maximum. */
ISA_BODY float exponentials(float *s, size_t from, size_t to, float *peak)
{
    vfloat m = vec_set(-INFINITY), sum = {0};

    for (size_t j = from; j < to; j += VEC)
        m = vec_max(vec_load(s + j), m);
    *peak = vec_peak(m);
    for (size_t j = from; j < to; j += VEC) {
        const vfloat e = vec_exp(vec_load(s + j) - *peak);

        vec_store(s + j, e);
        sum += e;
    }
    return vec_sum(sum);
}

/* out[x], u vectors from column c on, = by[x] * sum over slots of w_x[j] rows[j]. */
ISA_BODY void weighted_at(float *const *out, const float *by, const float *w, size_t ld,
                          const int n, const int u, const float *const *rows,
                          const struct keys *ks, const struct lanes *l, size_t c)
{
    vfloat y[LANES][8] = {{{0}}};

    for (int i = 0; i < 2; i++) {
        size_t a, b;

        segment(&a, &b, ks, l, i);
        const float *wi = w + (i ? ks->slots[0] : 0);
        for (size_t j = a; j < b; j++)
            for (int v = 0; v < u; v++) {
                const vfloat r = vec_load(rows[i] + j * ks->W + c + (size_t)(v * VEC));

                for (int x = 0; x < n; x++)
                    y[x][v] += r * wi[(size_t)x * ld + j];
            }
    }
    for (int x = 0; x < n; x++)
        for (int v = 0; v < u; v++)
            if (c + (size_t)(v * VEC) < ks->D)
                vec_put(out[x], c + (size_t)(v * VEC), ks->D, y[x][v] * by[x]);
}

/* out[x] (D) = by[x] * sum_j w_x[j] rows[j]. */
ISA_BODY void weighted_rows(float *const *out, const float *by, const float *w,
                            size_t ld, const int n, const float *const *rows,
                            const struct keys *ks, const struct lanes *l)
{
    size_t c = 0;

    for (; c + SUMS(n) * VEC <= ks->W; c += SUMS(n) * VEC)
        weighted_at(out, by, w, ld, n, SUMS(n), rows, ks, l, c);
    for (; c + SUMS(n) / 2 * VEC <= ks->W; c += SUMS(n) / 2 * VEC)
        weighted_at(out, by, w, ld, n, SUMS(n) / 2, rows, ks, l, c);
    for (; c < ks->W; c += VEC)
        weighted_at(out, by, w, ld, n, 1, rows, ks, l, c);
}

static inline void keys_of(struct keys *ks, const struct attn_shape *s,
                           const struct attn_run *r, size_t g)
{
    const struct attn_store *st[2] = {&r->prefix, &r->own};

    *ks = (struct keys){
        .pre = r->pre,
        .D = s->D,
        .W = round_up(s->D, PANEL),
        .scale = s->scale,
        .window = s->window,
        .cap = s->cap,
        .bias = s->bias,
        .slots = {round_up(r->pre, PANEL), round_up(attn_seen(r) - r->pre, PANEL)}};
    for (int i = 0; i < 2; i++) {
        if (ks->slots[i] == 0)
            continue;
        ks->k[i] = st[i]->k + g * st[i]->cap * ks->D;
        ks->v[i] = st[i]->v + g * st[i]->cap * ks->W;
    }
}

#endif
