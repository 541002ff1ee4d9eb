/*
 * What the files of the head share: head.c, where gradients come from logits; and head_kept.c, where
 * products have a unit for bfloat16 and operands go to it in order (kern/ordered.h).
 */
#ifndef CAGSR_MODEL_HEAD_PRIVATE_H
#define CAGSR_MODEL_HEAD_PRIVATE_H

#include "base/arena.h"
#include "model/head.h"
#include "nn/xent_kept.h"

/* What only HEAD_TRAIN has is NULL in HEAD_SCORE, and so is what only one of the two ways has. */
struct head {
    struct model *m;
    enum head_mode mode;
    int keeps;   /* 1: the way of head_kept.c */
    size_t rows; /* of a chunk */
    size_t part; /* logits of a row that are there at once */
    struct arena arena;
    float *z;     /* (rows, part) */
    float *dz;    /* (rows, V) their gradients: z, but apart where logits are capped */
    float *x, *d; /* (rows, C) hidden rows of the chunk; their gradients */
    int32_t *target;
    float *temperature, *logp, *entropy, *lse;
    struct xent_sums *sums;

    struct ordered
        in_order; /* x: by rows for logits, by panels for the gradient of the weight */
    uint16_t *e;  /* (rows, V) what is kept of logits, a part behind the other */
    float *peak;  /* (parts, rows) */
};

/* z (n, cols): the products with rows from..from+cols-1 of the head become logits. */
void head_finish_part(const struct model *m, float *z, size_t n, size_t from,
                      size_t cols);

/* 1 if HEAD_TRAIN of m goes by parts of the vocabulary and keeps bfloat16 of them. */
int head_keeps(const struct model *m);

/* The memory of that way, z and what follows `sums`. */
void head_kept_carve(struct head *h, struct arena *a);

/* The chunk's n rows of x, in order. */
void head_kept_order(struct head *h, size_t n);

/* Logits from..from+cols-1 of the chunk into the sums; what the way back needs is kept. */
void head_kept_add(struct head *h, size_t n, size_t from, size_t cols);

/* From what is kept the gradients of the chunk's rows, d; adds to those of the weight, unless
 * dW (V, C) is NULL. */
void head_kept_backward(struct head *h, size_t n, const float *dlogp,
                        const float *dentropy, float *dW);

#endif
