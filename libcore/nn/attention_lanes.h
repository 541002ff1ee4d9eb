/*
 * Attention with explicit vectors: what attention_simd.c and attention_back_simd.c share.
 *
 * A query row with one head is a lane.  Lanes that share keys go through together, as a
 * set: rows of one sequence, rows of several sequences behind one prefix (the candidates of a
 * prompt), and the query heads of one key/value head.  What they see lies in parts: the
 * prefix, which all lanes of the set see, and the own keys of each of their sequences.  A
 * part is gone through in blocks that the first cache holds, each block for all its lanes,
 * as a product of matrices.
 *
 * Keys lie in panels (D, 16), so that the scores against the positions of a panel
 *     s[0..15] = sum_d q_d panel[d][0..15]
 * need no sum across a vector, for any D.  The whole rows of scores are kept
 * (set, slots), masked, and turned into exponentials; then the values, which lie in
 * panels of 16 columns (slots, 16), are added up position by position.  Each function that
 * takes the number of lanes n is compiled for each n, with as many sums side by side as
 * hide the latency of one (SUMS); the order within a sum is the same for all, and does not
 * depend on where a block ends.
 *
 * Where a unit multiplies bfloat16 (kern/bf16.h) and so keys and values are kept, a panel of either is a
 * strip of its: both products are the unit's then, of queries and of exponentials as words, two
 * neighbours in depth or two positions.
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
 * It needs values as keys lie, and keys as values do, which are made in scratch.  With soft caps
 * s is the capped score, and dS is times the cap's slope.
 */
#ifndef CAGSR_NN_ATTENTION_LANES_H
#define CAGSR_NN_ATTENTION_LANES_H

#include "kern/halves.h"
#include "nn/attention_set.h"
#include "nn/attention_vec.h"
#include "nn/softcap_vec.h"

#include <math.h>

/* Vectors that n lanes add up at once: enough sums to hide the latency of one, which the registers
 * hold beside the vectors that they are sums of. */
#if defined(__AVX512F__)
#define SUMS(n) ((n) == 1 ? 8 : 4)
#else
#define SUMS(n) ((n) == 1 ? 8 : (n) == 2 ? 4 : 2)
#endif

/* call(n), n a constant in it. */
#define FOR_LANES(n, call)                                                             \
    do {                                                                               \
        switch (n) {                                                                   \
        case 1: call(1); break;                                                        \
        case 2: call(2); break;                                                        \
        case 3: call(3); break;                                                        \
        case 4: call(4); break;                                                        \
        case 5: call(5); break;                                                        \
        default: call(LANES); break;                                                   \
        }                                                                              \
    } while (0)

/* ---- scores -------------------------------------------------------------------------- */

/* s[x], u vectors, += k times number d of x. */
ISA_BODY void add_scaled(vfloat (*s)[8], const vfloat *k, const float *const *q,
                         const int n, const int u, size_t d)
{
    for (int x = 0; x < n; x++) { /* one number at a time in a register */
        const float a = q[x][d];

        for (int i = 0; i < u; i++)
            s[x][i] += k[i] * a;
    }
}

/* out[x] (ld apart), u vectors from slot j on, = x . key.  u vectors are whole panels, or lie
 * within one.  Halves are widened in registers: widened once, in memory, for all lanes
 * they take as long for 24 lanes and longer for 3. */
ISA_BODY void scores_at(float *out, size_t ld, const float *const *q, const int n,
                        const int u, const int halves, const float *panels, size_t j,
                        size_t D)
{
    const size_t rows = halves ? D / 2 : D; /* of a panel */
    const float *p = panels + attn_key_at(rows, j, 0);
    vfloat s[LANES][8] = {{{0}}};

    for (size_t d = 0; d < rows; d++) {
        vfloat k[8];
        vword w[8];

        for (int i = 0; i < u; i++) {
            w[i] = words(p + attn_key_at(rows, (size_t)(i * VEC), d));
            k[i] = halves ? lower(w[i]) : (vfloat)w[i];
        }
        add_scaled(s, k, q, n, u, halves ? 2 * d : d);
        if (!halves)
            continue;
        for (int i = 0; i < u; i++)
            k[i] = upper(w[i]);
        add_scaled(s, k, q, n, u, 2 * d + 1);
    }
    for (int x = 0; x < n; x++)
        for (int i = 0; i < u; i++)
            vec_store(out + (size_t)x * ld + j + (size_t)(i * VEC), s[x][i]);
}

