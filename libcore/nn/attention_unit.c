#include "nn/attention_unit.h"

#include "base/arena.h"
#include "kern/bf16.h"
#include "nn/attention_unit_simd.h"
#include "tensor/dims.h"

#include <string.h>

/* Queries of a block, of each head of a group: a step of depth.  Keys of a chunk.  With three
 * heads to a key, of 64 numbers, a chunk of scores is 24 kB and so is one of their gradients. */
enum { BLOCK = BF16_STEP, CHUNK = 64 };
_Static_assert(BLOCK % BF16_HEIGHT == 0 && CHUNK % BLOCK == 0, "whole tiles");

/* What one task works in.  W: D in whole vectors of every kind; Q: rows of a block, the queries
 * of a head, then those of the next; T: keys in whole steps. */
struct room {
    size_t D, W, Q, T;
    uint32_t *k_left, *v_left; /* (T, D) as left operands */
    uint32_t *k_right;         /* (T, D) as panels */
    float *dk, *dv;            /* (T, W) sums */
    /* of a block */
    float *q, *dout, *dq;             /* (Q, W) */
    uint32_t *q_turned, *dout_turned; /* q^T, dout^T as panels */
    uint32_t *q_right, *dout_right;   /* q, dout */
    float *lse, *delta;               /* (Q) */
    int32_t *from, *to;               /* (Q) */
    /* of a chunk */
    float *p, *ds;              /* (CHUNK, Q) */
    uint32_t *p_left, *ds_left; /* (CHUNK, Q) as left operands */
    uint32_t *ds_turned;        /* ds^T */
};

static void *take_left(struct arena *a, size_t rows, size_t deep)
{
    return arena_take(a, round_up(rows, BF16_HEIGHT) / BF16_HEIGHT,
                      bf16_tile_words(deep) * sizeof(uint32_t));
}

static void *take_panels(struct arena *a, size_t columns, size_t deep)
{
    return arena_take(a, round_up(columns, BF16_WIDTH),
                      bf16_pairs(deep) * sizeof(uint32_t));
}

/* For queries that see at most `keys` keys. */
static void carve(struct room *m, struct arena *a, const struct attn_shape *s,
                  size_t keys)
{
    const size_t D = s->D, W = round_up(D, BF16_STRIP), Q = s->H / s->G * BLOCK;
    const size_t T = round_up(keys, CHUNK), f = sizeof(float);

    *m = (struct room){.D = D, .W = W, .Q = Q};
    m->k_left = take_left(a, T, D);
    m->v_left = take_left(a, T, D);
    m->k_right = take_panels(a, D, T);
    m->dk = arena_take(a, T * W, f);
    m->dv = arena_take(a, T * W, f);
    m->q = arena_take(a, Q * W, f);
    m->dout = arena_take(a, Q * W, f);
    m->dq = arena_take(a, Q * W, f);
    m->q_turned = take_panels(a, Q, D);
    m->dout_turned = take_panels(a, Q, D);
    m->q_right = take_panels(a, D, Q);
    m->dout_right = take_panels(a, D, Q);
    m->lse = arena_take(a, Q, f);
    m->delta = arena_take(a, Q, f);
    m->from = arena_take(a, Q, sizeof *m->from);
    m->to = arena_take(a, Q, sizeof *m->to);
    m->p = arena_take(a, CHUNK * Q, f);
    m->ds = arena_take(a, CHUNK * Q, f);
    m->p_left = take_left(a, CHUNK, Q);
    m->ds_left = take_left(a, CHUNK, Q);
    m->ds_turned = take_left(a, Q, CHUNK);
}

size_t attn_unit_bytes(const struct attn_shape *s, size_t keys)
{
    struct arena a = {0};
    struct room m;

    carve(&m, &a, s, keys);
    return a.used;
}

/* ---- a task ------------------------------------------------------------------------ */

/* One run with one key/value head. */
struct task {
    const struct attn_backward_job *j;
    const struct attn_run *r;
    const struct attn_grad *grad;
    size_t g, seen; /* its keys */
    const struct bf16_unit *unit;
    enum isa isa, orders; /* whose loops run, and put operands in order */
    struct room m;
};

/* Keys or values of the head, prefix first, then zeros up to T. */
static void gather(const struct task *t, float *to, const float *prefix,
                   const float *own)
{
    const size_t at = t->g * t->m.D, ld = t->j->ldkv, W = t->m.W, pre = t->r->pre;

    for (size_t i = 0; i < t->seen; i++)
        memcpy(to + i * W, (i < pre ? prefix + i * ld : own + (i - pre) * ld) + at,
               t->m.D * sizeof *to);
    for (size_t i = t->seen; i < t->m.T; i++)
        memset(to + i * W, 0, t->m.D * sizeof *to);
}

