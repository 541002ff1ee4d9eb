#include "model/block_parts.h"
#include "nn/relative.h"
#include "nn/rmsnorm.h"
#include "nn/rope.h"

#include <string.h>

/* Self-attention: the block's first half. */

/* The self-attention of layer l. */
static struct attn_shape shape_of(const struct block *b, size_t l)
{
    struct attn_shape s = block_attn_shape(b->m, l);

    s.bias = b->bias;
    return s;
}

/* ---- stores ------------------------------------------------------------------------ */

struct filling {
    const struct block *b;
    const struct attn_shape *s;
    size_t l;
    const float *qkv;
    const struct capture_spec *norms; /* NULL: not wanted in this layer */
};

/* Keys and values of run i into its store, and the lengths of what values add. */
static void fill_store(void *ctx, size_t i, size_t worker)
{
    const struct filling *f = ctx;
    const struct block_run *r = &f->b->runs[i];
    const size_t ld = block_qkv_width(f->b->m);
    const float *k = f->qkv + r->row0 * ld + f->s->H * f->s->D;
    const float *v = k + f->s->G * f->s->D;
    const struct attn_store st = block_store_at(f->b->m, &r->own, f->l);

    (void)worker;
    attn_store_put(f->s, &st, r->at - r->pre, k, v, ld, r->n);
    if (f->norms)
        capture_norms(f->norms, f->b->m, f->l, v, ld, r->n,
                      block_norms_at(f->b->m, &r->own, f->l - f->norms->from) + r->at -
                          r->pre,
                      r->own.kv.cap);
}

/* 1 if every run is one row, whose key and value attention itself puts into its store, and nobody
 * else looks at them. */
static int brings_own(const struct block *b, size_t l)
{
    const struct capture_spec *spec = block_captured(b, l, CAPTURE_SELF);

    for (size_t i = 0; i < b->n; i++)
        if (b->runs[i].n != 1)
            return 0;
    return !b->prefixes && !b->m->arch.both && !(spec && spec->reduce == CAPTURE_NORM);
}

/* The stores of layer l from turned rows of q, k, v. */
static void fill_stores(const struct block *b, size_t l, const struct attn_shape *s,
                        const float *qkv)
{
    const struct capture_spec *spec = block_captured(b, l, CAPTURE_SELF);
    struct filling f = {.b = b,
                        .s = s,
                        .l = l,
                        .qkv = qkv,
                        .norms = spec && spec->reduce == CAPTURE_NORM ? spec : NULL};

    par_for(kern_par(b->m->kern), b->n, fill_store, &f);
}

/* What attention wants to know of the runs, with rows of q, k, v; `own`: which bring theirs. */
static void make_runs(const struct block *b, size_t l, const struct attn_shape *s,
                      const struct block_acts *a, const float *qkv, int own)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        const float *k = qkv + r->row0 * block_qkv_width(b->m) + s->H * s->D;

        b->attn[i] = (struct attn_run){
            .q = qkv + r->row0 * block_qkv_width(b->m),
            .out = a->att + r->row0 * s->H * s->D,
            .lse = a->lse ? a->lse + r->row0 * s->H : NULL,
            .n = r->n,
            .at = r->at,
            .pre = r->pre,
            .prefix = block_store_at(b->m, &r->prefix, l),
            .own = block_store_at(b->m, &r->own, l),
            .all = b->m->arch.both ? r->n : 0,
            .k = own ? k : NULL,
            .v = own ? k + s->G * s->D : NULL,
        };
    }
}

static void tap(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    const struct block_tap *t = ctx;
    const struct block_run *run = &t->b->runs[r];

    block_capture(t, r, i, h, p, S, &run->prefix, run->pre, &run->own);
}

/* ---- forward ----------------------------------------------------------------------- */

/* Queries or keys of a row, as their norm sees them: `n` vectors of `width` floats. */
struct qk_shape {
    size_t n, width;
};

static struct qk_shape qk_shape(const struct arch *c, size_t heads)
{
    return c->qk_norm == QK_WIDE ? (struct qk_shape){1, heads * c->D}
                                 : (struct qk_shape){heads, c->D};
}