/* The same for slots s of panels. */
ISA_BODY void scores_panels(float *out, size_t ld, const float *const *q, const int n,
                            const int halves, const float *panels, struct span s,
                            size_t D)
{
    size_t j = s.from;

    for (; j + SUMS(n) * VEC <= s.to; j += SUMS(n) * VEC)
        scores_at(out, ld, q, n, SUMS(n), halves, panels, j, D);
    for (; j + 2 * VEC <= s.to; j += 2 * VEC)
        scores_at(out, ld, q, n, 2, halves, panels, j, D);
    for (; j < s.to; j += VEC)
        scores_at(out, ld, q, n, 1, halves, panels, j, D);
}

/* Functions of their own: the loops want all registers. */
static __attribute__((noinline)) void scores(float *out, size_t ld,
                                             const float *const *q, size_t n,
                                             const float *panels, struct span s,
                                             size_t D)
{
#define SCORES(n) scores_panels(out, ld, q, n, 0, panels, s, D)
    FOR_LANES(n, SCORES);
#undef SCORES
}

static __attribute__((noinline)) void scores_halves(float *out, size_t ld,
                                                    const float *const *q, size_t n,
                                                    const float *panels, struct span s,
                                                    size_t D)
{
#define SCORES(n) scores_panels(out, ld, q, n, 1, panels, s, D)
    FOR_LANES(n, SCORES);
#undef SCORES
}

_Static_assert((int)LANES <= (int)BF16_FEW && (int)PANEL == (int)BF16_STRIP,
               "a panel is a strip");

/* The same by a unit, of rows of words. */
static inline void scores_unit(const struct bf16_unit *u, float *out, size_t ld,
                               const uint32_t *q, size_t n, const float *panels,
                               struct span s, size_t D)
{
    const size_t pairs = D / 2;

    u->few(&(struct bf16_few){.c = out + s.from,
                              .a = q,
                              .b = (const void *)(panels + s.from * pairs),
                              .ldc = ld,
                              .lda = pairs,
                              .apart = PANEL * pairs,
                              .M = n,
                              .N = s.to - s.from,
                              .pairs = pairs});
}

/* t (lanes, l->slots) = x . the panels of a part, for all slots computed. */
ISA_BODY void products(float *t, const float *const *x, const float *panels,
                       const struct keys *ks, const struct set *l, const struct part *p)
{
    for (size_t j = p->begin, many; j < p->end; j += many) {
        many = least(ks->block, p->end - j);
        const float *block = panels + ((j - p->base) * ks->D >> p->halves);

        for (size_t c = p->a, n; c < p->b; c += n) {
            n = lanes_together(c, p->b);
            const struct span s = set_block(l, p, j, many, c, n);

            if (s.from >= s.to)
                continue;
            if (ks->unit)
                scores_unit(ks->unit, t + c * l->slots + j, l->slots,
                            l->words + c * ks->D / 2, n, block, s, ks->D);
            else
                (p->halves ? scores_halves : scores)(t + c * l->slots + j, l->slots,
                                                     x + c, n, block, s, ks->D);
        }
    }
}

ISA_BODY void scale_scores(float *s, const struct keys *ks, const struct set *l,
                           size_t x)
{
    for (int own = 0; own < 2; own++) {
        const struct span at = panels_of(l->seen[own][x]);

        for (size_t j = at.from; j < at.to; j += VEC)
            vec_store(s + j, vec_load(s + j) * ks->scale);
    }
}

