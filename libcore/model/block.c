#include "model/block.h"

#include "nn/act.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/rmsnorm.h"
#include "nn/rope.h"
#include "tensor/dims.h"

#include <assert.h>
#include <string.h>

struct attn_shape block_attn_shape(const struct model *m, size_t l)
{
    const struct arch *a = &m->arch;

    return (struct attn_shape){a->H, a->G, a->D, a->attn_scale,
                               a->kind[a->layer[l]].window};
}

size_t block_qkv_width(const struct model *m)
{
    return (m->arch.H + 2 * m->arch.G) * m->arch.D;
}

size_t block_up_width(const struct model *m)
{
    return m->arch.mlp == MLP_GATED ? 2 * m->arch.F : m->arch.F;
}

static const float *param(const struct model *m, size_t at)
{
    return at == MODEL_NONE ? NULL : m->params + at;
}

static float *grad(float *grads, size_t at)
{
    return at == MODEL_NONE ? NULL : grads + at;
}

/* ---- norms ------------------------------------------------------------------------- */

static struct rmsnorm rms(const struct model *m)
{
    return (struct rmsnorm){.eps = m->arch.norm_eps, .offset = m->arch.norm_offset};
}

void block_norm(const struct model *m, float *y, float *r, float *mean, const float *x,
                size_t w, size_t bias, size_t B)
{
    if (m->arch.norm == NORM_RMS)
        rmsnorm_forward(m->kern, y, r, x, param(m, w), B, m->arch.C, rms(m));
    else
        layernorm_forward(m->kern, y, mean, r, x, param(m, w), param(m, bias), B,
                          m->arch.C, m->arch.norm_eps);
}

void block_norm_backward(const struct model *m, float *dx, const float *dy,
                         const float *x, const float *r, const float *mean, size_t w,
                         size_t bias, size_t B, float *grads)
{
    if (m->arch.norm == NORM_RMS)
        rmsnorm_backward(m->kern, dx, grad(grads, w), dy, x, param(m, w), r, B,
                         m->arch.C, rms(m));
    else
        layernorm_backward(m->kern, dx, grad(grads, w), grad(grads, bias), dy, x,
                           param(m, w), mean, r, B, m->arch.C);
}

/* ---- stores ------------------------------------------------------------------------ */

static struct attn_store store_at(const struct model *m, const struct block_store *s,
                                  size_t l)
{
    const struct arch *a = &m->arch;
    struct attn_store st = s->kv;

    if (s->cached && st.k) {
        st.k += l * a->G * st.cap * a->D;
        st.v += l * a->G * st.cap * round_up(a->D, 16);
    }
    return st;
}

/* Layer `at` of those captured. */
static float *norms_at(const struct model *m, const struct block_store *s, size_t at)
{
    return s->norms && s->cached ? s->norms + at * m->arch.H * s->kv.cap : s->norms;
}

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
    const struct attn_store st = store_at(f->b->m, &r->own, f->l);

    (void)worker;
    attn_store_put(f->s, &st, r->at - r->pre, k, v, ld, r->n);
    if (f->norms)
        capture_norms(f->norms, f->b->m, f->l, v, ld, r->n,
                      norms_at(f->b->m, &r->own, f->l - f->norms->from) + r->at -
                          r->pre,
                      r->own.kv.cap);
}

static const struct capture_spec *captures(const struct block *b, size_t l)
{
    const struct capture_spec *s = b->capture ? b->capture->spec : NULL;

    return s && l >= s->from && l < s->to ? s : NULL;
}

/* Everything that attention needs of layer l, from turned rows of q, k, v. */
static void prepare(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct attn_shape s = block_attn_shape(b->m, l);
    const struct capture_spec *spec = captures(b, l);
    struct filling f = {.b = b,
                        .s = &s,
                        .l = l,
                        .qkv = a->qkv,
                        .norms = spec && spec->reduce == CAPTURE_NORM ? spec : NULL};

    par_for(kern_par(b->m->kern), b->n, fill_store, &f);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];

        b->attn[i] = (struct attn_run){
            .q = a->qkv + r->row0 * block_qkv_width(b->m),
            .out = a->att + r->row0 * s.H * s.D,
            .lse = a->lse ? a->lse + r->row0 * s.H : NULL,
            .n = r->n,
            .at = r->at,
            .pre = r->pre,
            .prefix = store_at(b->m, &r->prefix, l),
            .own = store_at(b->m, &r->own, l),
        };
    }
}

/* ---- capture ----------------------------------------------------------------------- */

struct tap {
    const struct block *b;
    size_t l;
};

static void tap(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    const struct tap *t = ctx;
    const struct block *b = t->b;
    const struct block_run *run = &b->runs[r];
    const struct capture_row *row = &b->capture->row[run->row0 + i];
    const struct capture_spec *spec = b->capture->spec;
    const float *norms[2] = {NULL, NULL};

    if (!row->p)
        return;
    if (spec->reduce == CAPTURE_NORM) {
        const size_t at = t->l - spec->from;

        if (run->pre)
            norms[0] = norms_at(b->m, &run->prefix, at) + h * run->prefix.kv.cap;
        norms[1] = norms_at(b->m, &run->own, at) + h * run->own.kv.cap;
    }
    capture_add(spec, row, t->l, b->m->arch.H, h, p, S, run->pre, norms);
}

/* ---- forward ----------------------------------------------------------------------- */

/* y (B, N) = x (B, K) W^T + bias, by whichever product. */
static void product(const struct block *b, float *y, size_t N, const float *x, size_t K,
                    size_t W, const struct gemm_weight *packed, size_t bias)
{
    const struct model *m = b->m;

    if (b->products == BLOCK_ROWS)
        linear_rows(m->kern, y, N, x, K, packed, param(m, bias), b->B);
    else
        linear_forward(m->kern, y, N, x, K, param(m, W), param(m, bias), b->B, N, K);
}

