/*
 * Attention over packed keys and values, forward and backward.
 *
 *     s_j = scale q . k_j + bias,   p = softmax(s) over the keys seen,
 *     out = sum_j p_j v_j
 * and with a cap, softmax of cap tanh(s / cap) (nn/softcap.h).
 *
 * One kernel serves training, scoring and generation: what differs is only where keys
 * and values are kept.  A `struct attn_store` holds those of a run of positions, for
 * the G key/value heads of one layer, in the layout that the kernel wants; a query sees
 * up to two of them one after the other, a shared prefix (its prompt) and its own.
 * H / G query heads share one key/value head.
 *
 * The work for one (row, head) adds in one fixed order that depends on that row's keys
 * only: not on other rows, not on the number of threads.  A row's bits are therefore
 * the same alone, in any batch, and decoded step by step.
 */
#ifndef CAGSR_NN_ATTENTION_H
#define CAGSR_NN_ATTENTION_H

#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

/* What head h adds to the score of query i and key j, by how far they lie apart:
 * by_distance[h][S + j - i] (nn/relative.h).  S is above every position. */
struct attn_bias {
    float *by_distance; /* (H, 2 S) */
    uint16_t *bucket;   /* (2 S) of each distance; below n */
    size_t S, n;
};

struct attn_shape {
    size_t H, G, D;
    float scale;
    size_t window; /* key j is seen from position i if i - window < j <= i; 0: all */
    float cap;     /* 0: none */
    const struct attn_bias *bias; /* NULL: none */
};

/* How keys and values are kept: as they are; rounded to bfloat16; and so in half the memory. */
enum attn_keep {
    ATTN_EXACT,
    ATTN_ROUNDED,
    ATTN_HALVES, /* for even D, and not for attn_backward, unless attn_by_unit() */
};

/* Keys and values of up to `cap` positions.  Private layout: for each head g, keys in
 * panels of 16 positions, (cap/16, D, 16); values in panels of 16 columns, (D/16, cap, 16),
 * D rounded up.  With ATTN_HALVES two numbers share a float's place, the first in its lower
 * half: of a key d and d + 1, of values positions j and j + 1.
 */
struct attn_store {
    float *k, *v;
    size_t cap; /* a multiple of 16 */
    enum attn_keep keep;
};

/* Floats of a store's k, and of its v, for n positions. */
size_t attn_store_cap(size_t n); /* n rounded up */
size_t attn_store_k(const struct attn_shape *s, size_t n, enum attn_keep keep);
size_t attn_store_v(const struct attn_shape *s, size_t n, enum attn_keep keep);

/* Writes positions at..at+n-1 from rows of k and v, each (n, G D), ldkv apart, as the store
 * keeps them.  Cannot fail.  What stands behind position n of a store must be finite: begin
 * with zeros. */
void attn_store_put(const struct attn_shape *s, const struct attn_store *st, size_t at,
                    const float *k, const float *v, size_t ldkv, size_t n);

/* n consecutive queries of one sequence.  Position i of the sequence is prefix position
 * i for i < pre, and own position i - pre behind.
 *
 * A query sees the positions up to its own; or, with `all`, the positions 0..all-1
 * wherever it stands: an encoder's rows (pre 0, all n), or a decoder's rows that look at
 * an encoder's (all pre: nothing is their own). */
struct attn_run {
    const float *q; /* (n, H D), ldq apart */
    float *out;     /* (n, H D), ldout apart */
    float *lse;     /* (n, H) out, for backward; or NULL */
    size_t n;
    size_t at;                /* position of the first query */
    struct attn_store prefix; /* all its `pre` positions may be seen */
    size_t pre;               /* 0: no prefix */
    struct attn_store own;    /* its positions 0..at+n-1-pre (all-1-pre) are filled */
    size_t all;               /* 0: causal; no window otherwise */
    const float *k,
        *v; /* (G D) of a single query, n 1: attn_forward puts them into `own`, which is no
               other run's prefix, at its position first, by who looks at them next; NULL: they
               are there */
};

/*
 * What happens to probabilities on the way: called for each query row `i` of run `r`
 * and each head h, in ascending order of h for one row, all heads of a row by the same
 * thread.  p holds the S = position + 1, or `all`, probabilities of the row (prefix
 * first); keys outside the window are 0.  Borrowed for the call.
 */
struct attn_tap {
    void (*fn)(void *ctx, size_t r, size_t i, size_t h, const float *p, size_t S);
    void *ctx;
};

/* Scratch floats that attn_forward and attn_backward need for queries that see at most
 * S keys; with a bias, S is above every position as well. */
size_t attn_scratch(const struct kern *k, const struct attn_shape *s, size_t S);

/* All runs, whose stores are all kept alike; the work is shared out over k's threads.  tap may be NULL.
 * With stores that are not ATTN_EXACT what they are multiplied with is rounded, too: queries, and
 * exp(s_j - the largest) where it weighs v_j.  lse and the tap's p are of exponentials that are not.
 * Where attn_by_unit(), products with ATTN_HALVES are the unit's (struct bf16_few). */
void attn_forward(struct kern *k, const struct attn_shape *s,
                  const struct attn_run *runs, size_t n, size_t ldq, size_t ldout,
                  const struct attn_tap *tap, float *scratch);

/* Rows of keys and of values, (n, G D), as they were computed. */
struct attn_kv {
    const float *k, *v;
};

/*
 * The gradient.  Runs as in forward (q, out, lse hold what forward left), each with
 *   dout (n, H D)    ldout apart
 *   dq   (n, H D)    ldq apart, overwritten
 *   dk, dv           gradients of own's keys and values: (pre + ..., see below)
 * Probabilities are computed again from lse; nothing of the size (T, T) is kept.
 *
 * With stores that are ATTN_ROUNDED all operands of its five products are rounded to bfloat16, as
 * torch's are under autocast: q, k, v and dout, probabilities where they are summed to dv, gradients
 * of scores where they are summed to dq and dk.  Scores, exponentials and sums are float32.
 */
struct attn_grad {
    struct attn_kv own, prefix; /* rows ldkv apart, of attn_by_unit */
    const float *dout;
    float *dq;
    float *dk, *dv; /* (n, G D), ldkv apart, overwritten: of the run's own positions,
                         which must all be in it (at == pre); NULL if it has none */
    float
        *dpre; /* (2, pre, G D) out: of the prefix, keys then values; NULL: pre is 0 */
    float *dbias; /* (H, bias->n) out: of the bias, by bucket; NULL without one */
};

/* 1 if a unit (kern/bf16.h) makes the products, those of the way back and, with stores that are
 * ATTN_HALVES, forward.  On the way back stores are not looked at then, and need not
 * be filled: keys and values are taken from their rows.  But for the order in which a unit sums the
 * gradients are those of stores that are ATTN_ROUNDED. */
int attn_by_unit(const struct kern *k, const struct attn_shape *s);

/* All runs; the work is shared out over k's threads, each run with each key/value head by one of
 * them. */
void attn_backward(struct kern *k, const struct attn_shape *s,
                   const struct attn_run *runs, const struct attn_grad *grads, size_t n,
                   size_t ldq, size_t ldout, size_t ldkv, float *scratch);

#endif
