#include "tensor/plan.h"

#include "base/hash.h"
#include "tensor/dims.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_FLOATS = 16 }; /* a cache line */

static int grow(struct plan *p)
{
    if (p->n < p->cap)
        return 0;
    const size_t cap = p->cap ? 2 * p->cap : 64;
    struct plan_param *q = realloc(p->param, cap * sizeof *q);

    if (!q)
        return ERR_NOMEM;
    p->param = q;
    p->cap = cap;
    return 0;
}

/* The offset at which it begins; SIZE_MAX if the block would not fit into memory. */
static size_t place(struct plan *p, size_t rows, size_t cols, unsigned flags)
{
    const struct plan_param *last = p->n ? &p->param[p->n - 1] : NULL;
    const size_t at =
        last && flags & PLAN_JOINED ? last->offset + last->rows * last->cols : p->size;
    size_t count, end;

    if (__builtin_mul_overflow(rows, cols, &count) ||
        __builtin_add_overflow(at, count, &end) || end > SIZE_MAX / 64)
        return SIZE_MAX;
    p->size = round_up(end, ALIGN_FLOATS);
    return at;
}

size_t plan_add(struct plan *p, size_t rows, size_t cols, unsigned flags,
                const char *name, const char *gguf)
{
    if (p->failed || (p->failed = grow(p)) < 0)
        return 0;
    const size_t at = place(p, rows, cols, flags);
    char *own = strdup(name), *own_gguf = gguf ? strdup(gguf) : NULL;

    if (at == SIZE_MAX || !own || (gguf && !own_gguf)) {
        p->failed = at == SIZE_MAX ? ERR_FILE : ERR_NOMEM;
        free(own);
        free(own_gguf);
        return 0;
    }
    p->param[p->n++] = (struct plan_param){own, own_gguf, rows, cols, at, flags};
    return at;
}

int plan_done(struct plan *p, const char *where, struct err *e)
{
    if (p->failed == ERR_NOMEM)
        return err_set(e, ERR_NOMEM, "%s: no memory for the names of its tensors",
                       where);
    if (p->failed)
        return err_set(e, ERR_FILE, "%s: the sizes asked for do not fit into memory",
                       where);
    return 0;
}

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->param[i].name);
        free(p->param[i].gguf);
    }
    free(p->param);
    *p = (struct plan){0};
}

const struct plan_param *plan_find(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->param[i].name, name) == 0)
            return &p->param[i];
    return NULL;
}

size_t plan_count(const struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += p->param[i].rows * p->param[i].cols;
    return n;
}

int plan_hash(const struct plan *p, const float *block, uint64_t *out, struct err *e)
{
    struct hasher *h = hasher_new();

    if (!h)
        return err_set(e, ERR_NOMEM, "no memory for a hash");
    for (size_t i = 0; i < p->n; i++)
        hasher_add(h, block + p->param[i].offset,
                   p->param[i].rows * p->param[i].cols * sizeof *block);
    *out = hasher_value(h);
    hasher_free(h);
    return 0;
}

void plan_transpose(float *dst, const float *src, size_t rows, size_t cols)
{
    enum { TILE = 16 };

    for (size_t i0 = 0; i0 < rows; i0 += TILE)
        for (size_t j0 = 0; j0 < cols; j0 += TILE)
            for (size_t i = i0; i < i0 + TILE && i < rows; i++)
                for (size_t j = j0; j < j0 + TILE && j < cols; j++)
                    dst[j * rows + i] = src[i * cols + j];
}

int plan_reordered(const struct plan_param *q)
{
    return (q->flags & (PLAN_TRANSPOSED | PLAN_BY_HEAD)) != 0;
}

/* Runs of `run` floats: run (i, j) of (rows, cols) becomes run (j, i). */
static void turn_runs(float *dst, const float *src, size_t rows, size_t cols,
                      size_t run)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            memcpy(dst + (j * rows + i) * run, src + (i * cols + j) * run,
                   run * sizeof *dst);
}

/* q, k and v of one head are 3 runs of D rows of weights, or of D biases. */
static size_t head_run(const struct plan *p, const struct plan_param *q)
{
    return q->flags & PLAN_VECTOR ? p->head : p->head * q->cols;
}

void plan_import(const struct plan *p, const struct plan_param *q, float *dst,
                 const float *src)
{
    const size_t n = q->rows * q->cols;

    if (q->flags & PLAN_TRANSPOSED)
        plan_transpose(dst, src, q->cols, q->rows);
    else if (q->flags & PLAN_BY_HEAD)
        turn_runs(dst, src, n / head_run(p, q) / 3, 3, head_run(p, q));
    else
        memcpy(dst, src, n * sizeof *dst);
}

void plan_export(const struct plan *p, const struct plan_param *q, float *dst,
                 const float *src)
{
    const size_t n = q->rows * q->cols;

    if (q->flags & PLAN_TRANSPOSED)
        plan_transpose(dst, src, q->rows, q->cols);
    else if (q->flags & PLAN_BY_HEAD)
        turn_runs(dst, src, 3, n / head_run(p, q) / 3, head_run(p, q));
    else
        memcpy(dst, src, n * sizeof *dst);
}
