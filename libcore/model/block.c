#include "model/block.h"

#include "model/block_parts.h"
#include "nn/act.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/relative.h"
#include "nn/rmsnorm.h"
#include "nn/rope.h"
#include "tensor/dims.h"

#include <assert.h>
#include <string.h>

struct attn_shape block_attn_shape(const struct model *m, size_t l)
{
    const struct arch *a = &m->arch;

    return (struct attn_shape){
        a->H, a->G, a->D, a->attn_scale, a->kind[a->layer[l]].window, a->attn_cap};
}

enum attn_keep block_keep(const struct model *m, int sampling)
{
    if (!kern_rounds_both(m->kern))
        return ATTN_EXACT;
    return sampling && m->arch.D % 2 == 0 ? ATTN_HALVES : ATTN_ROUNDED;
}

void block_bias_carve(struct attn_bias *b, const struct model *m, struct arena *a,
                      size_t S)
{
    const struct arch *c = &m->arch;
    const size_t n = c->position == POS_RELATIVE ? 2 * S : 0;

    b->by_distance = arena_take(a, n * c->H, sizeof *b->by_distance);
    b->bucket = arena_take(a, n, sizeof *b->bucket);
    b->S = S;
    b->n = c->buckets;
}

const struct attn_bias *block_bias_fill(const struct attn_bias *b,
                                        const struct model *m)
{
    const struct arch *c = &m->arch;

    if (c->position != POS_RELATIVE)
        return NULL;
    relative_buckets(b->bucket, b->S, b->n, c->farthest,
                     c->both ? RELATIVE_BOTH : RELATIVE_BEHIND);
    relative_expand(b->by_distance, m->params + m->relative, b->bucket, b->S, c->H);
    return b;
}

size_t block_attn_scratch(const struct model *m, size_t S)
{
    struct attn_shape s = block_attn_shape(m, 0);
    const struct attn_bias any = {0};

    s.bias = m->arch.position == POS_RELATIVE ? &any : NULL;
    return attn_scratch(m->kern, &s, S);
}

/* The self-attention of layer l. */
static struct attn_shape shape_of(const struct block *b, size_t l)
{
    struct attn_shape s = block_attn_shape(b->m, l);

    s.bias = b->bias;
    return s;
}

size_t block_qkv_width(const struct model *m)
{
    return (m->arch.H + 2 * m->arch.G) * m->arch.D;
}

size_t block_up_width(const struct model *m)
{
    return m->arch.mlp == MLP_GATED ? 2 * m->arch.F : m->arch.F;
}

const float *block_param(const struct model *m, size_t at)
{
    return at == MODEL_NONE ? NULL : m->params + at;
}

float *block_grad(float *grads, size_t at)
{
    return at == MODEL_NONE || !grads ? NULL : grads + at;
}

/* ---- norms ------------------------------------------------------------------------- */

static struct rmsnorm rms(const struct model *m)
{
    return (struct rmsnorm){.eps = m->arch.norm_eps, .offset = m->arch.norm_offset};
}

void block_norm(const struct model *m, float *y, float *r, float *mean, const float *x,
                size_t w, size_t bias, size_t B)
{
    if (w == MODEL_NONE)
        memcpy(y, x, B * m->arch.C * sizeof *y);
    else if (m->arch.norm == NORM_RMS)
        rmsnorm_forward(m->kern, y, r, x, block_param(m, w), B, m->arch.C, rms(m));
    else
        layernorm_forward(m->kern, y, mean, r, x, block_param(m, w),
                          block_param(m, bias), B, m->arch.C, m->arch.norm_eps);
}

void block_norm_backward(const struct model *m, float *dx, const float *dy,
                         const float *x, const float *r, const float *mean, size_t w,
                         size_t bias, size_t B, float *grads)
{
    if (w == MODEL_NONE)
        add_forward(m->kern, dx, dy, B, m->arch.C);
    else if (m->arch.norm == NORM_RMS)
        rmsnorm_backward(m->kern, dx, block_grad(grads, w), dy, x, block_param(m, w), r,
                         B, m->arch.C, rms(m));
    else
        layernorm_backward(m->kern, dx, block_grad(grads, w), block_grad(grads, bias),
                           dy, x, block_param(m, w), mean, r, B, m->arch.C);
}

/* ---- stores ------------------------------------------------------------------------ */

struct attn_store block_store_at(const struct model *m, const struct block_store *s,
                                 size_t l)
{
    const struct attn_shape shape = {.G = m->arch.G, .D = m->arch.D};
    struct attn_store st = s->kv;

    if (s->cached && st.k) {
        st.k += l * attn_store_k(&shape, st.cap, st.keep);
        st.v += l * attn_store_v(&shape, st.cap, st.keep);
    }
    return st;
}

