#include "nn/attention_back_simd.h"

#include "nn/attention_lanes.h"

/* What one task works in: all (slots, W) but the panels (slots, D), the rows of weights
 * (SET, slots) and the lanes' rows (SET, W). */
struct room {
    float *p, *ds;        /* probabilities; gradients of scores */
    float *v;             /* values in panels of slots */
    float *k;             /* keys in panels of columns */
    float *dk, *dv;       /* sums */
    float *dbias;         /* (heads of the group, 2 span) by distance: [span + j - i] */
    float *q, *dout, *dq; /* of the lanes, padded with zeros */
    size_t slots;         /* all of them */
    size_t span;          /* above every key and every position */
};

static void room_make(struct room *m, const struct keys *ks, size_t slots, size_t share,
                      float *scratch)
{
    const size_t W = ks->W;

    m->slots = slots;
    m->p = scratch;
    m->ds = m->p + SET * slots;
    m->v = m->ds + SET * slots;
    m->k = m->v + slots * ks->D;
    m->dk = m->k + slots * W;
    m->dv = m->dk + slots * W;
    m->q = m->dv + slots * W;
    m->dout = m->q + SET * W;
    m->dq = m->dout + SET * W;
    m->dbias = m->dq + SET * W;
    memset(m->k, 0, (3 * slots + 3 * SET) * W * sizeof *m->k);
    if (ks->bias)
        memset(m->dbias, 0, 2 * share * m->span * sizeof *m->dbias);
}

/* The first `slots` keys and values of a store's head g, from slot `base` on. */
static void room_fill(const struct room *m, const struct keys *ks,
                      const struct attn_store *st, size_t g, size_t base, size_t slots)
{
    const size_t D = ks->D, W = ks->W;

    for (size_t j = 0; j < slots; j++)
        for (size_t d = 0; d < D; d++) {
            const size_t key = attn_key_at(D, j, d);

            m->k[attn_value_at(m->slots, base + j, d)] = st->k[g * st->cap * D + key];
            m->v[base * D + key] =
                st->v[g * st->cap * W + attn_value_at(st->cap, j, d)];
        }
}

enum { SLOTS = 4, SPREAD = VEC == 16 ? 4 : 2 }; /* vectors: 8 sums or 16 */

/* acc[j], u vectors from column c on, += sum_x w_x[j] row_x, of SLOTS slots from j on and
 * lanes a..b-1. */
ISA_BODY void spread_at(float *acc, const float *w, size_t ld, const float *rows,
                        size_t W, size_t a, size_t b, const int u, size_t j, size_t c)
{
    vfloat sum[SLOTS][SPREAD];

    for (size_t i = 0; i < SLOTS; i++)
        for (int v = 0; v < u; v++)
            sum[i][v] = vec_load(acc + (j + i) * W + c + (size_t)(v * VEC));
    for (size_t x = a; x < b; x++) {
        vfloat r[SPREAD];

        for (int v = 0; v < u; v++)
            r[v] = vec_load(rows + x * W + c + (size_t)(v * VEC));
        for (size_t i = 0; i < SLOTS; i++) {
            const float y = w[x * ld + j + i];

            for (int v = 0; v < u; v++)
                sum[i][v] += r[v] * y;
        }
    }
    for (size_t i = 0; i < SLOTS; i++)
        for (int v = 0; v < u; v++)
            vec_store(acc + (j + i) * W + c + (size_t)(v * VEC), sum[i][v]);
}

/* acc (slots, W) += the lanes' rows, each by its weights, of a part.  Lanes that stand
 * before a slot do not see it. */
ISA_BODY void spread(float *acc, const float *w, const float *rows,
                     const struct keys *ks, const struct set *l, const struct part *p)
{
    size_t a = p->a;

    for (size_t j = p->begin; j < p->end; j += SLOTS) {
        size_t c = 0;

        while (a < p->b && l->seen[p->own][a].to <= j)
            a++;
        for (; c + SPREAD * VEC <= ks->W; c += SPREAD * VEC)
            spread_at(acc, w, l->slots, rows, ks->W, a, p->b, SPREAD, j, c);
        for (; c < ks->W; c += VEC)
            spread_at(acc, w, l->slots, rows, ks->W, a, p->b, 1, j, c);
    }
}

