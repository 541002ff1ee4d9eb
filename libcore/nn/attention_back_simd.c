#include "nn/attention_back_simd.h"

#include "nn/attention_lanes.h"

/* What one task works in: all (slots, W) but the panels (slots, D) and the two rows of
 * weights (4, slots). */
struct room {
    float *p, *ds;  /* probabilities; gradients of scores */
    float *k;       /* keys in rows */
    float *v;       /* values in panels */
    float *dk, *dv; /* sums */
    float *dbias;   /* (heads of the group, 2 span) sums by distance: [span + j - i] */
    size_t span;    /* above every key and every position */
    const float *krow[2]; /* by segment */
    const float *vpanel[2];
};

/* Keys of both segments as rows, values as panels. */
static void room_make(struct room *m, const struct keys *ks, size_t share,
                      float *scratch)
{
    const size_t n = ks->slots[0] + ks->slots[1], D = ks->D, W = ks->W;

    m->p = scratch;
    m->ds = m->p + LANES * n;
    m->v = m->ds + LANES * n;
    m->k = m->v + n * D;
    m->dk = m->k + n * W;
    m->dv = m->dk + n * W;
    m->dbias = m->dv + n * W;
    memset(m->k, 0, 3 * n * W * sizeof *m->k);
    if (ks->bias)
        memset(m->dbias, 0, 2 * share * m->span * sizeof *m->dbias);
    for (int i = 0; i < 2; i++) {
        const size_t base = i ? ks->slots[0] : 0;

        m->krow[i] = m->k + base * W;
        m->vpanel[i] = m->v + base * D;
        for (size_t j = 0; j < ks->slots[i]; j++) {
            const float *panel = ks->k[i] + j / PANEL * PANEL * D + j % PANEL;
            float *row = m->k + (base + j) * W;

            for (size_t d = 0; d < D; d++)
                row[d] = panel[d * PANEL];
            attn_panel_put(m->v + base * D, D, j, ks->v[i] + j * W);
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

/* acc[j], u vectors from column c on, += sum_x w_x[j] row_x, for all slots computed. */
ISA_BODY void spread_at(float *acc, const float *w, size_t ld, const float *const *row,
                        const int n, const int u, const struct keys *ks,
                        const struct lanes *l, size_t c)
{
    vfloat r[LANES][2];

    for (int x = 0; x < n; x++)
        for (int v = 0; v < u; v++)
            r[x][v] = vec_at(row[x], c + (size_t)(v * VEC), ks->D, 0);
    for (size_t j = l->begin; j < l->end; j++)
        for (int v = 0; v < u; v++) {
            float *at = acc + j * ks->W + c + (size_t)(v * VEC);
            vfloat a = vec_load(at);

            for (int x = 0; x < n; x++)
                a += r[x][v] * w[(size_t)x * ld + j];
            vec_store(at, a);
        }
}

ISA_BODY void spread(float *acc, const float *w, size_t ld, const float *const *row,
                     const int n, const struct keys *ks, const struct lanes *l)
{
    size_t c = 0;

    for (; c + 2 * VEC <= ks->D; c += 2 * VEC)
        spread_at(acc, w, ld, row, n, 2, ks, l, c);
    for (; c < ks->D; c += VEC)
        spread_at(acc, w, ld, row, n, 1, ks, l, c);
}

/* From scores in p and dP in ds to probabilities and dS, in place. */
ISA_BODY void score_gradient(float *p, float *ds, size_t from, size_t to, float lse,
                             float delta, float cap)
{
    for (size_t j = from; j < to; j += VEC) {
        const vfloat s = vec_load(p + j), pj = vec_exp(s - lse);
        const vfloat dj = pj * (vec_load(ds + j) - delta);

        vec_store(p + j, pj);
        vec_store(ds + j, cap > 0 ? dj * vec_softcap_slope(s, cap) : dj);
    }
}

/* The bias takes the gradient of the scores of lane x, head h of its group, as it is. */
ISA_BODY void bias_gradient(float *dbias, const float *ds, size_t h,
                            const struct keys *ks, const struct lanes *l, size_t x,
                            size_t span)
{
    const size_t top = ks->slots[0], to = l->to[x];
    float *by = dbias + ((2 * h + 1) * span - l->position[x]); /* j = 0 */

    for (size_t j = l->from[x]; j < ks->pre && j < to; j++)
        by[j] += ds[j];
    for (size_t j = l->from[x] > top ? l->from[x] : top; j < to; j++)
        by[ks->pre + j - top] += ds[j];
}

/* The lanes of l, n of them. */
ISA_BODY void backward_lanes(const struct attn_backward_job *b, size_t run,
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
    for (size_t x = 0; x < (size_t)n; x++) {
        const float *out = r->out + l->row[x] * b->ldout + l->head[x] * ks->D;

        add_bias(m->p + x * ld, ks, l, x);
        cap_scores(m->p + x * ld, ks, l);
        mask(m->p + x * ld, ks, l, x);
        score_gradient(m->p + x * ld, m->ds + x * ld, l->begin, l->end,
                       r->lse[l->row[x] * b->s->H + l->head[x]],
                       dot(dout[x], out, ks->D), ks->cap);
        if (ks->bias)
            bias_gradient(m->dbias, m->ds + x * ld, l->head[x] % (b->s->H / b->s->G),
                          ks, l, x, m->span);
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
    struct keys ks;
    struct lanes l;
    struct room m;

    keys_of(&ks, b->s, r, g);
    m.span = ks.slots[0] + ks.slots[1];
    if (m.span < r->at + r->n)
        m.span = r->at + r->n;
    room_make(&m, &ks, share, scratch);
    for (size_t c = 0; c < r->n * share; c += LANES) {
        lanes_take(&l, &ks, b->s, r, g, b->ldq, c, r->n * share);
        switch (l.n) {
        case 1: backward_lanes(b, run, &ks, &l, 1, &m); break;
        case 2: backward_lanes(b, run, &ks, &l, 2, &m); break;
        case 3: backward_lanes(b, run, &ks, &l, 3, &m); break;
        default: backward_lanes(b, run, &ks, &l, LANES, &m); break;
        }
    }
    const size_t own = ks.slots[0] * ks.W, at = g * ks.D;
    if (gr->dk) {
        give(gr->dk + at, b->ldkv, m.dk + own, &ks, r->n, ks.scale);
        give(gr->dv + at, b->ldkv, m.dv + own, &ks, r->n, 1);
    }
    if (r->pre) {
        give(gr->dpre + at, row, m.dk, &ks, r->pre, ks.scale);
        give(gr->dpre + r->pre * row + at, row, m.dv, &ks, r->pre, 1);
    }
    if (ks.bias)
        give_bias(gr->dbias + g * share * ks.bias->n, m.dbias, &ks, share, r, m.span);
}