/* Rows of a->qkv as attention wants them: q and k normed, and turned.  In place where
 * nothing is normed; r (B, n of q + n of k) or NULL. */
static float *turn(const struct block *b, size_t l, const struct block_acts *a,
                   float *r)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const size_t ld = block_qkv_width(m), att = c->H * c->D, kv = c->G * c->D;
    const float *cs = b->cs[c->layer[l]];
    float *to = a->qkv;

    if (c->qk_norm != QK_PLAIN) {
        const struct qk_shape q = qk_shape(c, c->H), k = qk_shape(c, c->G);

        to = b->turned;
        rmsnorm_heads_forward(m->kern, to, ld, r, a->qkv, ld, block_param(m, y->q_norm),
                              b->B, q.n, q.width, block_rms(m));
        rmsnorm_heads_forward(m->kern, to + att, ld, r ? r + b->B * q.n : NULL,
                              a->qkv + att, ld, block_param(m, y->k_norm), b->B, k.n,
                              k.width, block_rms(m));
        for (size_t n = 0; n < b->B; n++)
            memcpy(to + n * ld + att + kv, a->qkv + n * ld + att + kv, kv * sizeof *to);
    }
    if (cs)
        rope_forward(m->kern, to, ld, cs, b->B, c->H + c->G, c->D, c->R);
    return to;
}

/* a->qkv, as projected. */
static void project(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const struct gemm_weight *packed = m->packed ? &m->packed[l].qkv : NULL;
    const size_t qkv = block_qkv_width(m);
    struct ordered h;

    if (block_is_bare(m, y->qkv, y->qkv_b) &&
        block_enter_in_order(b, &h, BLOCK_FORWARD, NULL, a->x, y->ln1))
        block_ordered_product(b, a->qkv, qkv, &h, y->qkv, packed);
    else
        block_product(b, a->qkv, qkv,
                      block_enter(b, NULL, NULL, a->x, y->ln1, y->ln1_b), m->arch.C,
                      y->qkv, packed, y->qkv_b);
}

void self_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    const size_t qkv = block_qkv_width(m), att = c->H * c->D;
    const struct attn_shape s = shape_of(b, l);
    float *made = y->post1 == MODEL_NONE ? a->mid : a->o;
    struct block_tap t = {b, l};
    const struct attn_tap at = {tap, &t};

    project(b, l, a);
    const float *turned = turn(b, l, a, NULL);
    const int own = brings_own(b, l);
    if (!own)
        fill_stores(b, l, &s, turned);
    make_runs(b, l, &s, a, turned, own);
    attn_forward(m->kern, &s, b->attn, b->n, qkv, att,
                 block_captured(b, l, CAPTURE_SELF) ? &at : NULL, b->attn_scratch);
    block_product(b, made, c->C, a->att, att, y->o, p ? &p->o : NULL, y->o_b);
    block_leave(b, a->mid, made, a->x, y->post1, y->post1_b);
}

/* ---- backward ---------------------------------------------------------------------- */

/* Rows of a prefix take their share from every run that saw them, in order of runs. */
static void collect_prefixes(const struct block *b, const struct block_back *w)
{
    const struct arch *c = &b->m->arch;
    const size_t kv = c->G * c->D, ld = block_qkv_width(b->m), at = c->H * c->D;

    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        const float *from = w->grad[i].dpre;

        if (!r->pre)
            continue;
        for (size_t j = 0; j < r->pre; j++) {
            float *row = w->dqkv + (r->pre0 + j) * ld + at;

            for (size_t x = 0; x < kv; x++) {
                row[x] += from[j * kv + x];
                row[kv + x] += from[(r->pre + j) * kv + x];
            }
        }
    }
}

