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
 * It needs values in panels and keys in rows, which are made in scratch.
 */
#include "nn/attention.h"

#include "kern/vec.h"
#include "tensor/dims.h"

#include <assert.h>
#include <math.h>

enum {
    LANES = 4,
    BLOCK = 16, /* query rows that one task takes */
};

size_t attn_store_cap(size_t n)
{
    return round_up(n, VEC);
}

size_t attn_store_k(const struct attn_shape *s, size_t n)
{
    return s->G * round_up(n, VEC) * s->D;
}

size_t attn_store_v(const struct attn_shape *s, size_t n)
{
    return s->G * round_up(n, VEC) * round_up(s->D, VEC);
}

/* The panels of one position's vector x (D): element d at [d][place]. */
static void panel_put(float *panels, size_t D, size_t at, const float *x)
{
    float *p = panels + at / VEC * VEC * D + at % VEC;

    for (size_t d = 0; d < D; d++)
        p[d * VEC] = x[d];
}

void attn_store_put(const struct attn_shape *s, const struct attn_store *st, size_t at,
                    const float *k, const float *v, size_t ldkv, size_t n)
{
    const size_t D = s->D, W = round_up(D, VEC);

    assert(at + n <= st->cap);
    for (size_t g = 0; g < s->G; g++)
        for (size_t i = 0; i < n; i++) {
            panel_put(st->k + g * st->cap * D, D, at + i, k + i * ldkv + g * D);
            memcpy(st->v + g * st->cap * W + (at + i) * W, v + i * ldkv + g * D,
                   D * sizeof *v);
        }
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
};

struct lanes {
    size_t n; /* 1..4; lanes beyond repeat the first */
    size_t row[LANES], head[LANES];
    const float *q[LANES];
    size_t from[LANES], to[LANES]; /* slots seen, but for the gap behind the prefix */
    size_t begin, end;             /* slots computed: whole panels */
};

static size_t slot(const struct keys *ks, size_t position)
{
    return position < ks->pre ? position : ks->slots[0] + position - ks->pre;
}

/* Lanes c, c+1 .. of the rows i0..i1-1 with the heads of group g, heads first. */
static void lanes_take(struct lanes *l, const struct keys *ks,
                       const struct attn_shape *s, const struct attn_run *r, size_t g,
                       size_t ldq, size_t c, size_t all)
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
        l->q[x] = r->q + l->row[x] * ldq + l->head[x] * s->D;
        l->from[x] =
            s->window && position >= s->window ? slot(ks, position + 1 - s->window) : 0;
        l->to[x] = slot(ks, position) + 1;
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

static void blank(float *s, size_t from, size_t to)
{
    for (size_t j = from; j < to; j++)
        s[j] = -INFINITY;
}

