#include "model/head.h"

#include "base/arena.h"
#include "kern/gemm.h"
#include "model/private.h"
#include "nn/linear.h"
#include "nn/softcap.h"
#include "nn/xent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct head {
    struct model *m;
    size_t rows; /* of a chunk */
    struct arena arena;
    float *z;     /* (rows, V) */
    float *dz;    /* (rows, V) their gradients: z, but apart where logits are capped */
    float *x, *d; /* (rows, C) hidden rows of the chunk; their gradients */
    int32_t *target;
    float *temperature, *logp, *entropy, *lse;
};

size_t head_rows(const struct model *m)
{
    const size_t small = ((size_t)8 << 20) / m->arch.V;
    const size_t fit = small > m->arch.C ? small : m->arch.C;

    return fit < 16 ? 16 : fit > 512 ? 512 : fit;
}

static void carve(struct head *h, struct arena *a)
{
    const struct arch *c = &h->m->arch;
    const size_t n = h->rows, f = sizeof(float);

    h->z = arena_take(a, n * c->V, f);
    h->dz = c->logit_cap > 0 ? arena_take(a, n * c->V, f) : h->z;
    h->x = arena_take(a, n * c->C, f);
    h->d = arena_take(a, n * c->C, f);
    h->target = arena_take(a, n, sizeof *h->target);
    h->temperature = arena_take(a, n, f);
    h->logp = arena_take(a, n, f);
    h->entropy = arena_take(a, n, f);
    h->lse = arena_take(a, n, f);
}

int head_new(struct head **out, struct model *m, struct err *e)
{
    struct head *h = calloc(1, sizeof *h);

    *out = NULL;
    if (!h)
        return err_set(e, ERR_NOMEM, "no memory for the head");
    h->m = m;
    h->rows = head_rows(m);
    carve(h, &h->arena);
    const int rc = arena_alloc(&h->arena, "logits", e);
    if (rc < 0) {
        free(h);
        return rc;
    }
    carve(h, &h->arena);
    *out = h;
    return 0;
}

void head_free(struct head *h)
{
    if (!h)
        return;
    arena_release(&h->arena);
    free(h);
}

size_t head_bytes(const struct model *m)
{
    struct head h = {.m = (struct model *)m, .rows = head_rows(m)};
    struct arena a = {0};

    carve(&h, &a);
    return a.used;
}

/* z *= the model's scale, as it was made from a hidden state that was not scaled. */
static void scale(const struct model *m, float *z, size_t n)
{
    if (m->arch.out_scale != 1)
        scale_forward(m->kern, z, z, m->arch.out_scale, n, m->arch.V);
}

void head_finish(const struct model *m, float *z, size_t n)
{
    scale(m, z, n);
    if (m->head_b != MODEL_NONE)
        add_rows(m->kern, z, m->arch.V, m->params + m->head_b, 0, n, m->arch.V);
    if (m->arch.logit_cap > 0)
        softcap_forward(m->kern, z, n, m->arch.V, m->arch.logit_cap);
}

static void logits(struct head *h, float *z, const float *x, size_t n)
{
    const struct arch *c = &h->m->arch;

    if (model_is_packed(h->m))
        gemm_rows(h->m->kern, z, c->V, x, c->C, n, &h->m->packed_head);
    else
        gemm_nt(h->m->kern, z, c->V, x, c->C, h->m->params + h->m->head, c->C, n, c->V,
                c->C, 0);
    head_finish(h->m, z, n);
}

/* Logits of n items, their rows gathered in x. */
static void chunk(struct head *h, const float *hidden, const struct head_item *items,
                  size_t n)
{
    const size_t C = h->m->arch.C;

    for (size_t i = 0; i < n; i++) {
        memcpy(h->x + i * C, hidden + items[i].row * C, C * sizeof *hidden);
        h->target[i] = items[i].target;
        h->temperature[i] = items[i].temperature;
    }
    logits(h, h->z, h->x, n);
}

/* The chunk's numbers, of which h keeps what the way back wants. */
static void chunk_forward(struct head *h, size_t n, float *logp, float *entropy)
{
    xent_forward(h->m->kern, logp, entropy, h->lse, h->z, h->target, h->temperature, n,
                 h->m->arch.V);
    if (entropy && entropy != h->entropy)
        memcpy(h->entropy, entropy, n * sizeof *entropy);
}

void head_forward(struct head *h, const float *hidden, const struct head_item *items,
                  size_t n, float *logp, float *entropy)
{
    /* The first chunk comes last: its logits are there when the way back begins. */
    for (size_t i = 0, end = n; end > 0; end = i) {
        i = (end - 1) / h->rows * h->rows;
        chunk(h, hidden, items + i, end - i);
        chunk_forward(h, end - i, logp + i, entropy ? entropy + i : NULL);
    }
}

/* From the chunk's logits their gradients; then those of rows and weight. */
static void chunk_backward(struct head *h, const struct head_item *items, size_t n,
                           const float *dlogp, const float *dentropy, float *dh,
                           float *grads)
{
    const struct arch *c = &h->m->arch;
    struct kern *k = h->m->kern;

    xent_backward(k, h->dz, h->z, h->target, h->temperature, h->lse, h->entropy, dlogp,
                  dentropy, n, c->V);
    if (c->logit_cap > 0)
        softcap_backward(k, h->dz, h->z, n, c->V, c->logit_cap);
    scale(h->m, h->dz, n);
    gemm_nn(k, h->d, c->C, h->dz, c->V, h->m->params + h->m->head, c->C, n, c->V, c->C,
            0);
    if (grads && !h->m->adapter)
        gemm_tn(k, grads + h->m->head, c->C, h->dz, c->V, h->x, c->C, n, c->V, c->C, 1);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c->C; j++)
            dh[items[i].row * c->C + j] += h->d[i * c->C + j];
}

/* Logits of the first `held` items are there. */
static void backward(struct head *h, const float *hidden, const struct head_item *items,
                     size_t n, size_t held, const float *dlogp, const float *dentropy,
                     float *dh, float *grads)
{
    assert(!model_is_packed(h->m));
    for (size_t i = 0; i < n; i += h->rows) {
        const size_t k = n - i < h->rows ? n - i : h->rows;

        if (i >= held) {
            chunk(h, hidden, items + i, k);
            chunk_forward(h, k, h->logp, dentropy ? h->entropy : NULL);
        }
        chunk_backward(h, items + i, k, dlogp + i, dentropy ? dentropy + i : NULL, dh,
                       grads);
    }
}

void head_backward(struct head *h, const float *hidden, const struct head_item *items,
                   size_t n, const float *dlogp, const float *dentropy, float *dh,
                   float *grads)
{
    backward(h, hidden, items, n, 0, dlogp, dentropy, dh, grads);
}

void head_backward_held(struct head *h, const float *hidden,
                        const struct head_item *items, size_t n, const float *dlogp,
                        const float *dentropy, float *dh, float *grads)
{
    backward(h, hidden, items, n, h->rows, dlogp, dentropy, dh, grads);
}

void head_logits(struct head *h, const float *hidden, size_t row0, size_t rows,
                 float *z)
{
    logits(h, z, hidden + row0 * h->m->arch.C, rows);
}