/* By way of where the sums will be. */
static void take_keys(const struct task *t)
{
    const struct room *m = &t->m;
    const enum isa o = t->orders;

    gather(t, m->dk, t->grad->prefix.k, t->grad->own.k);
    gather(t, m->dv, t->grad->prefix.v, t->grad->own.v);
    bf16_left_from_rows(o, m->k_left, bf16_tile_words(m->D), m->dk, m->W, m->T, m->D);
    bf16_left_from_rows(o, m->v_left, bf16_tile_words(m->D), m->dv, m->W, m->T, m->D);
    bf16_panels_from_columns(o, m->k_right, m->dk, m->W, m->D,
                             (struct pack_rows){m->T, 0, m->T});
    memset(m->dk, 0, m->T * m->W * sizeof *m->dk);
    memset(m->dv, 0, m->T * m->W * sizeof *m->dv);
}

/* ---- a block of queries -------------------------------------------------------------- */

/* What the query in row i of the run sees. */
static void take_seen(const struct task *t, size_t i, int32_t *from, int32_t *to)
{
    const size_t position = t->r->at + i, window = t->j->s->window;

    *to = (int32_t)(t->r->all ? t->r->all : position + 1);
    *from = (int32_t)(window && position >= window ? position + 1 - window : 0);
}

/* The block's n rows of head h of the group, from row i on, then zeros that see nothing. */
static void take_head(const struct task *t, size_t h, size_t i, size_t n)
{
    const struct attn_backward_job *j = t->j;
    const struct room *m = &t->m;
    const size_t head = t->g * (j->s->H / j->s->G) + h, at = head * m->D, x = h * BLOCK;
    const float *q = t->r->q + i * j->ldq + at;
    const float *dout = t->grad->dout + i * j->ldout + at;

    for (size_t r = 0; r < BLOCK; r++) {
        const size_t y = x + r;

        m->lse[y] = m->delta[y] = 0;
        m->from[y] = m->to[y] = 0;
        if (r < n) {
            memcpy(m->q + y * m->W, q + r * j->ldq, m->D * sizeof *q);
            memcpy(m->dout + y * m->W, dout + r * j->ldout, m->D * sizeof *dout);
            m->lse[y] = t->r->lse[(i + r) * j->s->H + head];
            take_seen(t, i + r, &m->from[y], &m->to[y]);
        } else {
            memset(m->q + y * m->W, 0, m->D * sizeof *q);
            memset(m->dout + y * m->W, 0, m->D * sizeof *dout);
        }
    }
    ISA_CALL(t->isa, attn_chunk_dots,
             (m->delta + x, m->dout + x * m->W, m->W, t->r->out + i * j->ldout + at,
              j->ldout, n, m->D));
}

static void take_block(const struct task *t, size_t i, size_t n)
{
    const struct room *m = &t->m;
    const struct pack_rows deep = {m->Q, 0, m->Q};
    const enum isa o = t->orders;

    for (size_t h = 0; h < m->Q / BLOCK; h++)
        take_head(t, h, i, n);
    bf16_panels_from_rows(o, m->q_turned, m->q, m->W, m->Q, m->D);
    bf16_panels_from_rows(o, m->dout_turned, m->dout, m->W, m->Q, m->D);
    bf16_panels_from_columns(o, m->q_right, m->q, m->W, m->D, deep);
    bf16_panels_from_columns(o, m->dout_right, m->dout, m->W, m->D, deep);
}

static void give_block(const struct task *t, size_t i, size_t n)
{
    const struct attn_backward_job *j = t->j;
    const struct room *m = &t->m;

    for (size_t h = 0; h < m->Q / BLOCK; h++)
        ISA_CALL(t->isa, attn_chunk_give,
                 (t->grad->dq + i * j->ldq + (t->g * (m->Q / BLOCK) + h) * m->D, j->ldq,
                  m->dq + h * BLOCK * m->W, m->W, n, m->D, j->s->scale));
}

/* ---- products of a chunk --------------------------------------------------------------- */

/* c (M, N) = beta c + a b, K deep: of a left operand of that depth and of panels `deep` deep. */
struct factors {
    float *c;
    size_t ldc;
    const uint32_t *a, *b;
    size_t M, N, K, deep;
    float beta;
};

static void multiply(const struct task *t, struct factors f)
{
    t->unit->multiply(&(struct bf16_product){.c = f.c,
                                             .a = f.a,
                                             .b = f.b,
                                             .ldc = f.ldc,
                                             .tile = bf16_tile_words(f.K),
                                             .step = bf16_pairs(f.deep) * BF16_WIDTH,
                                             .M = f.M,
                                             .N = f.N,
                                             .K = f.K,
                                             .beta = f.beta});
}

