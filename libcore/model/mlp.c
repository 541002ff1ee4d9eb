#include "kern/ordered.h"
#include "model/block_parts.h"
#include "model/kept.h"
#include "nn/act.h"
#include "nn/gated.h"
#include "tensor/dims.h"

/*
 * The MLP: the block's second half.  With packed weights a gate is made of pieces of the product
 * before it (nn/gated.h).  Where products have a unit (kern/ordered.h) it is so in training too, and
 * goes back through pieces of the product that leads to it; what comes of it is put in order for
 * the products after it, and is never whole as float32.  Without a unit that is no gain: pieces are
 * narrower than what products of float32 like.  What adapters or biases add to comes by whole
 * matrices.
 */

/* The residual stream in front of the MLP, and what the MLP reads. */
static const float *mlp_residual(const struct arch *c, const struct block_acts *a)
{
    return c->encoder.L ? a->xmid : a->mid;
}

static const float *mlp_input(const struct arch *c, const struct block_acts *a)
{
    return c->parallel ? a->x : mlp_residual(c, a);
}

/* 1 if the gate is made of nothing but the product with W_up. */
static int gate_is_bare(const struct model *m, const struct model_layer *y)
{
    return m->arch.mlp == MLP_GATED && block_is_bare(m, y->up, y->up_b);
}

/* 1 if what comes of the gate is read by products alone, which want it in order. */
static int in_order(const struct model *m, const struct model_layer *y)
{
    return gate_is_bare(m, y) && block_is_bare(m, y->down, y->down_b) &&
           ordered_wanted(m->kern) && m->arch.F % ORDERED_COLUMNS == 0;
}

size_t mlp_act_floats(const struct model *m, size_t B)
{
    return greatest(B * m->arch.F, block_ordered_floats(m, B, m->arch.F));
}

size_t mlp_dact_floats(const struct model *m, size_t B)
{
    return greatest(B * m->arch.F, block_ordered_floats(m, B, block_up_width(m)));
}

size_t mlp_dup_floats(const struct model *m, size_t B)
{
    return greatest(B * block_up_width(m),
                    block_ordered_floats(m, B, block_up_width(m)));
}

static uint32_t *words(float *x)
{
    return (void *)x;
}

/* ---- forward ----------------------------------------------------------------------- */

static void activate(const struct block *b, float *y, const float *up)
{
    const struct arch *a = &b->m->arch;

    if (a->mlp == MLP_GATED)
        gated_forward(b->m->kern, y, up, b->B, a->F, a->act);
    else
        act_forward(b->m->kern, y, up, b->B, a->F, a->act);
}

/* made (B, C) of the gate in order.  0: cannot be. */
static int mlp_in_order(const struct block *b, size_t l, const struct block_acts *a,
                        float *made)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    const struct ordered act = {.M = b->B, .K = c->F, .rows = words(b->act)};
    const float *x = mlp_input(c, a);
    struct gated_from h = {.ld = c->C};
    struct ordered ordered;
    int made_it;

    if (!in_order(m, y))
        return 0;
    if (block_enter_in_order(b, &ordered, BLOCK_FORWARD, NULL, x, y->ln2))
        h.ordered = &ordered;
    else
        h.x = block_enter(b, NULL, NULL, x, y->ln2, y->ln2_b);
    if (b->products == BLOCK_ROWS)
        made_it = gated_rows_product(m->kern, (struct gated_to){.ordered = &act}, h,
                                     b->B, &p->up, c->act);
    else
        made_it = gated_product(m->kern, &act, a->up_halves, h, block_param(m, y->up),
                                c->C, b->B, c->F, c->C, c->act);
    if (made_it)
        block_ordered_product(b, made, c->C, &act, y->down, p ? &p->down : NULL);
    return made_it;
}

/* b->act (B, F) as float32. */
static void open_in_floats(const struct block *b, size_t l, const struct block_acts *a,
                           const float *h)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct gemm_weight *packed = m->packed ? &m->packed[l].up : NULL;

    if (b->products == BLOCK_ROWS && gate_is_bare(m, y) &&
        gated_rows_product(m->kern, (struct gated_to){.floats = b->act},
                           (struct gated_from){.x = h, .ld = c->C}, b->B, packed,
                           c->act))
        return;
    block_product(b, a->up, block_up_width(m), h, c->C, y->up, packed, y->up_b);
    if (a->up_halves)
        kept_narrow(m->kern, a->up_halves, a->up, b->B, block_up_width(m));
    activate(b, b->act, a->up);
}

