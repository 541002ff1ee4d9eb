/*
 * Attention, forward and backward, with explicit vectors.
 *
 * Up to four queries that share keys go through the kernel together, as "lanes": rows
 * of one sequence, and query heads of one key/value head.  Their scores against 16
 * positions are one vector each: keys lie in panels (D, 16), so that
 *     s[0..15] = sum_d q_d panel[d][0..15]
 * needs no sum across a vector and works for any D.  The whole row of scores is kept
 * (4 lanes, S floats), masked, and turned into exponentials; then the values, which lie
 * in rows padded to whole vectors, are added up position by position.
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
#include "nn/attention.h"
#include "nn/softcap_vec.h"
#include "tensor/dims.h"

#include <math.h>

enum { LANES = 4 };

/* The panels of one position's vector x (D): element d at [d][place]. */
static inline void panel_put(float *panels, size_t D, size_t at, const float *x)
{
    float *p = panels + at / VEC * VEC * D + at % VEC;

    for (size_t d = 0; d < D; d++)
        p[d * VEC] = x[d];
}

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
    size_t n; /* 1..4; lanes beyond repeat the first */
    size_t row[LANES], head[LANES], position[LANES];
    const float *q[LANES];
    size_t from[LANES], to[LANES]; /* slots seen, but for the gap behind the prefix */
    size_t begin, end;             /* slots computed: whole panels */
};

/* Positions that some query of the run sees. */
static inline size_t seen(const struct attn_run *r)
{
    return r->all ? r->all : r->at + r->n;
}

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
    for (size_t x = 0; x < LANES; x++) {
        const size_t y = x < l->n ? c + x : c;
        const size_t position = r->at + y / share;

        l->row[x] = y / share;
        l->head[x] = g * share + y % share;
        l->position[x] = position;
        l->q[x] = r->q + l->row[x] * ldq + l->head[x] * s->D;
        l->from[x] =
            s->window && position >= s->window ? slot(ks, position + 1 - s->window) : 0;
        l->to[x] = slot(ks, r->all ? r->all - 1 : position) + 1;
        if (l->from[x] / VEC * VEC < l->begin)
            l->begin = l->from[x] / VEC * VEC;
        if (round_up(l->to[x], VEC) > l->end)
            l->end = round_up(l->to[x], VEC);
    }
}

/* out[x] (ld apart) slots a..b-1 of segment-relative panels = scale * q_x . key. */
ISA_BODY void scores_panels(float *out, size_t ld, const float *const *q, const int n,
                            const float *panels, size_t a, size_t b, size_t D,
                            float scale)
{
    size_t j = a;

    for (; j + 2 * VEC <= b; j += 2 * VEC) {
        const float *p0 = panels + j * D, *p1 = p0 + VEC * D;
        vfloat s0[LANES] = {0}, s1[LANES] = {0};

        for (size_t d = 0; d < D; d++) {
            const vfloat k0 = vec_load(p0 + d * VEC), k1 = vec_load(p1 + d * VEC);

            for (int x = 0; x < n; x++) {
                s0[x] += k0 * q[x][d];
                s1[x] += k1 * q[x][d];
            }
        }
        for (int x = 0; x < n; x++) {
            vec_store(out + (size_t)x * ld + j, s0[x] * scale);
            vec_store(out + (size_t)x * ld + j + VEC, s1[x] * scale);
        }
    }
    for (; j < b; j += VEC) {
        const float *p0 = panels + j * D;
        vfloat s0[LANES] = {0};

        for (size_t d = 0; d < D; d++) {
            const vfloat k0 = vec_load(p0 + d * VEC);

            for (int x = 0; x < n; x++)
                s0[x] += k0 * q[x][d];
        }
        for (int x = 0; x < n; x++)
            vec_store(out + (size_t)x * ld + j, s0[x] * scale);
    }
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

/* y[x] (nv vectors) = sum over slots of w_x[j] rows[j], columns c.. of rows. */
ISA_BODY void weighted(vfloat y[LANES][2], const float *w, size_t ld, const int n,
                       const int nv, const float *const *rows, const struct keys *ks,
                       const struct lanes *l, size_t c)
{
    for (int i = 0; i < 2; i++) {
        size_t a, b;

        segment(&a, &b, ks, l, i);
        const float *wi = w + (i ? ks->slots[0] : 0);
        for (size_t j = a; j < b; j++) {
            const float *row = rows[i] + j * ks->W + c;

            for (int u = 0; u < nv; u++) {
                const vfloat r = vec_load(row + u * VEC);

                for (int x = 0; x < n; x++)
                    y[x][u] += r * wi[(size_t)x * ld + j];
            }
        }
    }
}

/* out[x] (D) = by[x] * sum_j w_x[j] rows[j]. */
ISA_BODY void weighted_rows(float *const *out, const float *by, const float *w,
                            size_t ld, const int n, const float *const *rows,
                            const struct keys *ks, const struct lanes *l)
{
    for (size_t c = 0; c < ks->W; c += 2 * VEC) {
        vfloat y[LANES][2] = {{{0}}};

        if (c + VEC < ks->W)
            weighted(y, w, ld, n, 2, rows, ks, l, c);
        else
            weighted(y, w, ld, n, 1, rows, ks, l, c);
        for (size_t x = 0; x < l->n; x++) {
            vec_put(out[x], c, ks->D, y[x][0] * by[x]);
            if (c + VEC < ks->D)
                vec_put(out[x], c + VEC, ks->D, y[x][1] * by[x]);
        }
    }
}

static inline void keys_of(struct keys *ks, const struct attn_shape *s,
                           const struct attn_run *r, size_t g)
{
    const struct attn_store *st[2] = {&r->prefix, &r->own};

    *ks = (struct keys){
        .pre = r->pre,
        .D = s->D,
        .W = round_up(s->D, VEC),
        .scale = s->scale,
        .window = s->window,
        .cap = s->cap,
        .bias = s->bias,
        .slots = {round_up(r->pre, VEC), round_up(seen(r) - r->pre, VEC)}};
    for (int i = 0; i < 2; i++) {
        if (ks->slots[i] == 0)
            continue;
        ks->k[i] = st[i]->k + g * st[i]->cap * ks->D;
        ks->v[i] = st[i]->v + g * st[i]->cap * ks->W;
    }
}

#endif
