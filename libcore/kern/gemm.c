#include "kern/gemm.h"

#include "kern/impl.h"
#include "kern/narrow.h"
#include "kern/pack.h"
#include "tensor/dims.h"

#include <string.h>

/* ---- batch-invariant ------------------------------------------------------------- */

static size_t panels(enum isa isa, size_t N)
{
    return (N + pack_width(isa) - 1) / pack_width(isa);
}

size_t gemm_pack_bytes(const struct kern *k, size_t N, size_t K, enum kern_dtype type)
{
    if (k->backend == KERN_OPENBLAS)
        return 0;
    if (type == KERN_BF16)
        return round_up(panels(k->isa, N) * narrow_words(k->isa, K) * sizeof(uint32_t),
                        64);
    return round_up(pack_floats(k->isa, N, K) * sizeof(float), 64);
}

static size_t panel_wide(enum isa isa, size_t j, size_t N)
{
    const size_t width = pack_width(isa);

    return N - j * width < width ? N - j * width : width;
}

static uint32_t *pairs_of(enum isa isa, const struct gemm_weight *w, size_t panel)
{
    return w->pairs + panel * narrow_words(isa, w->K);
}

struct pack_job {
    enum isa isa;
    const struct gemm_weight *w;
    const float *W;
    size_t ldw, first, N; /* the first panel; rows of W */
};

static void pack_one(void *arg, size_t j, size_t worker)
{
    const struct pack_job *p = arg;
    const struct gemm_weight *w = p->w;
    const size_t width = pack_width(p->isa), wide = panel_wide(p->isa, j, p->N);
    const float *W = p->W + j * width * p->ldw;

    (void)worker;
    if (w->pairs)
        narrow_from_rows(p->isa, pairs_of(p->isa, w, p->first + j), W, p->ldw, wide,
                         w->K);
    else
        pack_from_rows(p->isa, w->panels + (p->first + j) * width * w->K, W, p->ldw,
                       wide, w->K);
}

void gemm_pack_begin(struct gemm_weight *w, void *mem, size_t N, size_t K,
                     enum kern_dtype type)
{
    *w = (struct gemm_weight){.N = N, .K = K};
    if (type == KERN_BF16)
        w->pairs = mem;
    else
        w->panels = mem;
}

void gemm_pack_rows(const struct gemm_weight *w, struct kern *k, const float *W,
                    size_t ldw, size_t n0, size_t n)
{
    struct pack_job p = {k->isa, w, W, ldw, n0 / pack_width(k->isa), n};

    par_for(k->par, panels(k->isa, n), pack_one, &p);
}

int gemm_pack(struct gemm_weight *w, struct kern *k, void *mem, const float *W,
              size_t ldw, size_t N, size_t K, enum kern_dtype type, struct err *e)
{
    *w = (struct gemm_weight){0};
    if (k->backend == KERN_OPENBLAS)
        return blas_pack(w, k, W, ldw, N, K, e);
    gemm_pack_begin(w, mem, N, K, type);
    gemm_pack_rows(w, k, W, ldw, 0, N);
    return 0;
}

static void unpack_row(const struct gemm_weight *w, enum isa isa, float *row, size_t n)
{
    const size_t width = pack_width(isa);

    if (w->W)
        memcpy(row, w->W + n * w->ld, w->K * sizeof *row);
    else if (w->pairs)
        narrow_row(isa, row, pairs_of(isa, w, n / width), n % width, w->K);
    else
        pack_row(isa, row, w->panels, n, w->K);
}

void gemm_unpack(const struct gemm_weight *w, const struct kern *k, float *out,
                 size_t ldo, size_t n0, size_t n)
{
    for (size_t i = 0; i < n; i++)
        unpack_row(w, k->isa, out + i * ldo, n0 + i);
}

void gemm_weight_release(struct gemm_weight *w)
{
    *w = (struct gemm_weight){0};
}

struct rows_job {
    enum isa isa;
    float *y;
    const float *x;
    size_t ldy, ldx, M;
    const struct gemm_weight *w;
    size_t run; /* panels of a task, one behind the other in memory */
};

static void rows_panel(const struct rows_job *r, size_t j)
{
    const struct gemm_weight *w = r->w;
    const size_t width = pack_width(r->isa), wide = panel_wide(r->isa, j, w->N);
    float *y = r->y + j * width;

    if (w->pairs)
        narrow_multiply(r->isa, y, r->ldy, r->x, r->ldx, pairs_of(r->isa, w, j), r->M,
                        wide, w->K);
    else
        pack_multiply(r->isa, y, r->ldy, pack_left_rows(r->x, r->ldx),
                      w->panels + j * width * w->K, w->K * width, r->M, wide, w->K, 0);
}

static void rows_task(void *arg, size_t i, size_t worker)
{
    const struct rows_job *r = arg;
    const size_t end = panels(r->isa, r->w->N);

    (void)worker;
    for (size_t j = i * r->run; j < end && j < (i + 1) * r->run; j++)
        rows_panel(r, j);
}

/* Several panels a task: while one is computed with, the next is asked for (kern/pack.c). */
enum { TASKS_PER_THREAD = 8 };

static void rows_few(struct kern *k, struct rows_job *r)
{
    const size_t n = panels(k->isa, r->w->N);
    const size_t tasks = TASKS_PER_THREAD * par_threads(k->par);

    r->run = (n + tasks - 1) / tasks;
    kern_share(k, r->M * r->w->N * r->w->K, (n + r->run - 1) / r->run, rows_task, r);
}

static void zero_rows(float *y, size_t ldy, size_t M, size_t N)
{
    for (size_t m = 0; m < M; m++)
        memset(y + m * ldy, 0, N * sizeof *y);
}

/* Rows of which a panel's pass through the caches is cheaper than copying them. */
enum { FEW_ROWS = 48 };

void gemm_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {k->isa, y, x, ldy, ldx, M, w};

    if (M == 0 || w->N == 0)
        return;
    if (w->K == 0)
        zero_rows(y, ldy, M, w->N);
    else if (k->backend == KERN_OPENBLAS)
        blas_rows(k, y, ldy, x, ldx, M, w);
    else if (M <= FEW_ROWS)
        rows_few(k, &r);
    else
        product_multiply(&(struct product){k, PACKED_B, x, w->panels, y, ldx, 0, ldy, M,
                                           w->N, w->K, 0, w->pairs});
}

/* ---- free order ------------------------------------------------------------------ */

static void scale(const struct product *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->cols; c++) {
            float *y = p->c + r * p->ldc + c;

            *y = p->beta == 0 ? 0 : *y * p->beta;
        }
}

static void multiply(const struct product *p)
{
    if (p->rows == 0 || p->cols == 0)
        return;
    if (p->depth == 0)
        scale(p);
    else if (p->k->backend == KERN_OPENBLAS)
        blas_multiply(p);
    else
        product_multiply(p);
}

void gemm_nt(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    multiply(&(struct product){k, TRANS_B, x, W, y, ldx, ldw, ldy, M, N, K, beta});
}

void gemm_nn(struct kern *k, float *dx, size_t lddx, const float *dy, size_t lddy,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    multiply(&(struct product){k, 0, dy, W, dx, lddy, ldw, lddx, M, K, N, beta});
}

void gemm_tn(struct kern *k, float *dW, size_t lddw, const float *dy, size_t lddy,
             const float *x, size_t ldx, size_t M, size_t N, size_t K, float beta)
{
    multiply(&(struct product){k, TRANS_A, dy, x, dW, lddy, ldx, lddw, N, K, M, beta});
}