float *block_norms_at(const struct model *m, const struct block_store *s, size_t at)
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
    const struct attn_store st = block_store_at(f->b->m, &r->own, f->l);

    (void)worker;
    attn_store_put(f->s, &st, r->at - r->pre, k, v, ld, r->n);
    if (f->norms)
        capture_norms(f->norms, f->b->m, f->l, v, ld, r->n,
                      block_norms_at(f->b->m, &r->own, f->l - f->norms->from) + r->at -
                          r->pre,
                      r->own.kv.cap);
}

const struct capture_spec *block_captured(const struct block *b, size_t l,
                                          enum capture_kind kind)
{
    const struct capture_spec *s = b->capture ? b->capture->spec : NULL;

    return s && s->kind == kind && l >= s->from && l < s->to ? s : NULL;
}

/* Everything that attention needs of layer l, from turned rows of q, k, v. */
static void prepare(const struct block *b, size_t l, const struct block_acts *a,
                    const float *qkv)
{
    const struct attn_shape s = shape_of(b, l);
    const struct capture_spec *spec = block_captured(b, l, CAPTURE_SELF);
    struct filling f = {.b = b,
                        .s = &s,
                        .l = l,
                        .qkv = qkv,
                        .norms = spec && spec->reduce == CAPTURE_NORM ? spec : NULL};

    par_for(kern_par(b->m->kern), b->n, fill_store, &f);
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];

        b->attn[i] = (struct attn_run){
            .q = qkv + r->row0 * block_qkv_width(b->m),
            .out = a->att + r->row0 * s.H * s.D,
            .lse = a->lse ? a->lse + r->row0 * s.H : NULL,
            .n = r->n,
            .at = r->at,
            .pre = r->pre,
            .prefix = block_store_at(b->m, &r->prefix, l),
            .own = block_store_at(b->m, &r->own, l),
            .all = b->m->arch.both ? r->n : 0,
        };
    }
}

/* ---- capture ----------------------------------------------------------------------- */

void block_capture(const struct block_tap *t, size_t r, size_t i, size_t h,
                   const float *p, size_t S, const struct block_store *before,
                   size_t pre, const struct block_store *own)
{
    const struct block *b = t->b;
    const struct capture_row *row = &b->capture->row[b->runs[r].row0 + i];
    const struct capture_spec *spec = b->capture->spec;
    const float *norms[2] = {NULL, NULL};

    if (!row->p)
        return;
    if (spec->reduce == CAPTURE_NORM) {
        const size_t at = t->l - spec->from;

        if (pre)
            norms[0] = block_norms_at(b->m, before, at) + h * before->kv.cap;
        if (own)
            norms[1] = block_norms_at(b->m, own, at) + h * own->kv.cap;
    }
    capture_add(spec, row, t->l, b->m->arch.H, h, p, S, pre, norms);
}

static void tap(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S)
{
    const struct block_tap *t = ctx;
    const struct block_run *run = &t->b->runs[r];

    block_capture(t, r, i, h, p, S, &run->prefix, run->pre, &run->own);
}

/* ---- forward ----------------------------------------------------------------------- */

void block_product(const struct block *b, float *y, size_t N, const float *x, size_t K,
                   size_t W, const struct gemm_weight *packed, size_t bias)
{
    const struct model *m = b->m;

    if (b->products == BLOCK_ROWS) {
        linear_rows(m->kern, y, N, x, K, packed, block_param(m, bias), b->B);
        adapter_forward_rows(m, &b->lora, W, y, N, x, K, b->B);
    } else {
        linear_forward(m->kern, y, N, x, K, block_param(m, W), block_param(m, bias),
                       b->B, N, K);
        adapter_forward(m, &b->lora, W, y, N, x, K, b->B);
    }
}

static void activate(const struct block *b, float *y, const float *up)
{
    const struct arch *a = &b->m->arch;

    if (a->mlp == MLP_GATED)
        gated_forward(b->m->kern, y, up, b->B, a->F, a->act);
    else
        act_forward(b->m->kern, y, up, b->B, a->F, a->act);
}

