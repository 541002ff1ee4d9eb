/*
 * From tokens to what the first layer reads, and back.
 */
#include "model/block.h"

#include "nn/embed.h"
#include "nn/linear.h"

#include <string.h>

/* The embedding as a table; where it is packed only, NULL, and the rows are in y. */
static const float *rows_of(const struct model *m, float *y, const int32_t *ids,
                            size_t B)
{
    const size_t C = m->arch.C;

    if (!m->table)
        return m->params + m->embed;
    for (size_t n = 0; n < B; n++)
        gemm_unpack(m->table, m->kern, y + n * C, C, (size_t)ids[n], 1);
    return NULL;
}

void block_embed(const struct model *m, float *x, float *raw, const int32_t *ids,
                 const int32_t *pos, size_t B)
{
    const struct arch *c = &m->arch;
    const int learned = m->position != MODEL_NONE;

    float *y = c->embed_norm ? raw : x;

    embed_forward(m->kern, y, ids, learned ? pos : NULL, rows_of(m, y, ids, B),
                  learned ? m->params + m->position : NULL, B, c->C, c->embed_scale);
    if (m->types != MODEL_NONE) /* the first, in every row */
        add_rows(m->kern, y, c->C, m->params + m->types, 0, B, c->C);
    if (c->embed_norm)
        block_norm(m, x, NULL, NULL, raw, m->embed_norm, m->embed_norm_b, B);
}

void block_embed_backward(const struct model *m, const struct block_back *w,
                          const float *dx, const float *raw, const int32_t *ids,
                          const int32_t *pos, size_t B, float *grads)
{
    const struct arch *c = &m->arch;
    const int learned = m->position != MODEL_NONE;

    if (c->embed_norm) {
        memset(w->dpart, 0, B * c->C * sizeof *w->dpart);
        block_norm(m, w->dh, w->r, w->mean, raw, m->embed_norm, m->embed_norm_b, B);
        block_norm_backward(m, w->dpart, dx, raw, w->r, w->mean, m->embed_norm,
                            m->embed_norm_b, B, grads);
        dx = w->dpart;
    }
    if (m->types != MODEL_NONE)
        linear_backward(m->kern, NULL, 0, NULL, 0, grads + m->types, dx, c->C, NULL, 0,
                        NULL, B, c->C, 0);
    float *row = c->padding >= 0 ? grads + m->embed + (size_t)c->padding * c->C : NULL;
    if (row) /* put aside: w->dh is free */
        memcpy(w->dh, row, c->C * sizeof *row);
    embed_backward(m->kern, grads + m->embed, learned ? grads + m->position : NULL, dx,
                   ids, learned ? pos : NULL, B, c->C, c->embed_scale);
    if (row)
        memcpy(row, w->dh, c->C * sizeof *row);
}
