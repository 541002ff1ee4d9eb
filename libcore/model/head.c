#include "model/head.h"

#include "kern/gemm.h"
#include "model/head_private.h"
#include "model/private.h"
#include "nn/linear.h"
#include "nn/softcap.h"
#include "tensor/dims.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* HEAD_SCORE: what stays in the caches from the product to the sums over it.  Parts are blocks
 * of the sums. */
enum { SCORE_ROWS = 512, PART = XENT_BLOCK };

size_t head_rows(const struct model *m, size_t rows)
{
    const size_t small = ((size_t)8 << 20) / m->arch.V;
    const size_t fit = small > m->arch.C ? small : m->arch.C;
    const size_t some = fit < 16 ? 16 : fit > 512 ? 512 : fit;

    return greatest(some, rows / 4 * 3);
}

static void carve(struct head *h, struct arena *a)
{
    const struct arch *c = &h->m->arch;
    const int train = h->mode == HEAD_TRAIN;
    const size_t n = h->rows, f = sizeof(float);

    if (h->keeps)
        head_kept_carve(h, a);
    else
        h->z = arena_take(a, n * h->part, f);
    h->dz = train && c->logit_cap > 0 ? arena_take(a, n * c->V, f) : h->z;
    h->x = arena_take(a, n * c->C, f);
    h->d = train ? arena_take(a, n * c->C, f) : NULL;
    h->target = arena_take(a, n, sizeof *h->target);
    h->temperature = arena_take(a, n, f);
    h->logp = train ? arena_take(a, n, f) : NULL;
    h->entropy = train ? arena_take(a, n, f) : NULL;
    h->lse = arena_take(a, n, f);
    h->sums = arena_take(a, n, sizeof *h->sums);
}

/* Without memory yet. */
static struct head head_of(const struct model *m, enum head_mode mode, size_t rows)
{
    const int train = mode == HEAD_TRAIN, keeps = train && head_keeps(m);

    return (struct head){.m = (struct model *)m,
                         .mode = mode,
                         .keeps = keeps,
                         .rows = train ? head_rows(m, rows) : SCORE_ROWS,
                         .part = train && !keeps ? m->arch.V : least(PART, m->arch.V)};
}

int head_new(struct head **out, struct model *m, enum head_mode mode, size_t rows,
             struct err *e)
{
    struct head *h = calloc(1, sizeof *h);