static void activate(const struct block *b, float *y, const float *up)
{
    const struct arch *a = &b->m->arch;

    if (a->mlp == MLP_GATED)
        gated_forward(b->m->kern, y, up, b->B, a->F, a->act);
    else
        act_forward(b->m->kern, y, up, b->B, a->F, a->act);
}

void block_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    const size_t qkv = block_qkv_width(m), up = block_up_width(m), att = c->H * c->D;
    const struct attn_shape s = block_attn_shape(m, l);
    const float *cs = b->cs[c->layer[l]];
    struct tap t = {b, l};
    const struct attn_tap at = {tap, &t};

    block_norm(m, b->h, NULL, NULL, a->x, y->ln1, y->ln1_b, b->B);
    product(b, a->qkv, qkv, b->h, c->C, y->qkv, p ? &p->qkv : NULL, y->qkv_b);
    if (cs)
        rope_forward(m->kern, a->qkv, qkv, cs, b->B, c->H + c->G, c->D, c->R);
    prepare(b, l, a);
    attn_forward(m->kern, &s, b->attn, b->n, qkv, att, captures(b, l) ? &at : NULL,
                 b->attn_scratch);
    product(b, a->mid, c->C, a->att, att, y->o, p ? &p->o : NULL, y->o_b);
    add_forward(m->kern, a->mid, a->x, b->B, c->C);

    block_norm(m, b->h, NULL, NULL, a->mid, y->ln2, y->ln2_b, b->B);
    product(b, a->up, up, b->h, c->C, y->up, p ? &p->up : NULL, y->up_b);
    activate(b, b->act, a->up);
    product(b, a->out, c->C, b->act, c->F, y->down, p ? &p->down : NULL, y->down_b);
    add_forward(m->kern, a->out, a->mid, b->B, c->C);
}

/* ---- backward ---------------------------------------------------------------------- */

/* dx (B, K) = dy (B, N) W, overwritten; dW, db added to. */
static void product_backward(const struct block *b, float *dx, const float *dy,
                             size_t N, const float *x, size_t K, size_t W, size_t bias,
                             float *grads)
{
    struct kern *k = b->m->kern;

    gemm_nn(k, dx, K, dy, N, param(b->m, W), K, b->B, N, K, 0);
    linear_backward(k, NULL, K, grad(grads, W), grad(grads, bias), dy, N, x, K,
                    param(b->m, W), b->B, N, K);
}

static void activate_backward(const struct block *b, float *dup, const float *dact,
                              const float *up)
{
    const struct arch *a = &b->m->arch;

    memset(dup, 0, b->B * block_up_width(b->m) * sizeof *dup);
    if (a->mlp == MLP_GATED)
        gated_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
    else
        act_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
}

/* dx: of out on entry, of mid on return. */
static void mlp_backward(const struct block *b, const struct block_back *w, size_t l,
                         const struct block_acts *a, float *dx, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C;

    activate(b, b->act, a->up);
    product_backward(b, w->dact, dx, C, b->act, m->arch.F, y->down, y->down_b, grads);
    activate_backward(b, w->dup, w->dact, a->up);
    block_norm(m, b->h, w->r, w->mean, a->mid, y->ln2, y->ln2_b, b->B);
    product_backward(b, w->dh, w->dup, block_up_width(m), b->h, C, y->up, y->up_b,
                     grads);
    block_norm_backward(m, dx, w->dh, a->mid, w->r, w->mean, y->ln2, y->ln2_b, b->B,
                        grads);
}

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

static void attention_backward(const struct block *b, const struct block_back *w,
                               size_t l, const struct block_acts *a)
{
    const struct arch *c = &b->m->arch;
    const size_t ld = block_qkv_width(b->m), att = c->H * c->D, kv = c->G * c->D;
    const struct attn_shape s = block_attn_shape(b->m, l);
    const float *cs = b->cs[c->layer[l]];
    float *dpre = w->dpre;

    prepare(b, l, a);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        float *row = w->dqkv + r->row0 * ld;

        w->grad[i] = (struct attn_grad){.dout = w->datt + r->row0 * att,
                                        .dq = row,
                                        .dk = row + att,
                                        .dv = row + att + kv,
                                        .dpre = r->pre ? dpre : NULL};
        dpre += 2 * r->pre * kv;
    }
    attn_backward(b->m->kern, &s, b->attn, w->grad, b->n, ld, att, ld, b->attn_scratch);
    collect_prefixes(b, w);
    if (cs)
        rope_backward(b->m->kern, w->dqkv, ld, cs, b->B, c->H + c->G, c->D, c->R);
}

void block_backward(const struct block *b, const struct block_back *w, size_t l,
                    const struct block_acts *a, float *dx, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C, att = m->arch.H * m->arch.D;

    assert(b->products == BLOCK_FREE && !b->capture);
    mlp_backward(b, w, l, a, dx, grads);
    product_backward(b, w->datt, dx, C, a->att, att, y->o, y->o_b, grads);
    attention_backward(b, w, l, a);
    block_norm(m, b->h, w->r, w->mean, a->x, y->ln1, y->ln1_b, b->B);
    product_backward(b, w->dh, w->dqkv, block_qkv_width(m), b->h, C, y->qkv, y->qkv_b,
                     grads);
    block_norm_backward(m, dx, w->dh, a->x, w->r, w->mean, y->ln1, y->ln1_b, b->B,
                        grads);
}
