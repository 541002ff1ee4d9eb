/*
 * What the sub-layers of a block are made of: parameters, products, how a sub-layer is
 * entered and left, stores; and the sub-layers.  Private to block.c, self.c, cross.c, mlp.c.
 */
#ifndef CAGSR_MODEL_BLOCK_PARTS_H
#define CAGSR_MODEL_BLOCK_PARTS_H

#include "kern/ordered.h"
#include "model/block.h"
#include "nn/rmsnorm.h"

/* A parameter, and its gradient; NULL for MODEL_NONE, or without grads. */
const float *block_param(const struct model *m, size_t at);
float *block_grad(float *grads, size_t at);

/* How the model's RMS norms are computed. */
struct rmsnorm block_rms(const struct model *m);

/* Layer l's keys and values; the lengths (H, cap) of captured layer `at`, or NULL. */
struct attn_store block_store_at(const struct model *m, const struct block_store *s,
                                 size_t l);
float *block_norms_at(const struct model *m, const struct block_store *s, size_t at);

/* What a tap of nn/attention.h is told: the block and its layer. */
struct block_tap {
    const struct block *b;
    size_t l;
};

/* Adds the probabilities p (S) of head h of query i of run r to its captured row, if it has
 * one: the first `pre` keys are those of `before`, the others of `own` (NULL: none). */
void block_capture(const struct block_tap *t, size_t r, size_t i, size_t h,
                   const float *p, size_t S, const struct block_store *before,
                   size_t pre, const struct block_store *own);

/* What is captured of this kind of attention in layer l; NULL: nothing. */
const struct capture_spec *block_captured(const struct block *b, size_t l,
                                          enum capture_kind kind);

/* y (B, N) = x (B, K) W^T + bias, and the adapter's part, by whichever product. */
void block_product(const struct block *b, float *y, size_t N, const float *x, size_t K,
                   size_t W, const struct gemm_weight *packed, size_t bias);

/* 1 if a product with W is all that there is: no bias, no adapter. */
int block_is_bare(const struct model *m, size_t W, size_t bias);

/* y (B, N) = x W^T of x in order, by whichever product; W is bare. */
void block_ordered_product(const struct block *b, float *y, size_t N,
                           const struct ordered *x, size_t W,
                           const struct gemm_weight *packed);

/* dx (B, K) = dy (B, N) W, overwritten;  dW = w->beta dW + dy^T x;  db and the adapter's
 * are added to. */
void block_product_backward(const struct block *b, const struct block_back *w,
                            float *dx, const float *dy, size_t N, const float *x,
                            size_t K, size_t W, size_t bias, float *grads);

/* What a sub-layer reads of x: its norm (r, mean as block_norm's), or x itself. */
const float *block_enter(const struct block *b, float *r, float *mean, const float *x,
                         size_t w, size_t bias);

/* The same for products alone, which want it in order: h out, in b->h; r as above.  On the way forward by
 * rows, on the way back by panels.  1; or 0 and nothing was done: block_enter() always can. */
enum block_way { BLOCK_FORWARD, BLOCK_BACK };
int block_enter_in_order(const struct block *b, struct ordered *h,
                         enum block_way on_way, float *r, const float *x, size_t w);

/* Floats of B rows of a matrix in order; 0 where nobody reads it so. */
size_t block_ordered_floats(const struct model *m, size_t B, size_t width);

/* dx += the gradient of x, from w->dh, that of what block_enter made of it. */
void block_enter_backward(const struct block *b, const struct block_back *w, float *dx,
                          const float *x, size_t norm, size_t bias, float *grads);

/* out = x + what a sub-layer made, normed where there is a norm `post` after, alone or
 * as the sum, which `made` holds then; else `made` is out. */
void block_leave(const struct block *b, float *out, float *made, const float *x,
                 size_t post, size_t bias);

/* The gradient of what a sub-layer made, from that of its sum with x, dx, which becomes
 * x's own share. */
const float *block_leave_backward(const struct block *b, const struct block_back *w,
                                  float *dx, const float *made, size_t post,
                                  size_t bias, float *grads);

/* ---- self.c ------------------------------------------------------------------------ */

/* mid = x + W_O attention(rope(W_QKV norm1(x))). */
void self_forward(const struct block *b, size_t l, const struct block_acts *a);

/* w->datt, the gradient of attention's result, from dx, that of mid. */
void self_out_backward(const struct block *b, const struct block_back *w, size_t l,
                       const struct block_acts *a, float *dx, float *grads);

/* dx: what goes through attention, from w->datt, is added to x's own share. */
void self_backward(const struct block *b, const struct block_back *w, size_t l,
                   const struct block_acts *a, float *dx, float *grads);

/* ---- cross.c ----------------------------------------------------------------------- */

/* xmid = mid + W_XO attention(W_XQ norm(mid), keys and values of the encoder's output),
 * rows of a->mid in, of a->xmid out. */
void cross_forward(const struct block *b, size_t l, const struct block_acts *a);

/* Keys and values of layer l, from b->source, to kv (E, 2 G D) and into the stores. */
void cross_keys(const struct block *b, size_t l, float *kv);

/* dx: of xmid on entry, of mid on return; w->dsource takes the encoder's share. */
void cross_backward(const struct block *b, const struct block_back *w, size_t l,
                    const struct block_acts *a, float *dx, float *grads);

/* ---- mlp.c ------------------------------------------------------------------------- */

/* out = mid + W_down act(W_up norm2(mid)), rows of a->mid or a->xmid in (a->x where both
 * halves read the same). */
void mlp_forward(const struct block *b, size_t l, const struct block_acts *a);

/* dx: of out on entry; on return what goes through the MLP is added. */
void mlp_backward(const struct block *b, const struct block_back *w, size_t l,
                  const struct block_acts *a, float *dx, float *grads);

#endif