    *out = NULL;
    if (!h)
        return err_set(e, ERR_NOMEM, "no memory for the head");
    *h = head_of(m, mode, rows);
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

size_t head_bytes(const struct model *m, enum head_mode mode, size_t rows)
{
    struct head h = head_of(m, mode, rows);
    struct arena a = {0};

    carve(&h, &a);
    return a.used;
}

/* z (n, cols) *= the model's scale, as it was made from a hidden state that was not scaled. */
static void scale(const struct model *m, float *z, size_t n, size_t cols)
{
    if (m->arch.out_scale != 1)
        scale_forward(m->kern, z, z, m->arch.out_scale, n, cols);
}

void head_finish_part(const struct model *m, float *z, size_t n, size_t from,
                      size_t cols)
{
    scale(m, z, n, cols);
    if (m->head_b != MODEL_NONE)
        add_rows(m->kern, z, cols, m->params + m->head_b + from, 0, n, cols);
    if (m->arch.logit_cap > 0)
        softcap_forward(m->kern, z, n, cols, m->arch.logit_cap);
}

void head_finish(const struct model *m, float *z, size_t n)
{
    head_finish_part(m, z, n, 0, m->arch.V);
}

/* z (n, cols): the logits from..from+cols-1 of n hidden rows. */
static void logits(struct head *h, float *z, const float *x, size_t n, size_t from,
                   size_t cols)
{
    const struct model *m = h->m;
    const size_t C = m->arch.C;

    if (model_is_packed(m)) {
        const struct gemm_weight part =
            gemm_slice(&m->packed_head, m->kern, from, cols);

        gemm_rows(m->kern, z, cols, x, C, n, &part);
    } else {
        gemm_nt(m->kern, z, cols, x, C, m->params + m->head + from * C, C, n, cols, C,
                0);
    }
    head_finish_part(m, z, n, from, cols);
}

/* Hidden rows of n items side by side in x. */
static void gather(struct head *h, const float *hidden, const struct head_item *items,
                   size_t n)
{
    const size_t C = h->m->arch.C;

    for (size_t i = 0; i < n; i++) {
        memcpy(h->x + i * C, hidden + items[i].row * C, C * sizeof *hidden);
        h->target[i] = items[i].target;
        h->temperature[i] = items[i].temperature;
    }
    if (h->keeps)
        head_kept_order(h, n);
}

/* Logits from..from+cols-1 of n items into the sums. */
static void add_part(struct head *h, size_t n, size_t from, size_t cols)
{
    if (h->keeps) {
        head_kept_add(h, n, from, cols);
        return;
    }
    logits(h, h->z, h->x, n, from, cols);
    xent_add(h->m->kern, h->sums, h->z, h->target, h->temperature, n, from, cols);
}

/* Of n items: all in h->z at once, or part by part. */
static void chunk_forward(struct head *h, const float *hidden,
                          const struct head_item *items, size_t n, float *logp,
                          float *entropy)
{
    const size_t V = h->m->arch.V;

    gather(h, hidden, items, n);
    xent_begin(h->sums, n);
    for (size_t at = 0; at < V; at += h->part)
        add_part(h, n, at, least(h->part, V - at));
    xent_end(h->sums, logp, entropy, h->lse, h->temperature, n);
    if (entropy && h->entropy && entropy != h->entropy)
        memcpy(h->entropy, entropy, n * sizeof *entropy);
}

void head_forward(struct head *h, const float *hidden, const struct head_item *items,
                  size_t n, float *logp, float *entropy)
{
    /* The first chunk comes last: its logits are there when the way back begins. */
    for (size_t i = 0, end = n; end > 0; end = i) {
        i = (end - 1) / h->rows * h->rows;
        chunk_forward(h, hidden, items + i, end - i, logp + i,
                      entropy ? entropy + i : NULL);
    }
}

/* From the chunk's logits their gradients; then those of rows and weight, unless dW is NULL. */
static void logits_backward(struct head *h, size_t n, const float *dlogp,
                            const float *dentropy, float *dW)
{
    const struct arch *c = &h->m->arch;
    struct kern *k = h->m->kern;

    xent_backward(k, h->dz, h->z, h->target, h->temperature, h->lse, h->entropy, dlogp,
                  dentropy, n, c->V);
    if (c->logit_cap > 0)
        softcap_backward(k, h->dz, h->z, n, c->V, c->logit_cap);
    scale(h->m, h->dz, n, c->V);
    gemm_nn(k, h->d, c->C, h->dz, c->V, h->m->params + h->m->head, c->C, n, c->V, c->C,
            0);
    if (dW)
        gemm_tn(k, dW, c->C, h->dz, c->V, h->x, c->C, n, c->V, c->C, 1);
}

static void chunk_backward(struct head *h, const struct head_item *items, size_t n,
                           const float *dlogp, const float *dentropy, float *dh,
                           float *grads)
{
    const size_t C = h->m->arch.C;
    float *dW = grads && !h->m->adapter ? grads + h->m->head : NULL;

    (h->keeps ? head_kept_backward : logits_backward)(h, n, dlogp, dentropy, dW);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < C; j++)
            dh[items[i].row * C + j] += h->d[i * C + j];
}

/* Logits of the first `held` items are there. */
static void backward(struct head *h, const float *hidden, const struct head_item *items,
                     size_t n, size_t held, const float *dlogp, const float *dentropy,
                     float *dh, float *grads)
{
    assert(h->mode == HEAD_TRAIN && !model_is_packed(h->m));
    for (size_t i = 0; i < n; i += h->rows) {
        const size_t k = least(n - i, h->rows);

        if (i >= held)
            chunk_forward(h, hidden, items + i, k, h->logp,
                          dentropy ? h->entropy : NULL);
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
    logits(h, z, hidden + row0 * h->m->arch.C, rows, 0, h->m->arch.V);
}