/* b->act (B, F) from what the MLP reads, h.  Where nobody else wants a->up it is not written. */
static void open_mlp(const struct block *b, size_t l, const struct block_acts *a,
                     const float *h)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct gemm_weight *packed = m->packed ? &m->packed[l].up : NULL;

    if (b->products == BLOCK_ROWS && c->mlp == MLP_GATED && y->up_b == MODEL_NONE &&
        !adapter_changes(m, y->up) &&
        gated_product(m->kern, b->act, h, c->C, b->B, packed, c->act))
        return;
    block_product(b, a->up, block_up_width(m), h, c->C, y->up, packed, y->up_b);
    activate(b, b->act, a->up);
}

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
                              b->B, q.n, q.width, rms(m));
        rmsnorm_heads_forward(m->kern, to + att, ld, r ? r + b->B * q.n : NULL,
                              a->qkv + att, ld, block_param(m, y->k_norm), b->B, k.n,
                              k.width, rms(m));
        for (size_t n = 0; n < b->B; n++)
            memcpy(to + n * ld + att + kv, a->qkv + n * ld + att + kv, kv * sizeof *to);
    }
    if (cs)
        rope_forward(m->kern, to, ld, cs, b->B, c->H + c->G, c->D, c->R);
    return to;
}

const float *block_enter(const struct block *b, float *r, float *mean, const float *x,
                         size_t w, size_t bias)
{
    if (w == MODEL_NONE)
        return x;
    block_norm(b->m, b->h, r, mean, x, w, bias, b->B);
    return b->h;
}

void block_leave(const struct block *b, float *out, float *made, const float *x,
                 size_t post, size_t bias)
{
    const struct arch *c = &b->m->arch;

    if (c->placement == NORM_OUTSIDE) {
        add_forward(b->m->kern, made, x, b->B, c->C);
        block_norm(b->m, out, NULL, NULL, made, post, bias, b->B);
        return;
    }
    if (post != MODEL_NONE)
        block_norm(b->m, out, NULL, NULL, made, post, bias, b->B);
    if (c->branch_scale != 1)
        scale_forward(b->m->kern, out, out, c->branch_scale, b->B, c->C);
    add_forward(b->m->kern, out, x, b->B, c->C);
}

static void attention_forward(const struct block *b, size_t l,
                              const struct block_acts *a)
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
    const float *h = block_enter(b, NULL, NULL, a->x, y->ln1, y->ln1_b);

    block_product(b, a->qkv, qkv, h, c->C, y->qkv, p ? &p->qkv : NULL, y->qkv_b);
    prepare(b, l, a, turn(b, l, a, NULL));
    attn_forward(m->kern, &s, b->attn, b->n, qkv, att,
                 block_captured(b, l, CAPTURE_SELF) ? &at : NULL, b->attn_scratch);
    block_product(b, made, c->C, a->att, att, y->o, p ? &p->o : NULL, y->o_b);
    block_leave(b, a->mid, made, a->x, y->post1, y->post1_b);
}

/* The residual stream in front of the MLP, and what the MLP reads. */
static const float *mlp_residual(const struct arch *c, const struct block_acts *a)
{
    return c->encoder.L ? a->xmid : a->mid;
}

static const float *mlp_input(const struct arch *c, const struct block_acts *a)
{
    return c->parallel ? a->x : mlp_residual(c, a);
}

static void mlp_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    float *made = y->post2 == MODEL_NONE ? a->out : a->down;
    const float *h = block_enter(b, NULL, NULL, mlp_input(c, a), y->ln2, y->ln2_b);

    open_mlp(b, l, a, h);
    block_product(b, made, c->C, b->act, c->F, y->down, p ? &p->down : NULL, y->down_b);
    block_leave(b, a->out, made, mlp_residual(c, a), y->post2, y->post2_b);
}

void block_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    attention_forward(b, l, a);
    if (b->m->arch.encoder.L)
        cross_forward(b, l, a);
    mlp_forward(b, l, a);
}

/* ---- backward ---------------------------------------------------------------------- */

void block_product_backward(const struct block *b, const struct block_back *w,
                            float *dx, const float *dy, size_t N, const float *x,
                            size_t K, size_t W, size_t bias, float *grads)
{
    struct kern *k = b->m->kern;

    gemm_nn(k, dx, K, dy, N, block_param(b->m, W), K, b->B, N, K, 0);
    linear_backward(k, NULL, K, block_grad(grads, W), w->beta, block_grad(grads, bias),
                    dy, N, x, K, block_param(b->m, W), b->B, N, K);
    adapter_backward(b->m, &b->lora, W, dx, dy, N, x, K, b->B);
}

static void activate_backward(const struct block *b, float *dup, const float *dact,
                              const float *up)
{
    const struct arch *a = &b->m->arch;

    if (a->mlp == MLP_GATED)
        gated_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
    else
        act_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
}

