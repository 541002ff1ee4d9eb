/*
 * Cross-attention: a decoder's rows over an encoder's output y.
 *
 *     xmid = mid + W_XO attention(W_XQ norm(mid), W_XK y, W_XV y)
 *
 * Keys and values of a prompt are the same for all its responses.  To the kernel they
 * are a prefix that every query sees whole, and nothing is the query's own: so their
 * gradients come back by run, and are added up in the order of runs.
 */
#include "model/block_parts.h"

#include "nn/linear.h"

#include <string.h>

static struct attn_shape shape_of(const struct model *m, size_t l)
{
    struct attn_shape s = block_attn_shape(m, l);

    s.window = 0;
    return s;
}

/* ---- keys and values of the encoder ------------------------------------------------- */

struct filling {
    const struct block *b;
    const struct attn_shape *s;
    size_t l;
    const float *kv;
    const struct capture_spec *norms; /* NULL: not wanted in this layer */
};

static void fill_store(void *ctx, size_t i, size_t worker)
{
    const struct filling *f = ctx;
    const struct block_run *r = &f->b->source.runs[i];
    const size_t width = f->s->G * f->s->D, ld = 2 * width;
    const float *k = f->kv + r->row0 * ld, *v = k + width;
    const struct attn_store st = block_store_at(f->b->m, &r->own, f->l);

    (void)worker;
    attn_store_put(f->s, &st, 0, k, v, ld, r->n);
    if (f->norms)
        capture_norms(f->norms, f->b->m, f->l, v, ld, r->n,
                      block_norms_at(f->b->m, &r->own, f->l - f->norms->from),
                      r->own.kv.cap);
}

static void fill_stores(const struct block *b, size_t l, const float *kv)
{
    const struct attn_shape s = shape_of(b->m, l);
    const struct capture_spec *spec = block_captured(b, l, CAPTURE_CROSS);
    struct filling f = {.b = b,
                        .s = &s,
                        .l = l,
                        .kv = kv,
                        .norms = spec && spec->reduce == CAPTURE_NORM ? spec : NULL};

    par_for(kern_par(b->m->kern), b->source.n, fill_store, &f);
}

void cross_keys(const struct block *b, size_t l, float *kv)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    struct block rows = *b; /* those of the encoder */

    rows.B = b->source.E;
    block_product(&rows, kv, 2 * m->arch.G * m->arch.D, b->source.hidden, m->arch.C,
                  y->xkv, m->packed ? &m->packed[l].xkv : NULL, y->xkv_b);
    fill_stores(b, l, kv);
}

/* ---- forward ------------------------------------------------------------------------ */

static void prepare(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct arch *c = &b->m->arch;
    const size_t width = c->H * c->D;

    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];

        b->attn[i] = (struct attn_run){
            .q = a->xq + r->row0 * width,
            .out = a->xatt + r->row0 * width,
            .lse = a->xlse ? a->xlse + r->row0 * c->H : NULL,
            .n = r->n,
            .pre = r->src,
            .prefix = block_store_at(b->m, &r->source, l),
            .all = r->src,
        };
    }
}

/* All keys are the source's: they stand where a prompt's would. */
static void tap(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    const struct block_tap *t = ctx;

    block_capture(t, r, i, h, p, S, &t->b->runs[r].source, S, NULL);
}

void cross_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    const size_t C = m->arch.C, width = m->arch.H * m->arch.D;
    const struct attn_shape s = shape_of(m, l);
    struct block_tap t = {b, l};
    const struct attn_tap at = {tap, &t};

    if (b->source.hidden)
        cross_keys(b, l, a->xkv);
    const float *h = block_enter(b, NULL, NULL, a->mid, y->xln, y->xln_b);
    block_product(b, a->xq, width, h, C, y->xq, p ? &p->xq : NULL, y->xq_b);
    prepare(b, l, a);
    attn_forward(m->kern, &s, b->attn, b->n, width, width,
                 block_captured(b, l, CAPTURE_CROSS) ? &at : NULL, b->attn_scratch);
    float *made = y->xpost == MODEL_NONE ? a->xmid : a->xo;
    block_product(b, made, C, a->xatt, width, y->xo, p ? &p->xo : NULL, y->xo_b);
    block_leave(b, a->xmid, made, a->mid, y->xpost, y->xpost_b);
}

/* ---- backward ----------------------------------------------------------------------- */

/* w->dxkv from the runs' gradients of the keys and values that they saw. */
static void collect_sources(const struct block *b, const struct block_back *w)
{
    const size_t kv = b->m->arch.G * b->m->arch.D;

    memset(w->dxkv, 0, b->source.E * 2 * kv * sizeof *w->dxkv);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        const float *k = w->grad[i].dpre, *v = k + r->src * kv;

        for (size_t j = 0; j < r->src; j++) {
            float *row = w->dxkv + (r->src0 + j) * 2 * kv;

            for (size_t x = 0; x < kv; x++) {
                row[x] += k[j * kv + x];
                row[kv + x] += v[j * kv + x];
            }
        }
    }
}

/* Gradients of queries to w->dqkv, (B, H D) here, and of keys and values to w->dxkv. */
static void attention_backward(const struct block *b, const struct block_back *w,
                               size_t l, const struct block_acts *a)
{
    const struct arch *c = &b->m->arch;
    const size_t width = c->H * c->D, kv = c->G * c->D;
    const struct attn_shape s = shape_of(b->m, l);
    float *dpre = w->dpre;

    if (!attn_by_unit(b->m->kern, &s))
        fill_stores(b, l, a->xkv);
    prepare(b, l, a);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        const float *keys = a->xkv + r->src0 * 2 * kv;

        w->grad[i] = (struct attn_grad){.prefix = {keys, keys + kv},
                                        .dout = w->datt + r->row0 * width,
                                        .dq = w->dqkv + r->row0 * width,
                                        .dpre = dpre};
        dpre += 2 * r->src * kv;
    }
    attn_backward(b->m->kern, &s, b->attn, w->grad, b->n, width, width, 2 * kv,
                  b->attn_scratch);
    collect_sources(b, w);
}

void cross_backward(const struct block *b, const struct block_back *w, size_t l,
                    const struct block_acts *a, float *dx, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C, width = m->arch.H * m->arch.D;
    const size_t kv = 2 * m->arch.G * m->arch.D;

    const float *dmade =
        block_leave_backward(b, w, dx, a->xo, y->xpost, y->xpost_b, grads);

    block_product_backward(b, w, w->datt, dmade, C, a->xatt, width, y->xo, y->xo_b,
                           grads);
    attention_backward(b, w, l, a);
    const float *h = block_enter(b, w->r, w->mean, a->mid, y->xln, y->xln_b);
    block_product_backward(b, w, w->dh, w->dqkv, width, h, C, y->xq, y->xq_b, grads);
    block_enter_backward(b, w, dx, a->mid, y->xln, y->xln_b, grads);
    linear_backward(m->kern, w->dsource, C, block_grad(grads, y->xkv), w->beta,
                    block_grad(grads, y->xkv_b), w->dxkv, kv, b->source.hidden, C,
                    block_param(m, y->xkv), b->source.E, kv, C);
    adapter_backward(m, &b->lora, y->xkv, w->dsource, w->dxkv, kv, b->source.hidden, C,
                     b->source.E);
}