/* Scores of n keys from key j on, transposed, and what they become. */
static void chunk_weights(const struct task *t, size_t j, size_t n)
{
    const struct room *m = &t->m;
    const size_t left = j / BF16_HEIGHT * bf16_tile_words(m->D);

    multiply(t, (struct factors){m->p, m->Q, m->k_left + left, m->q_turned, n, m->Q,
                                 m->D, m->D, 0});
    multiply(t, (struct factors){m->ds, m->Q, m->v_left + left, m->dout_turned, n, m->Q,
                                 m->D, m->D, 0});
    ISA_CALL(t->isa, attn_chunk_weights,
             (&(struct attn_chunk){m->p, m->ds, m->lse, m->delta, m->from, m->to, j, n,
                                   m->Q, t->j->s->scale, t->j->s->cap}));
}

/* beta: 0 in the first chunk of a block. */
static void chunk(const struct task *t, size_t j, size_t n, float beta)
{
    const struct room *m = &t->m;
    const enum isa o = t->orders;
    const size_t row = j * m->W;

    chunk_weights(t, j, n);
    bf16_left_from_rows(o, m->p_left, bf16_tile_words(m->Q), m->p, m->Q, n, m->Q);
    bf16_left_from_rows(o, m->ds_left, bf16_tile_words(m->Q), m->ds, m->Q, n, m->Q);
    bf16_left_from_columns(o, m->ds_turned, m->ds, m->Q, m->Q,
                           (struct pack_rows){n, 0, n});
    multiply(t, (struct factors){m->dv + row, m->W, m->p_left, m->dout_right, n, m->D,
                                 m->Q, m->Q, 1});
    multiply(t, (struct factors){m->dk + row, m->W, m->ds_left, m->q_right, n, m->D,
                                 m->Q, m->Q, 1});
    multiply(t, (struct factors){m->dq, m->W, m->ds_turned,
                                 m->k_right + bf16_band_words(j), m->Q, m->D, n, m->T,
                                 beta});
}

/* Rows i..i+n-1 of the run, n <= BLOCK, with all keys that one of them sees. */
static void block(const struct task *t, size_t i, size_t n)
{
    int32_t from, to, ignored;

    take_seen(t, i, &from, &ignored);
    take_seen(t, i + n - 1, &ignored, &to);
    const size_t first = (size_t)from / CHUNK * CHUNK;
    const size_t end = round_up((size_t)to, BF16_STEP);

    take_block(t, i, n);
    for (size_t j = first; j < end; j += CHUNK)
        chunk(t, j, least(CHUNK, end - j), j > first ? 1 : 0);
    give_block(t, i, n);
}

/* ---- all -------------------------------------------------------------------------------- */

static void give_keys(const struct task *t)
{
    const struct attn_backward_job *j = t->j;
    const struct room *m = &t->m;
    const struct attn_grad *gr = t->grad;
    const size_t at = t->g * m->D, row = j->s->G * m->D, pre = t->r->pre;

    if (gr->dk) {
        ISA_CALL(t->isa, attn_chunk_give,
                 (gr->dk + at, j->ldkv, m->dk + pre * m->W, m->W, t->r->n, m->D,
                  j->s->scale));
        ISA_CALL(t->isa, attn_chunk_give,
                 (gr->dv + at, j->ldkv, m->dv + pre * m->W, m->W, t->r->n, m->D, 1));
    }
    if (pre) {
        ISA_CALL(t->isa, attn_chunk_give,
                 (gr->dpre + at, row, m->dk, m->W, pre, m->D, j->s->scale));
        ISA_CALL(t->isa, attn_chunk_give,
                 (gr->dpre + pre * row + at, row, m->dv, m->W, pre, m->D, 1));
    }
}

void attn_unit_run(const struct attn_backward_job *b, size_t run, size_t g,
                   float *scratch)
{
    struct arena a = {(char *)scratch, 0, b->per_worker * sizeof *scratch};
    struct task t = {.j = b,
                     .r = &b->runs[run],
                     .grad = &b->grads[run],
                     .g = g,
                     .seen = attn_seen(&b->runs[run]),
                     .unit = kern_unit(b->k),
                     .isa = kern_isa(b->k),
                     .orders = kern_orders(b->k)};

    carve(&t.m, &a, b->s, b->keys);
    t.m.T = round_up(t.seen, BF16_STEP);
    take_keys(&t);
    for (size_t i = 0; i < t.r->n; i += BLOCK)
        block(&t, i, least(BLOCK, t.r->n - i));
    give_keys(&t);
}