static void mask(float *s, const struct keys *ks, const struct lanes *l, size_t x)
{
    blank(s, l->begin, l->from[x]);
    if (l->from[x] < ks->slots[0])
        blank(s, ks->pre > l->begin ? ks->pre : l->begin, ks->slots[0]);
    blank(s, l->to[x], l->end);
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

/* ---- forward ----------------------------------------------------------------------- */

struct forward {
    const struct attn_shape *s;
    const struct attn_run *runs;
    size_t n, ldq, ldout;
    const struct attn_tap *tap;
    float *scratch;
    size_t per_worker;
    enum isa isa;
};

static void keys_of(struct keys *ks, const struct attn_shape *s,
                    const struct attn_run *r, size_t g)
{
    const struct attn_store *st[2] = {&r->prefix, &r->own};

    *ks = (struct keys){
        .pre = r->pre,
        .D = s->D,
        .W = round_up(s->D, VEC),
        .scale = s->scale,
        .window = s->window,
        .slots = {round_up(r->pre, VEC), round_up(r->at + r->n - r->pre, VEC)}};
    for (int i = 0; i < 2; i++) {
        if (ks->slots[i] == 0)
            continue;
        ks->k[i] = st[i]->k + g * st[i]->cap * ks->D;
        ks->v[i] = st[i]->v + g * st[i]->cap * ks->W;
    }
}

/* Probabilities of lane x, in order of positions, to the tap. */
static void tell(const struct attn_tap *tap, size_t run, const struct keys *ks,
                 const struct lanes *l, size_t x, const float *e, float by, float *p)
{
    const size_t own = l->to[x] - ks->slots[0], S = ks->pre + own;

    memset(p, 0, S * sizeof *p);
    for (size_t j = l->from[x]; j < ks->pre; j++)
        p[j] = e[j] * by;
    const size_t from = l->from[x] > ks->slots[0] ? l->from[x] - ks->slots[0] : 0;
    for (size_t j = from; j < own; j++)
        p[ks->pre + j] = e[ks->slots[0] + j] * by;
    tap->fn(tap->ctx, run, l->row[x], l->head[x], p, S);
}

ISA_BODY void forward_lanes(const struct forward *f, size_t run, const struct keys *ks,
                            const struct lanes *l, const int n, float *e)
{
    const struct attn_run *r = &f->runs[run];
    const size_t ld = ks->slots[0] + ks->slots[1];
    float by[LANES];
    float *out[LANES];

    products(e, ld, l->q, n, ks->k, ks, l, ks->scale);
    for (size_t x = 0; x < l->n; x++) {
        float *ex = e + x * ld, peak;

        mask(ex, ks, l, x);
        const float sum = exponentials(ex, l->begin, l->end, &peak);
        by[x] = 1.0f / sum;
        out[x] = r->out + l->row[x] * f->ldout + l->head[x] * ks->D;
        if (r->lse)
            r->lse[l->row[x] * f->s->H + l->head[x]] = peak + logf(sum);
    }
    for (size_t x = l->n; x < (size_t)n; x++)
        memset(e + x * ld + l->begin, 0, (l->end - l->begin) * sizeof *e);
    weighted_rows(out, by, e, ld, n, ks->v, ks, l);
    for (size_t x = 0; f->tap && x < l->n; x++)
        tell(f->tap, run, ks, l, x, e + x * ld, by[x], e + LANES * ld);
}

ISA_BODY void forward_block_body(const struct forward *f, size_t run, size_t i0,
                                 size_t i1, size_t g, float *scratch)
{
    const struct attn_run *r = &f->runs[run];
    const size_t share = f->s->H / f->s->G;
    struct keys ks;
    struct lanes l;

    keys_of(&ks, f->s, r, g);
    for (size_t c = i0 * share; c < i1 * share; c += LANES) {
        lanes_take(&l, &ks, f->s, r, g, f->ldq, c, i1 * share);
        if (l.n == 1)
            forward_lanes(f, run, &ks, &l, 1, scratch);
        else
            forward_lanes(f, run, &ks, &l, LANES, scratch);
    }
}

ISA_VARIANTS(forward_block,
             (const struct forward *f, size_t run, size_t i0, size_t i1, size_t g,
              float *scratch),
             (f, run, i0, i1, g, scratch))

static size_t blocks(const struct attn_run *r)
{
    return (r->n + BLOCK - 1) / BLOCK;
}

/* Task i: a block of rows of one run with one key/value head, or with all of them where
 * a tap wants a row's heads from one thread. */
static void forward_task(void *ctx, size_t i, size_t worker)
{
    const struct forward *f = ctx;
    const size_t G = f->tap ? 1 : f->s->G;
    size_t run = 0, b = i / G;

    for (; b >= blocks(&f->runs[run]); run++)
        b -= blocks(&f->runs[run]);
    const size_t i0 = b * BLOCK, n = f->runs[run].n;
    const size_t i1 = i0 + BLOCK < n ? i0 + BLOCK : n;
    const size_t g0 = f->tap ? 0 : i % G, g1 = f->tap ? f->s->G : g0 + 1;
    for (size_t g = g0; g < g1; g++)
        ISA_CALL(f->isa, forward_block,
                 (f, run, i0, i1, g, f->scratch + worker * f->per_worker));
}

void attn_forward(struct kern *k, const struct attn_shape *s,
                  const struct attn_run *runs, size_t n, size_t ldq, size_t ldout,
                  const struct attn_tap *tap, float *scratch)
{
    size_t S = 0, tasks = 0;

    for (size_t r = 0; r < n; r++) {
        tasks += blocks(&runs[r]);
        S = runs[r].n && runs[r].at + runs[r].n > S ? runs[r].at + runs[r].n : S;
    }
    struct forward f = {.s = s,
                        .runs = runs,
                        .n = n,
                        .ldq = ldq,
                        .ldout = ldout,
                        .tap = tap,
                        .scratch = scratch,
                        .per_worker = attn_scratch(k, s, S) / par_threads(kern_par(k)),
                        .isa = kern_isa(k)};
    par_for(kern_par(k), tasks * (tap ? 1 : s->G), forward_task, &f);
}

/* ---- backward ---------------------------------------------------------------------- */

struct backward {
    const struct attn_shape *s;
    const struct attn_run *runs;
    const struct attn_grad *grads;
    size_t ldq, ldout, ldkv;
    float *scratch;
    size_t per_worker;
    enum isa isa;
};

/* What one task works in: all (slots, W) but the panels (slots, D) and the two rows of
 * weights (4, slots). */
struct room {
    float *p, *ds;        /* probabilities; gradients of scores */
    float *k;             /* keys in rows */
    float *v;             /* values in panels */
    float *dk, *dv;       /* sums */
    const float *krow[2]; /* by segment */
    const float *vpanel[2];
};

static size_t slots_max(size_t S)
{
    return round_up(S + VEC, VEC) + VEC;
}

size_t attn_scratch(const struct kern *k, const struct attn_shape *s, size_t S)
{
    const size_t n = slots_max(S), W = round_up(s->D, VEC);

    return par_threads(kern_par(k)) * n * (2 * LANES + s->D + 3 * W);
}

/* Keys of both segments as rows, values as panels. */
static void room_make(struct room *m, const struct keys *ks, float *scratch)
{
    const size_t n = ks->slots[0] + ks->slots[1], D = ks->D, W = ks->W;

    m->p = scratch;
    m->ds = m->p + LANES * n;
    m->v = m->ds + LANES * n;
    m->k = m->v + n * D;
    m->dk = m->k + n * W;
    m->dv = m->dk + n * W;
    memset(m->k, 0, 3 * n * W * sizeof *m->k);
    for (int i = 0; i < 2; i++) {
        const size_t base = i ? ks->slots[0] : 0;

        m->krow[i] = m->k + base * W;
        m->vpanel[i] = m->v + base * D;
        for (size_t j = 0; j < ks->slots[i]; j++) {
            const float *panel = ks->k[i] + j / VEC * VEC * D + j % VEC;
            float *row = m->k + (base + j) * W;

            for (size_t d = 0; d < D; d++)
                row[d] = panel[d * VEC];
            panel_put(m->v + base * D, D, j, ks->v[i] + j * W);
        }
    }
}

ISA_BODY float dot(const float *a, const float *b, size_t n)
{
    vfloat s = {0};

    for (size_t i = 0; i < n; i += VEC)
        s += vec_at(a, i, n, 0) * vec_at(b, i, n, 0);
    return vec_sum(s);
}

/* acc[j] += sum_x w_x[j] row_x, for all slots computed. */
ISA_BODY void spread(float *acc, const float *w, size_t ld, const float *const *row,
                     const int n, const struct keys *ks, const struct lanes *l)
{
    for (size_t c = 0; c < ks->D; c += VEC) {
        vfloat r[LANES];

        for (int x = 0; x < n; x++)
            r[x] = vec_at(row[x], c, ks->D, 0);
        for (size_t j = l->begin; j < l->end; j++) {
            vfloat a = vec_load(acc + j * ks->W + c);

            for (int x = 0; x < n; x++)
                a += r[x] * w[(size_t)x * ld + j];
            vec_store(acc + j * ks->W + c, a);
        }
    }
}

/* From scores in p and dP in ds to probabilities and dS, in place. */
ISA_BODY void score_gradient(float *p, float *ds, size_t from, size_t to, float lse,
                             float delta)
{
    for (size_t j = from; j < to; j += VEC) {
        const vfloat pj = vec_exp(vec_load(p + j) - lse);

        vec_store(p + j, pj);
        vec_store(ds + j, pj * (vec_load(ds + j) - delta));
    }
}

ISA_BODY void backward_lanes(const struct backward *b, size_t run,
                             const struct keys *ks, const struct lanes *l, const int n,
                             const struct room *m)
{
    const struct attn_run *r = &b->runs[run];
    const struct attn_grad *gr = &b->grads[run];
    const size_t ld = ks->slots[0] + ks->slots[1];
    const float *dout[LANES];
    float *dq[LANES];
    float by[LANES];

    for (int x = 0; x < n; x++) {
        dout[x] = gr->dout + l->row[x] * b->ldout + l->head[x] * ks->D;
        dq[x] = gr->dq + l->row[x] * b->ldq + l->head[x] * ks->D;
        by[x] = ks->scale;
    }
    products(m->p, ld, l->q, n, ks->k, ks, l, ks->scale);
    products(m->ds, ld, dout, n, m->vpanel, ks, l, 1);
    for (size_t x = 0; x < l->n; x++) {
        const float *out = r->out + l->row[x] * b->ldout + l->head[x] * ks->D;

        mask(m->p + x * ld, ks, l, x);
        score_gradient(m->p + x * ld, m->ds + x * ld, l->begin, l->end,
                       r->lse[l->row[x] * b->s->H + l->head[x]],
                       dot(dout[x], out, ks->D));
    }
    for (size_t x = l->n; x < (size_t)n; x++) {
        memset(m->p + x * ld + l->begin, 0, (l->end - l->begin) * sizeof(float));
        memset(m->ds + x * ld + l->begin, 0, (l->end - l->begin) * sizeof(float));
    }
    weighted_rows(dq, by, m->ds, ld, n, m->krow, ks, l);
    spread(m->dk, m->ds, ld, l->q, n, ks, l);
    spread(m->dv, m->p, ld, dout, n, ks, l);
}

/* dst (n, D; ld apart) = by * the first n rows at src. */
static void give(float *dst, size_t ld, const float *src, const struct keys *ks,
                 size_t n, float by)
{
    for (size_t j = 0; j < n; j++)
        for (size_t d = 0; d < ks->D; d++)
            dst[j * ld + d] = by * src[j * ks->W + d];
}

ISA_BODY void backward_run_body(const struct backward *b, size_t run, size_t g,
                                float *scratch)
{
    const struct attn_run *r = &b->runs[run];
    const struct attn_grad *gr = &b->grads[run];
    const size_t share = b->s->H / b->s->G, row = b->s->G * b->s->D;
    struct keys ks;
    struct lanes l;
    struct room m;

    keys_of(&ks, b->s, r, g);
    room_make(&m, &ks, scratch);
    for (size_t c = 0; c < r->n * share; c += LANES) {
        lanes_take(&l, &ks, b->s, r, g, b->ldq, c, r->n * share);
        backward_lanes(b, run, &ks, &l, LANES, &m);
    }
    const size_t own = ks.slots[0] * ks.W, at = g * ks.D;
    give(gr->dk + at, b->ldkv, m.dk + own, &ks, r->n, ks.scale);
    give(gr->dv + at, b->ldkv, m.dv + own, &ks, r->n, 1);
    if (r->pre) {
        give(gr->dpre + at, row, m.dk, &ks, r->pre, ks.scale);
        give(gr->dpre + r->pre * row + at, row, m.dv, &ks, r->pre, 1);
    }
}

ISA_VARIANTS(backward_run,
             (const struct backward *b, size_t run, size_t g, float *scratch),
             (b, run, g, scratch))

static void backward_task(void *ctx, size_t i, size_t worker)
{
    const struct backward *b = ctx;

    ISA_CALL(b->isa, backward_run,
             (b, i / b->s->G, i % b->s->G, b->scratch + worker * b->per_worker));
}

void attn_backward(struct kern *k, const struct attn_shape *s,
                   const struct attn_run *runs, const struct attn_grad *grads, size_t n,
                   size_t ldq, size_t ldout, size_t ldkv, float *scratch)
{
    size_t S = 0;

    for (size_t r = 0; r < n; r++) {
        assert(runs[r].at == runs[r].pre);
        S = runs[r].at + runs[r].n > S ? runs[r].at + runs[r].n : S;
    }
    struct backward b = {.s = s,
                         .runs = runs,
                         .grads = grads,
                         .ldq = ldq,
                         .ldout = ldout,
                         .ldkv = ldkv,
                         .scratch = scratch,
                         .per_worker = attn_scratch(k, s, S) / par_threads(kern_par(k)),
                         .isa = kern_isa(k)};
    par_for(kern_par(k), n * s->G, backward_task, &b);
}
