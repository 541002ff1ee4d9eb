#include "nn/attention.h"

#include "nn/attention_lanes.h"

#include <assert.h>
#include <math.h>

enum { BLOCK = 16 }; /* query rows that one task takes */

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

/* Probabilities of lane x, in order of positions, to the tap. */
static void tell(const struct attn_tap *tap, size_t run, const struct keys *ks,
                 const struct lanes *l, size_t x, const float *e, float by, float *p)
{
    const size_t own = l->to[x] > ks->slots[0] ? l->to[x] - ks->slots[0] : 0;
    const size_t S = ks->pre + own;

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

        add_bias(ex, ks, l, x);
        cap_scores(ex, ks, l);
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
        S = runs[r].n && seen(&runs[r]) > S ? seen(&runs[r]) : S;
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
