#include "model/block.h"

#include "model/block_parts.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/relative.h"
#include "tensor/dims.h"

#include <assert.h>
#include <string.h>

struct attn_shape block_attn_shape(const struct model *m, size_t l)
{
    const struct arch *a = &m->arch;

    return (struct attn_shape){
        a->H, a->G, a->D, a->attn_scale, a->kind[a->layer[l]].window, a->attn_cap};
}

enum attn_keep block_keep(const struct model *m, int sampling, enum capture_kind of)
{
    const struct attn_bias any = {0};
    struct attn_shape s = block_attn_shape(m, 0);

    if (of == CAPTURE_SELF && m->arch.position == POS_RELATIVE)
        s.bias = &any;
    if (!kern_rounds_both(m->kern))
        return ATTN_EXACT;
    return s.D % 2 == 0 && (sampling || attn_by_unit(m->kern, &s)) ? ATTN_HALVES
                                                                   : ATTN_ROUNDED;
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
    const struct attn_shape plain = block_attn_shape(m, 0);
    const struct attn_bias any = {0};
    struct attn_shape biased = plain;

    if (m->arch.position != POS_RELATIVE)
        return attn_scratch(m->kern, &plain, S);
    biased.bias = &any; /* not that of cross-attention, though */
    return greatest(attn_scratch(m->kern, &plain, S),
                    attn_scratch(m->kern, &biased, S));
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

struct rmsnorm block_rms(const struct model *m)
{
    return (struct rmsnorm){.eps = m->arch.norm_eps, .offset = m->arch.norm_offset};
}

void block_norm(const struct model *m, float *y, float *r, float *mean, const float *x,
                size_t w, size_t bias, size_t B)
{
    if (w == MODEL_NONE)
        memcpy(y, x, B * m->arch.C * sizeof *y);
    else if (m->arch.norm == NORM_RMS)
        rmsnorm_forward(m->kern, y, r, x, block_param(m, w), B, m->arch.C,
                        block_rms(m));
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
                         B, m->arch.C, block_rms(m));
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

const struct capture_spec *block_captured(const struct block *b, size_t l,
                                          enum capture_kind kind)
{
    const struct capture_spec *s = b->capture ? b->capture->spec : NULL;

    return s && s->kind == kind && l >= s->from && l < s->to ? s : NULL;
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

int block_is_bare(const struct model *m, size_t W, size_t bias)
{
    return bias == MODEL_NONE && !adapter_changes(m, W);
}

void block_ordered_product(const struct block *b, float *y, size_t N,
                           const struct ordered *x, size_t W,
                           const struct gemm_weight *packed)
{
    const struct model *m = b->m;

    if (b->products == BLOCK_ROWS)
        ordered_rows(m->kern, y, N, x, packed);
    else
        ordered_nt(m->kern, y, N, x, block_param(m, W), x->K, N, 0);
}

const float *block_enter(const struct block *b, float *r, float *mean, const float *x,
                         size_t w, size_t bias)
{
    if (w == MODEL_NONE)
        return x;
    block_norm(b->m, b->h, r, mean, x, w, bias, b->B);
    return b->h;
}

size_t block_ordered_floats(const struct model *m, size_t B, size_t width)
{
    const size_t ordered = ordered_wanted(m->kern) ? ordered_bytes(B, width) : 0;

    return ordered / sizeof(float);
}

size_t block_h_floats(const struct model *m, size_t B)
{
    return greatest(B * m->arch.C, block_ordered_floats(m, B, m->arch.C));
}

int block_enter_in_order(const struct block *b, struct ordered *h,
                         enum block_way on_way, float *r, const float *x, size_t w)
{
    const struct model *m = b->m;
    uint32_t *words = (void *)b->h;

    if (w == MODEL_NONE || m->arch.norm != NORM_RMS || !ordered_wanted(m->kern) ||
        m->arch.C % ORDERED_COLUMNS != 0)
        return 0;
    *h = (struct ordered){.M = b->B,
                          .K = m->arch.C,
                          .rows = on_way == BLOCK_FORWARD ? words : NULL,
                          .panels = on_way == BLOCK_BACK ? words : NULL};
    rmsnorm_ordered(m->kern, h, r, x, block_param(m, w), block_rms(m));
    return 1;
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

void block_forward_attention(const struct block *b, size_t l,
                             const struct block_acts *a)
{
    self_forward(b, l, a);
    if (b->m->arch.encoder.L)
        cross_forward(b, l, a);
}

void block_forward_mlp(const struct block *b, size_t l, const struct block_acts *a)
{
    mlp_forward(b, l, a);
}

void block_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    block_forward_attention(b, l, a);
    block_forward_mlp(b, l, a);
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

/* In sequence, mid's gradient is out's and what goes through the MLP; in parallel it is
 * out's alone, and the MLP's share goes to x. */
void block_backward_mlp(const struct block *b, const struct block_back *w, size_t l,
                        const struct block_acts *a, float *dx, float *grads)
{
    assert(b->products == BLOCK_FREE && !b->capture);
    if (b->m->arch.parallel)
        self_out_backward(b, w, l, a, dx, grads);
    mlp_backward(b, w, l, a, dx, grads);
}

void block_backward_attention(const struct block *b, const struct block_back *w,
                              size_t l, const struct block_acts *a, float *dx,
                              float *grads)
{
    const struct model *m = b->m;

    if (m->arch.encoder.L)
        cross_backward(b, w, l, a, dx, grads);
    if (!m->arch.parallel)
        self_out_backward(b, w, l, a, dx, grads);
    self_backward(b, w, l, a, dx, grads);
}