/* w->dqkv: of turned rows on entry, of the projected ones on return. */
static void turn_backward(const struct block *b, const struct block_back *w, size_t l,
                          const struct block_acts *a, float *grads)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const size_t ld = block_qkv_width(m), att = c->H * c->D;
    const struct qk_shape q = qk_shape(c, c->H), k = qk_shape(c, c->G);
    const float *cs = b->cs[c->layer[l]];

    if (cs)
        rope_backward(m->kern, w->dqkv, ld, cs, b->B, c->H + c->G, c->D, c->R);
    if (c->qk_norm == QK_PLAIN)
        return;
    rmsnorm_heads_backward(m->kern, w->dqkv, ld, block_grad(grads, y->q_norm), a->qkv,
                           ld, block_param(m, y->q_norm), w->qk_r, b->B, q.n, q.width,
                           block_rms(m));
    rmsnorm_heads_backward(m->kern, w->dqkv + att, ld, block_grad(grads, y->k_norm),
                           a->qkv + att, ld, block_param(m, y->k_norm),
                           w->qk_r + b->B * q.n, b->B, k.n, k.width, block_rms(m));
}

/* w->dqkv from w->datt. */
static void attention_backward(const struct block *b, const struct block_back *w,
                               size_t l, const struct block_acts *a, float *grads)
{
    const struct arch *c = &b->m->arch;
    const size_t ld = block_qkv_width(b->m), att = c->H * c->D, kv = c->G * c->D;
    const struct attn_shape s = shape_of(b, l);
    /* without norms the rows are kept turned */
    const float *qkv = c->qk_norm == QK_PLAIN ? a->qkv : turn(b, l, a, w->qk_r);
    float *dpre = w->dpre;

    if (!attn_by_unit(b->m->kern, &s))
        fill_stores(b, l, &s, qkv);
    make_runs(b, l, &s, a, qkv, 0);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        const float *own = qkv + r->row0 * ld + att, *prefix = qkv + r->pre0 * ld + att;
        float *row = w->dqkv + r->row0 * ld;

        w->grad[i] = (struct attn_grad){
            .own = {own, own + kv},
            .prefix = {prefix, prefix + kv},
            .dout = w->datt + r->row0 * att,
            .dq = row,
            .dk = row + att,
            .dv = row + att + kv,
            .dpre = r->pre ? dpre : NULL,
            .dbias = s.bias ? w->dbias + i * c->H * c->buckets : NULL};
        dpre += 2 * r->pre * kv;
    }
    attn_backward(b->m->kern, &s, b->attn, w->grad, b->n, ld, att, ld, b->attn_scratch);
    collect_prefixes(b, w);
    if (s.bias && grads)
        relative_backward(grads + b->m->relative, w->dbias, b->n, c->buckets, c->H);
    turn_backward(b, w, l, a, grads);
}

void self_out_backward(const struct block *b, const struct block_back *w, size_t l,
                       const struct block_acts *a, float *dx, float *grads)
{
    const struct arch *c = &b->m->arch;
    const struct model_layer *y = &b->m->layer[l];

    block_product_backward(
        b, w, w->datt,
        block_leave_backward(b, w, dx, a->o, y->post1, y->post1_b, grads), c->C, a->att,
        c->H * c->D, y->o, y->o_b, grads);
}

/* w->dh, and the gradient of W_QKV, from w->dqkv. */
static void project_backward(const struct block *b, const struct block_back *w,
                             size_t l, const struct block_acts *a, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t qkv = block_qkv_width(m), C = m->arch.C;
    float *dW = block_grad(grads, y->qkv);
    struct ordered h;

    if (!dW || !block_is_bare(m, y->qkv, y->qkv_b) ||
        !block_enter_in_order(b, &h, BLOCK_BACK, w->r, a->x, y->ln1)) {
        const float *x = block_enter(b, w->r, w->mean, a->x, y->ln1, y->ln1_b);

        block_product_backward(b, w, w->dh, w->dqkv, qkv, x, C, y->qkv, y->qkv_b,
                               grads);
        return;
    }
    gemm_nn(m->kern, w->dh, C, w->dqkv, qkv, block_param(m, y->qkv), C, b->B, qkv, C,
            0);
    ordered_tn_right(m->kern, dW, C, w->dqkv, qkv, &h, qkv, w->beta);
}

void self_backward(const struct block *b, const struct block_back *w, size_t l,
                   const struct block_acts *a, float *dx, float *grads)
{
    const struct model_layer *y = &b->m->layer[l];

    attention_backward(b, w, l, a, grads);
    project_backward(b, w, l, a, grads);
    block_enter_backward(b, w, dx, a->x, y->ln1, y->ln1_b, grads);
}