/* From scores in p and dP in ds to probabilities and dS, in place, where lane x sees
 * something. */
ISA_BODY void score_gradient(float *p, float *ds, const struct set *l, size_t x,
                             float lse, float delta, float cap)
{
    for (int own = 0; own < 2; own++) {
        const struct span at = panels_of(l->seen[own][x]);

        for (size_t j = at.from; j < at.to; j += VEC) {
            const vfloat s = vec_load(p + j), pj = vec_exp(s - lse);
            const vfloat dj = pj * (vec_load(ds + j) - delta);

            vec_store(p + j, pj);
            vec_store(ds + j, cap > 0 ? dj * vec_softcap_slope(s, cap) : dj);
        }
    }
}

/* The bias takes the gradient of the scores of lane x, head h of its group, as it is. */
static void bias_gradient(float *dbias, const float *ds, size_t h,
                          const struct keys *ks, const struct set *l, size_t x,
                          size_t span)
{
    const struct span of = l->seen[0][x], own = l->seen[1][x];
    float *by = dbias + ((2 * h + 1) * span - l->position[x]); /* j = 0 */

    for (size_t j = of.from; j < of.to; j++)
        by[j] += ds[j];
    for (size_t j = own.from; j < own.to; j++)
        by[ks->pre + j - ks->top] += ds[j];
}

/* The lanes' rows of q and dout, as far as they go; `delta` of each is dout . out. */
static void room_rows(const struct attn_backward_job *b, size_t run,
                      const struct keys *ks, const struct set *l, const struct room *m,
                      float *delta)
{
    const size_t D = ks->D, W = ks->W;

    for (size_t x = 0; x < l->n; x++) {
        const size_t at = l->row[x] * b->ldout + l->head[x] * D;

        memcpy(m->q + x * W, l->q[x], D * sizeof *m->q);
        memcpy(m->dout + x * W, b->grads[run].dout + at, D * sizeof *m->dout);
        delta[x] = row_dot(m->dout + x * W, b->runs[run].out + at, D);
    }
    memset(m->dq, 0, l->n * W * sizeof *m->dq);
}

/* Scores and dP of all lanes, in m->p and m->ds, become P and dS. */
ISA_BODY void set_gradient(const struct attn_backward_job *b, const struct attn_run *r,
                           const struct keys *ks, const struct set *l,
                           const struct room *m, const float *delta)
{
    const size_t share = b->s->H / b->s->G;

    finish_scores(m->p, ks, l);
    mask(m->ds, l, 0);
    for (size_t x = 0; x < l->n; x++) {
        const size_t i = l->row[x], h = l->head[x];
        float *ds = m->ds + x * l->slots;

        score_gradient(m->p + x * l->slots, ds, l, x, r->lse[i * b->s->H + h], delta[x],
                       ks->cap);
        if (ks->bias)
            bias_gradient(m->dbias, ds, h % share, ks, l, x, m->span);
    }
}

static int is_rounded(const struct attn_run *r)
{
    return r->own.keep == ATTN_ROUNDED || r->prefix.keep == ATTN_ROUNDED;
}

