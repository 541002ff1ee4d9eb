#include "nn/attention.h"

#include "nn/attention_lanes.h"

#include <assert.h>

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
    float *p, *ds;  /* probabilities; gradients of scores */
    float *k;       /* keys in rows */
    float *v;       /* values in panels */
    float *dk, *dv; /* sums */
    float *dbias; /* (heads of the group, 2 slots) sums by distance: [slots + j - i] */
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
    const size_t bias = s->bias ? 2 * (s->H / s->G) : 0;

    return par_threads(kern_par(k)) * n * (2 * LANES + s->D + 3 * W + bias);
}

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
        memset(m->dbias, 0, 2 * share * n * sizeof *m->dbias);
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
                            const struct keys *ks, const struct lanes *l, size_t x)
{
    const size_t top = ks->slots[0], ld = top + ks->slots[1], to = l->to[x];
    float *by = dbias + (2 * h + 1) * ld - l->position[x]; /* j = 0 */

    for (size_t j = l->from[x]; j < ks->pre && j < to; j++)
        by[j] += ds[j];
    for (size_t j = l->from[x] > top ? l->from[x] : top; j < to; j++)
        by[ks->pre + j - top] += ds[j];
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

        add_bias(m->p + x * ld, ks, l, x);
        cap_scores(m->p + x * ld, ks, l);
        mask(m->p + x * ld, ks, l, x);
        score_gradient(m->p + x * ld, m->ds + x * ld, l->begin, l->end,
                       r->lse[l->row[x] * b->s->H + l->head[x]],
                       dot(dout[x], out, ks->D), ks->cap);
        if (ks->bias)
            bias_gradient(m->dbias, m->ds + x * ld, l->head[x] % (b->s->H / b->s->G),
                          ks, l, x);
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

/* Sums by distance of the group's heads become sums by bucket. */
static void give_bias(float *dbias, const float *by_distance, const struct keys *ks,
                      size_t share, const struct attn_run *r)
{
    const struct attn_bias *b = ks->bias;
    const size_t ld = ks->slots[0] + ks->slots[1], last = r->at + r->n - 1;

    memset(dbias, 0, share * b->n * sizeof *dbias);
    for (size_t h = 0; h < share; h++)
        for (size_t d = 0; d < last + seen(r); d++) /* d = last + j - i */
            dbias[h * b->n + b->bucket[b->S + d - last]] +=
                by_distance[(2 * h + 1) * ld + d - last];
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
    room_make(&m, &ks, share, scratch);
    for (size_t c = 0; c < r->n * share; c += LANES) {
        lanes_take(&l, &ks, b->s, r, g, b->ldq, c, r->n * share);
        backward_lanes(b, run, &ks, &l, LANES, &m);
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
        give_bias(gr->dbias + g * share * ks.bias->n, m.dbias, &ks, share, r);
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
        assert(runs[r].all || runs[r].at == runs[r].pre);
        S = seen(&runs[r]) > S ? seen(&runs[r]) : S;
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
