#include "model/block_parts.h"
#include "nn/act.h"

/* The MLP: the block's second half. */

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

/* The residual stream in front of the MLP, and what the MLP reads. */
static const float *mlp_residual(const struct arch *c, const struct block_acts *a)
{
    return c->encoder.L ? a->xmid : a->mid;
}

static const float *mlp_input(const struct arch *c, const struct block_acts *a)
{
    return c->parallel ? a->x : mlp_residual(c, a);
}

void mlp_forward(const struct block *b, size_t l, const struct block_acts *a)
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

void mlp_backward(const struct block *b, const struct block_back *w, size_t l,
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