ISA_BODY void backward_set(const struct attn_backward_job *b, size_t run,
                           const struct keys *ks, const struct set *l,
                           const struct room *m)
{
    const struct attn_grad *gr = &b->grads[run];
    const int round = is_rounded(&b->runs[run]);
    const size_t W = ks->W;
    const float *q[SET], *dout[SET];
    float delta[SET];

    room_rows(b, run, ks, l, m, delta);
    if (round) {
        round_all(m->q, l->n * W);
        round_all(m->dout, l->n * W);
    }
    for (size_t x = 0; x < l->n; x++) {
        q[x] = m->q + x * W;
        dout[x] = m->dout + x * W;
    }
    for (size_t i = 0; i < l->parts; i++) {
        const struct part *p = &l->part[i];

        products(m->p, q, p->k, ks, l, p);
        products(m->ds, dout, m->v + p->base * ks->D, ks, l, p);
    }
    set_gradient(b, &b->runs[run], ks, l, m, delta);
    if (round) {
        round_all(m->p, l->n * l->slots);
        round_all(m->ds, l->n * l->slots);
    }
    for (size_t i = 0; i < l->parts; i++) {
        const struct part *p = &l->part[i];

        weighted_rows(m->dq, m->ds, m->k + p->base * PANEL, m->slots * PANEL, ks, l, p);
        spread(m->dk, m->ds, m->q, ks, l, p);
        spread(m->dv, m->p, m->dout, ks, l, p);
    }
    for (size_t x = 0; x < l->n; x++)
        put_row(gr->dq + l->row[x] * b->ldq + l->head[x] * ks->D, m->dq + x * W, ks->D,
                ks->scale);
}

/* dst (n, D; ld apart) = by * the first n rows at src. */
static void give(float *dst, size_t ld, const float *src, const struct keys *ks,
                 size_t n, float by)
{
    for (size_t j = 0; j < n; j++)
        for (size_t d = 0; d < ks->D; d++)
            dst[j * ld + d] = by * src[j * ks->W + d];
}

/* Sums by distance of the group's heads become sums by bucket. */
static void give_bias(float *dbias, const float *by_distance, const struct keys *ks,
                      size_t share, const struct attn_run *r, size_t span)
{
    const struct attn_bias *b = ks->bias;
    const size_t last = r->at + r->n - 1;

    memset(dbias, 0, share * b->n * sizeof *dbias);
    for (size_t h = 0; h < share; h++)
        for (size_t d = 0; d < last + attn_seen(r); d++) /* d = last + j - i */
            dbias[h * b->n + b->bucket[b->S + d - last]] +=
                by_distance[(2 * h + 1) * span + d - last];
}

void ISA_NAME(attn_backward_run)(const struct attn_backward_job *b, size_t run,
                                 size_t g, float *scratch)
{
    const struct attn_run *r = &b->runs[run];
    const struct attn_grad *gr = &b->grads[run];
    const size_t share = b->s->H / b->s->G, row = b->s->G * b->s->D;
    const size_t own = round_up(attn_seen(r) - r->pre, PANEL);
    struct keys ks;
    struct set l;
    struct room m;

    keys_of(&ks, b->s, r->pre);
    m.span = ks.top + own;
    if (m.span < r->at + r->n)
        m.span = r->at + r->n;
    room_make(&m, &ks, ks.top + own, share, scratch);
    room_fill(&m, &ks, &r->prefix, g, 0, ks.top);
    room_fill(&m, &ks, &r->own, g, ks.top, own);
    for (size_t c = 0; c < r->n * share; c += SET) {
        set_take(&l, &ks, b->s, b->runs, (struct attn_rows){run, 0, r->n}, g, b->ldq,
                 c);
        backward_set(b, run, &ks, &l, &m);
    }
    const size_t at = g * ks.D;
    if (gr->dk) {
        give(gr->dk + at, b->ldkv, m.dk + ks.top * ks.W, &ks, r->n, ks.scale);
        give(gr->dv + at, b->ldkv, m.dv + ks.top * ks.W, &ks, r->n, 1);
    }
    if (r->pre) {
        give(gr->dpre + at, row, m.dk, &ks, r->pre, ks.scale);
        give(gr->dpre + r->pre * row + at, row, m.dv, &ks, r->pre, 1);
    }
    if (ks.bias)
        give_bias(gr->dbias + g * share * ks.bias->n, m.dbias, &ks, share, r, m.span);
}