const float *block_leave_backward(const struct block *b, const struct block_back *w,
                                  float *dx, const float *made, size_t post,
                                  size_t bias, float *grads)
{
    const struct model *m = b->m;
    const size_t bytes = b->B * m->arch.C * sizeof *w->dpart;

    if (post == MODEL_NONE && m->arch.branch_scale == 1)
        return dx;
    if (post == MODEL_NONE) {
        scale_forward(m->kern, w->dpart, dx, m->arch.branch_scale, b->B, m->arch.C);
        return w->dpart;
    }
    block_norm(m, b->h, w->r, w->mean, made, post, bias, b->B);
    memset(w->dpart, 0, bytes);
    block_norm_backward(m, w->dpart, dx, made, w->r, w->mean, post, bias, b->B, grads);
    if (m->arch.placement == NORM_OUTSIDE) /* x went through the norm as well */
        memcpy(dx, w->dpart, bytes);
    return w->dpart;
}

void block_enter_backward(const struct block *b, const struct block_back *w, float *dx,
                          const float *x, size_t norm, size_t bias, float *grads)
{
    if (norm == MODEL_NONE)
        add_forward(b->m->kern, dx, w->dh, b->B, b->m->arch.C);
    else
        block_norm_backward(b->m, dx, w->dh, x, w->r, w->mean, norm, bias, b->B, grads);
}

/* dx: of out on entry; on return what goes through the MLP is added. */
static void mlp_backward(const struct block *b, const struct block_back *w, size_t l,
                         const struct block_acts *a, float *dx, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C;
    const float *in = mlp_input(&m->arch, a);
    const float *dmade =
        block_leave_backward(b, w, dx, a->down, y->post2, y->post2_b, grads);

    activate(b, b->act, a->up);
    block_product_backward(b, w, w->dact, dmade, C, b->act, m->arch.F, y->down,
                           y->down_b, grads);
    activate_backward(b, w->dup, w->dact, a->up);
    const float *h = block_enter(b, w->r, w->mean, in, y->ln2, y->ln2_b);
    block_product_backward(b, w, w->dh, w->dup, block_up_width(m), h, C, y->up, y->up_b,
                           grads);
    block_enter_backward(b, w, dx, in, y->ln2, y->ln2_b, grads);
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
                           rms(m));
    rmsnorm_heads_backward(m->kern, w->dqkv + att, ld, block_grad(grads, y->k_norm),
                           a->qkv + att, ld, block_param(m, y->k_norm),
                           w->qk_r + b->B * q.n, b->B, k.n, k.width, rms(m));
}

/* w->dqkv from w->datt. */
static void attention_backward(const struct block *b, const struct block_back *w,
                               size_t l, const struct block_acts *a, float *grads)
{
    const struct arch *c = &b->m->arch;
    const size_t ld = block_qkv_width(b->m), att = c->H * c->D, kv = c->G * c->D;
    const struct attn_shape s = shape_of(b, l);
    float *dpre = w->dpre;

    /* without norms the rows are kept turned */
    prepare(b, l, a, c->qk_norm == QK_PLAIN ? a->qkv : turn(b, l, a, w->qk_r));
    for (size_t i = 0; i < b->n; i++) {
        const struct block_run *r = &b->runs[i];
        float *row = w->dqkv + r->row0 * ld;

        w->grad[i] = (struct attn_grad){
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

/* w->datt, the gradient of attention's result, from that of mid. */
static void output_backward(const struct block *b, const struct block_back *w, size_t l,
                            const struct block_acts *a, float *dx, float *grads)
{
    const struct arch *c = &b->m->arch;
    const struct model_layer *y = &b->m->layer[l];

    block_product_backward(
        b, w, w->datt,
        block_leave_backward(b, w, dx, a->o, y->post1, y->post1_b, grads), c->C, a->att,
        c->H * c->D, y->o, y->o_b, grads);
}

/* In sequence, mid's gradient is out's and what goes through the MLP; in parallel it is
 * out's alone, and the MLP's share goes to x. */
void block_backward(const struct block *b, const struct block_back *w, size_t l,
                    const struct block_acts *a, float *dx, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];

    assert(b->products == BLOCK_FREE && !b->capture);
    if (m->arch.parallel)
        output_backward(b, w, l, a, dx, grads);
    mlp_backward(b, w, l, a, dx, grads);
    if (m->arch.encoder.L)
        cross_backward(b, w, l, a, dx, grads);
    if (!m->arch.parallel)
        output_backward(b, w, l, a, dx, grads);
    attention_backward(b, w, l, a, grads);
    const float *h = block_enter(b, w->r, w->mean, a->x, y->ln1, y->ln1_b);
    block_product_backward(b, w, w->dh, w->dqkv, block_qkv_width(m), h, m->arch.C,
                           y->qkv, y->qkv_b, grads);
    block_enter_backward(b, w, dx, a->x, y->ln1, y->ln1_b, grads);
}
