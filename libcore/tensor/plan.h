/*
 * The plan of a model's parameters: each written down once, with its name in the
 * checkpoint, its shape, and its place in one block of float32.
 *
 * The same table drives loading, saving, gradients (a block of the same layout, with
 * the same names), the optimizer's moments and the model's hash.  A tied matrix is in
 * it once, under the name of the input embedding.
 *
 *     q = plan_add(p, D * H, C, 0, "model.layers.0.self_attn.q_proj.weight", NULL);
 *     k = plan_add(p, D * G, C, PLAN_JOINED, "...k_proj.weight", NULL);
 *
 * Matrices lie in memory as (outputs, inputs), whatever the checkpoint does.  Every
 * parameter begins on a cache line; a joined one follows the one before without a gap,
 * so that q, k and v are also one matrix of their rows together.  Gaps are zero in
 * every block and stay so: an optimizer may walk the block from end to end.
 */
#ifndef CAGSR_TENSOR_PLAN_H
#define CAGSR_TENSOR_PLAN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum plan_flag {
    PLAN_JOINED = 1,     /* no gap before it */
    PLAN_TRANSPOSED = 2, /* the checkpoint has (inputs, outputs): gpt2's Conv1D */
    PLAN_VECTOR = 4,     /* one dimension in the checkpoint; rows is 1 */
    PLAN_QK = 8,         /* in llama's GGUF files the rows of each head are permuted */
    PLAN_BY_HEAD = 16,   /* the checkpoint has each head's q, k and v together: rows
                            (H, 3, D), in memory (3, H, D): gpt_neox */
    PLAN_PLUS_ONE = 32,  /* GGUF files have it with 1 added: gains of gemma */
    PLAN_FROZEN = 64,    /* not trained, and zeros where the checkpoint has none */
};

struct plan_param {
    char *name;        /* in a Hugging Face checkpoint */
    char *gguf;        /* in a GGUF file; NULL if it has none */
    size_t rows, cols; /* in memory */
    size_t offset;     /* of its first float in the block */
    unsigned flags;
};

/* A zeroed struct is an empty plan. */
struct plan {
    struct plan_param *param; /* in memory order */
    size_t n, cap;
    size_t size; /* floats of the block, a multiple of 16 */
    size_t head; /* D, for PLAN_BY_HEAD: set before such a parameter is used */
    int failed;  /* an errcode of plan_add, told by plan_done */
};

/* Appends a parameter (names are copied; gguf may be NULL) and returns its offset.
 * Failures are kept for plan_done, so that a walk needs one check at its end. */
size_t plan_add(struct plan *p, size_t rows, size_t cols, unsigned flags,
                const char *name, const char *gguf);

/* Ends the walk: ERR_NOMEM, or ERR_FILE if the sizes do not fit into memory at all. */
int plan_done(struct plan *p, const char *where, struct err *e) MUST_CHECK;

/* A zeroed plan is fine. */
void plan_release(struct plan *p);

/* The parameter of that name, or NULL. */
const struct plan_param *plan_find(const struct plan *p, const char *name);

/* Parameters without gaps: the sum of rows * cols. */
size_t plan_count(const struct plan *p);

/* XXH3-64 of all parameters of a block, as float32, in plan order, without the gaps.
 * ERR_NOMEM. */
int plan_hash(const struct plan *p, const float *block, uint64_t *out,
              struct err *e) MUST_CHECK;

/* 1 if the checkpoint has the parameter's numbers in another order than memory: then
 * plan_import turns theirs (src) into ours (dst), plan_export ours into theirs.  src and
 * dst hold all of the parameter and may not overlap. */
int plan_reordered(const struct plan_param *q);
void plan_import(const struct plan *p, const struct plan_param *q, float *dst,
                 const float *src);
void plan_export(const struct plan *p, const struct plan_param *q, float *dst,
                 const float *src);

/* dst (cols, rows) = src (rows, cols) transposed, both contiguous.  Cannot fail. */
void plan_transpose(float *dst, const float *src, size_t rows, size_t cols);

#endif