/* The scores of lane x through the soft cap, where there is one. */
ISA_BODY void cap_scores(float *s, const struct keys *ks, const struct set *l, size_t x)
{
    for (int own = 0; ks->cap > 0 && own < 2; own++) {
        const struct span at = panels_of(l->seen[own][x]);

        for (size_t j = at.from; j < at.to; j += VEC)
            vec_store(s + j, vec_softcap(vec_load(s + j), ks->cap));
    }
}

/* Adds the bias of lane x to its scores s, for the keys it sees. */
ISA_BODY void add_bias(float *s, const struct keys *ks, const struct set *l, size_t x)
{
    const struct attn_bias *b = ks->bias;
    const struct span *of = l->seen[0] + x, *own = l->seen[1] + x;

    if (!b)
        return;
    const float *by =
        b->by_distance + (2 * l->head[x] + 1) * b->S - l->position[x]; /* j = 0 */
    for (size_t j = of->from; j < of->to; j++)
        s[j] += by[j];
    for (size_t j = own->from; j < own->to; j++)
        s[j] += by[ks->pre + j - ks->top];
}

static inline void fill(float *s, size_t from, size_t to, float a)
{
    for (size_t j = from; j < to; j++)
        s[j] = a;
}

/* Slots of a part that lane x does not see: `edge` in the panels around those it sees, 0
 * beside these. */
static inline void mask_part(float *s, const struct set *l, const struct part *p,
                             size_t x, float edge)
{
    const struct span seen = l->seen[p->own][x], at = panels_of(seen);

    if (at.from >= at.to) {
        fill(s, p->begin, p->end, 0);
        return;
    }
    fill(s, p->begin, at.from, 0);
    fill(s, at.from, seen.from, edge);
    fill(s, seen.to, at.to, edge);
    fill(s, at.to, p->end, 0);
}

static inline void mask(float *t, const struct set *l, float edge)
{
    for (size_t i = 0; i < l->parts; i++)
        for (size_t x = l->part[i].a; x < l->part[i].b; x++)
            mask_part(t + x * l->slots, l, &l->part[i], x, edge);
}

/* From products to what a softmax begins with. */
ISA_BODY void finish_scores(float *t, const struct keys *ks, const struct set *l)
{
    for (size_t x = 0; x < l->n; x++) {
        scale_scores(t + x * l->slots, ks, l, x);
        add_bias(t + x * l->slots, ks, l, x);
        cap_scores(t + x * l->slots, ks, l, x);
    }
    mask(t, l, -INFINITY);
}

/* ---- sums of rows -------------------------------------------------------------------- */

/* sum[x], u vectors, += r times weight j of x. */
ISA_BODY void add_weighted(vfloat (*sum)[8], const vfloat *r, const float *w, size_t ld,
                           const int n, const int u, size_t j)
{
    for (int x = 0; x < n; x++) {
        const float a = w[(size_t)x * ld + j];

        for (int v = 0; v < u; v++)
            sum[x][v] += r[v] * a;
    }
}

/* sum[x], u vectors from column c on, += sum over slots of w_x[j] rows[j]. */
ISA_BODY void add_rows_at(vfloat (*sum)[8], const float *w, size_t ld, const int n,
                          const int u, const int halves, const float *rows, size_t step,
                          struct span s, size_t c)
{
    for (size_t j = s.from; j < s.to; j += halves ? 2 : 1) {
        vfloat r[8];
        vword two[8];

        for (int v = 0; v < u; v++) {
            const size_t at = c + (size_t)(v * VEC);

            two[v] =
                words(rows + at / PANEL * step + (j * PANEL >> halves) + at % PANEL);
            r[v] = halves ? lower(two[v]) : (vfloat)two[v];
        }
        add_weighted(sum, r, w, ld, n, u, j);
        if (!halves)
            continue;
        for (int v = 0; v < u; v++)
            r[v] = upper(two[v]);
        add_weighted(sum, r, w, ld, n, u, j + 1);
    }
}