void mlp_forward(const struct block *b, size_t l, const struct block_acts *a)
{
    const struct model *m = b->m;
    const struct arch *c = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const struct model_packed *p = m->packed ? &m->packed[l] : NULL;
    float *made = y->post2 == MODEL_NONE ? a->out : a->down;

    if (!mlp_in_order(b, l, a, made)) {
        open_in_floats(b, l, a,
                       block_enter(b, NULL, NULL, mlp_input(c, a), y->ln2, y->ln2_b));
        block_product(b, made, c->C, b->act, c->F, y->down, p ? &p->down : NULL,
                      y->down_b);
    }
    block_leave(b, a->out, made, mlp_residual(c, a), y->post2, y->post2_b);
}

/* ---- backward ---------------------------------------------------------------------- */

static void activate_backward(const struct block *b, float *dup, const float *dact,
                              const float *up)
{
    const struct arch *a = &b->m->arch;

    if (a->mlp == MLP_GATED)
        gated_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
    else
        act_backward(b->m->kern, dup, dact, up, b->B, a->F, a->act);
}

/* What the MLP reads, again, with what its norm's way back wants. */
static const float *enter_again(const struct block *b, const struct block_back *w,
                                size_t l, const struct block_acts *a)
{
    const struct model_layer *y = &b->m->layer[l];

    return block_enter(b, w->r, w->mean, mlp_input(&b->m->arch, a), y->ln2, y->ln2_b);
}

/* dW = w->beta dW + d^T h, h being what the MLP reads. */
static void up_backward(const struct block *b, const struct block_back *w, size_t l,
                        const struct block_acts *a, const struct ordered *d, float *dW)
{
    const struct model *m = b->m;
    const size_t C = m->arch.C;
    struct ordered h;

    if (block_enter_in_order(b, &h, BLOCK_BACK, w->r, mlp_input(&m->arch, a),
                             m->layer[l].ln2))
        ordered_tn(m->kern, dW, C, d, &h, w->beta);
    else
        ordered_tn_left(m->kern, dW, C, d, enter_again(b, w, l, a), C, C, w->beta);
}

/* w->dh from dmade, with the gate and its gradient in order; 0: cannot be. */
static int back_in_order(const struct block *b, const struct block_back *w, size_t l,
                         const struct block_acts *a, const float *dmade, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C, F = m->arch.F;
    float *dW = block_grad(grads, y->down), *dup = block_grad(grads, y->up);
    const struct ordered act = {b->B, F, .panels = dW ? words(b->act) : NULL};
    const struct ordered d = {b->B, 2 * F, .rows = words(w->dact),
                              .columns = dup ? words(w->dup) : NULL};

    if (!in_order(m, y) ||
        !gated_product_backward(m->kern, &d, &act, a->up_halves, dmade, C,
                                block_param(m, y->down), F, b->B, F, C, m->arch.act))
        return 0;
    if (dW)
        ordered_tn_right(m->kern, dW, F, dmade, C, &act, C, w->beta);
    ordered_nn(m->kern, w->dh, C, &d, block_param(m, y->up), C, C, 0);
    if (dup)
        up_backward(b, w, l, a, &d, dup);
    else
        enter_again(b, w, l, a); /* for its norm's way back */
    return 1;
}

/* The same, all in float32. */
static void back_in_floats(const struct block *b, const struct block_back *w, size_t l,
                           const struct block_acts *a, const float *dmade, float *grads)
{
    const struct model *m = b->m;
    const struct model_layer *y = &m->layer[l];
    const size_t C = m->arch.C, F = m->arch.F;

    if (a->up_halves)
        kept_widen(m->kern, a->up, a->up_halves, b->B, block_up_width(m));
    activate(b, b->act, a->up);
    block_product_backward(b, w, w->dact, dmade, C, b->act, F, y->down, y->down_b,
                           grads);
    activate_backward(b, w->dup, w->dact, a->up);
    const float *h = enter_again(b, w, l, a);
    block_product_backward(b, w, w->dh, w->dup, block_up_width(m), h, C, y->up, y->up_b,
                           grads);
}

void mlp_backward(const struct block *b, const struct block_back *w, size_t l,
                  const struct block_acts *a, float *dx, float *grads)
{
    const struct model_layer *y = &b->m->layer[l];
    const float *dmade =
        block_leave_backward(b, w, dx, a->down, y->post2, y->post2_b, grads);

    if (!back_in_order(b, w, l, a, dmade, grads))
        back_in_floats(b, w, l, a, dmade, grads);
    block_enter_backward(b, w, dx, mlp_input(&b->m->arch, a), y->ln2, y->ln2_b, grads);
}