/* y[x] (W apart), u vectors from column c on, += sum over slots of w_x[j] rows[j], which lie
 * in panels of columns, `step` apart. */
ISA_BODY void weighted_at(float *y, const float *w, size_t ld, const int n, const int u,
                          const int halves, const float *rows, size_t step,
                          struct span s, size_t W, size_t c)
{
    vfloat sum[LANES][8];

    for (int x = 0; x < n; x++)
        for (int v = 0; v < u; v++)
            sum[x][v] = vec_load(y + (size_t)x * W + c + (size_t)(v * VEC));
    add_rows_at(sum, w, ld, n, u, halves, rows, step, s, c);
    for (int x = 0; x < n; x++)
        for (int v = 0; v < u; v++)
            vec_store(y + (size_t)x * W + c + (size_t)(v * VEC), sum[x][v]);
}

ISA_BODY void weighted_block(float *y, const float *w, size_t ld, const int n,
                             const int halves, const float *rows, size_t step,
                             struct span s, size_t W)
{
    size_t c = 0;

    for (; c + SUMS(n) * VEC <= W; c += SUMS(n) * VEC)
        weighted_at(y, w, ld, n, SUMS(n), halves, rows, step, s, W, c);
    for (; c + 2 * VEC <= W; c += 2 * VEC)
        weighted_at(y, w, ld, n, 2, halves, rows, step, s, W, c);
    for (; c < W; c += VEC)
        weighted_at(y, w, ld, n, 1, halves, rows, step, s, W, c);
}

static __attribute__((noinline)) void weighted(float *y, const float *w, size_t ld,
                                               size_t n, const float *rows, size_t step,
                                               struct span s, size_t W)
{
#define WEIGHTED(n) weighted_block(y, w, ld, n, 0, rows, step, s, W)
    FOR_LANES(n, WEIGHTED);
#undef WEIGHTED
}

static __attribute__((noinline)) void weighted_halves(float *y, const float *w,
                                                      size_t ld, size_t n,
                                                      const float *rows, size_t step,
                                                      struct span s, size_t W)
{
#define WEIGHTED(n) weighted_block(y, w, ld, n, 1, rows, step, s, W)
    FOR_LANES(n, WEIGHTED);
#undef WEIGHTED
}

/* The same by a unit; w as words. */
static inline void weighted_unit(const struct bf16_unit *u, float *y, const uint32_t *w,
                                 size_t ld, size_t n, const float *rows, size_t step,
                                 struct span s, size_t W)
{
    u->few(&(struct bf16_few){.c = y,
                              .a = w + s.from / 2,
                              .b = (const void *)(rows + s.from * PANEL / 2),
                              .ldc = W,
                              .lda = ld,
                              .apart = step,
                              .M = n,
                              .N = W,
                              .pairs = (s.to - s.from) / 2,
                              .add = 1});
}

/* y (lanes, W) += sum_j w_x[j] rows[j] of a part, its panels of columns `step` apart; w
 * (lanes, l->slots), for a unit as words. */
ISA_BODY void weighted_rows(float *y, const float *w, const float *rows, size_t step,
                            const struct keys *ks, const struct set *l,
                            const struct part *p)
{
    for (size_t j = p->begin, many; j < p->end; j += many) {
        many = least(ks->block, p->end - j);
        const float *block = rows + ((j - p->base) * PANEL >> p->halves);

        for (size_t c = p->a, n; c < p->b; c += n) {
            n = lanes_together(c, p->b);
            const struct span s = set_block(l, p, j, many, c, n);

            if (s.from >= s.to)
                continue;
            if (ks->unit)
                weighted_unit(ks->unit, y + c * ks->W,
                              (const uint32_t *)(const void *)(w + c * l->slots) +
                                  j / 2,
                              l->slots, n, block, step, s, ks->W);
            else
                (p->halves ? weighted_halves : weighted)(y + c * ks->W,
                                                         w + c * l->slots + j, l->slots,
                                                         n, block, step, s, ks->W);
        }
    }
}

#endif
