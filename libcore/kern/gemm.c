#include "kern/gemm.h"

#include "kern/impl.h"
#include "kern/pack.h"
#include "tensor/dims.h"

#include <cblas.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * OpenBLAS gets one thread per call; our own threads share out fixed panels, so that no
 * result depends on how many there are.
 *
 * A build on OpenMP (openblas_get_parallel() == 2) keeps the count per calling thread,
 * and a thread of ours that never set it would be given all processors: there it is set
 * before every call, which costs nothing beside a product.
 */
static void blas_one_thread(const struct kern *k)
{
    if (k->blas_openmp)
        openblas_set_num_threads(1);
}

void blas_init(struct kern *k, char *name, size_t size)
{
    const char *config = openblas_get_config(); /* "OpenBLAS 0.3.21 ..." */
    char version[24] = "unknown";

    openblas_set_num_threads(1);
    k->blas_openmp = openblas_get_parallel() == 2;
    sscanf(config, "OpenBLAS %23s", version);
    snprintf(name, size, "openblas-%s/%s", version, openblas_get_corename());
}

/* ---- batch-invariant ------------------------------------------------------------- */

/*
 * KERN_OPENBLAS: OpenBLAS picks its kernel by the shape, and with it the order along K;
 * so every call has the same shape but for N and K: 8 rows, the missing ones zero, and
 * the same panels of columns.  (Measured on five kernels of 0.3.21: at 8 rows a row's
 * bits do not depend on its place or neighbours; at 16 they do on Haswell and Zen.)
 */
enum { TILE = 8, BLAS_PANEL = 512 };

size_t gemm_pack_bytes(const struct kern *k, size_t N, size_t K)
{
    if (k->backend == KERN_OPENBLAS)
        return 0;
    return round_up(pack_floats(k->isa, N, K) * sizeof(float), 64);
}

/* Room for a padded tile of x, and one of y for each thread. */
static int need_scratch(struct kern *k, size_t N, size_t K, struct err *e)
{
    const size_t panel = N < BLAS_PANEL ? N : BLAS_PANEL;
    const size_t floats = TILE * K + par_threads(k->par) * TILE * panel;

    if (floats <= k->scratch_floats)
        return 0;
    float *p = realloc(k->scratch, floats * sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a tile of %zu x %zu", N, K);
    k->scratch = p;
    k->scratch_floats = floats;
    return 0;
}

struct pack_job {
    const struct kern *k;
    float *packed;
    const float *W;
    size_t ldw, N, K;
};

static void pack_one(void *arg, size_t j, size_t worker)
{
    const struct pack_job *p = arg;

    (void)worker;
    pack_panel(p->k->isa, p->packed, j, p->W, p->ldw, p->N, p->K);
}

int gemm_pack(struct gemm_weight *w, struct kern *k, void *mem, const float *W,
              size_t ldw, size_t N, size_t K, struct err *e)
{
    *w = (struct gemm_weight){0};
    if (k->backend == KERN_OPENBLAS) {
        const int rc = need_scratch(k, N, K, e);

        if (rc < 0)
            return rc;
        *w = (struct gemm_weight){.N = N, .K = K, .data = W, .ld = ldw};
        return 0;
    }
    struct pack_job p = {k, mem, W, ldw, N, K};
    const size_t width = pack_width(k->isa);
    par_for(k->par, (N + width - 1) / width, pack_one, &p);
    *w = (struct gemm_weight){.N = N, .K = K, .data = mem};
    return 0;
}

void gemm_weight_release(struct gemm_weight *w)
{
    *w = (struct gemm_weight){0};
}

struct rows_job {
    struct kern *k;
    float *y;
    const float *x;
    size_t ldy, ldx, M;
    const struct gemm_weight *w;
};

static void pack_rows(void *arg, size_t j, size_t worker)
{
    const struct rows_job *r = arg;
    const struct gemm_weight *w = r->w;

    (void)worker;
    pack_multiply(r->k->isa, r->y, r->ldy, r->x, r->ldx, w->data, j, r->M, w->N, w->K);
}

static void tile_multiply(const struct rows_job *r, float *y, size_t ldy,
                          const float *x, size_t ldx, size_t n0, size_t n)
{
    const struct gemm_weight *w = r->w;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, TILE, (blasint)n,
                (blasint)w->K, 1, x, (blasint)ldx, w->data + n0 * w->ld, (blasint)w->ld,
                0, y, (blasint)ldy);
}

/* One panel of columns, all tiles of rows; a last, partial tile goes through the
 * zero-padded copy of x that gemm_rows left at the start of the scratch. */
static void blas_rows(void *arg, size_t j, size_t worker)
{
    const struct rows_job *r = arg;
    const struct gemm_weight *w = r->w;
    const size_t n0 = j * BLAS_PANEL, whole = r->M - r->M % TILE;
    const size_t n = w->N - n0 < BLAS_PANEL ? w->N - n0 : BLAS_PANEL;
    const size_t panel = w->N < BLAS_PANEL ? w->N : BLAS_PANEL;
    float *pad = r->k->scratch + TILE * w->K + worker * TILE * panel;

    blas_one_thread(r->k);
    for (size_t m = 0; m < whole; m += TILE)
        tile_multiply(r, r->y + m * r->ldy + n0, r->ldy, r->x + m * r->ldx, r->ldx, n0,
                      n);
    if (whole == r->M)
        return;
    tile_multiply(r, pad, n, r->k->scratch, w->K, n0, n);
    for (size_t m = whole; m < r->M; m++)
        memcpy(r->y + m * r->ldy + n0, pad + (m - whole) * n, n * sizeof *pad);
}

static void pad_tile(const struct rows_job *r)
{
    const size_t K = r->w->K, whole = r->M - r->M % TILE;
    float *pad = r->k->scratch;

    memset(pad, 0, TILE * K * sizeof *pad);
    for (size_t m = whole; m < r->M; m++)
        memcpy(pad + (m - whole) * K, r->x + m * r->ldx, K * sizeof *pad);
}

/* Below this many multiplications the caller alone is faster than waking the others. */
enum { ALONE = 1 << 15 };

static void share(const struct kern *k, size_t work, size_t n,
                  void (*fn)(void *, size_t, size_t), void *ctx)
{
    par_for(work < ALONE ? NULL : k->par, n, fn, ctx);
}

void gemm_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {k, y, x, ldy, ldx, M, w};
    const size_t work = M * w->N * w->K;

    if (M == 0 || w->N == 0)
        return;
    if (k->backend == KERN_OPENBLAS && w->K > 0) {
        if (M % TILE)
            pad_tile(&r);
        share(k, work, (w->N + BLAS_PANEL - 1) / BLAS_PANEL, blas_rows, &r);
        return;
    }
    if (w->K == 0) {
        for (size_t m = 0; m < M; m++)
            memset(y + m * ldy, 0, w->N * sizeof *y);
        return;
    }
    const size_t width = pack_width(k->isa);
    share(k, work, (w->N + width - 1) / width, pack_rows, &r);
}

/* ---- free order ------------------------------------------------------------------ */

/*
 * c (rows, cols) = beta c + op(a) op(b), summed over `depth`, cut into a fixed grid of
 * panels.  The grid depends on the shape only.
 */
struct product {
    const struct kern *k;
    CBLAS_TRANSPOSE ta, tb;
    const float *a, *b;
    float *c;
    size_t lda, ldb, ldc, rows, cols, depth;
    float beta;
    size_t row_step, col_step, row_panels;
};

static void one_panel(void *arg, size_t i, size_t worker)
{
    const struct product *p = arg;
    const size_t r0 = i % p->row_panels * p->row_step;
    const size_t c0 = i / p->row_panels * p->col_step;
    const size_t r = p->rows - r0 < p->row_step ? p->rows - r0 : p->row_step;
    const size_t c = p->cols - c0 < p->col_step ? p->cols - c0 : p->col_step;

    (void)worker;
    blas_one_thread(p->k);
    cblas_sgemm(CblasRowMajor, p->ta, p->tb, (blasint)r, (blasint)c, (blasint)p->depth,
                1, p->a + (p->ta == CblasNoTrans ? r0 * p->lda : r0), (blasint)p->lda,
                p->b + (p->tb == CblasNoTrans ? c0 : c0 * p->ldb), (blasint)p->ldb,
                p->beta, p->c + r0 * p->ldc + c0, (blasint)p->ldc);
}

/* Panels of at least this many multiplications (half a millisecond or so), at most
 * this many of them, along the longer side. */
enum { PANEL_WORK = 1 << 24, PANELS = 64, PANEL_STEP = 48 };

static void cut(struct product *p)
{
    const size_t work = p->rows * p->cols * p->depth;
    const size_t wanted = work / PANEL_WORK < PANELS ? work / PANEL_WORK + 1 : PANELS;
    const int by_rows = p->rows > p->cols;
    const size_t side = by_rows ? p->rows : p->cols;
    const size_t step = round_up((side + wanted - 1) / wanted, PANEL_STEP);

    p->row_step = by_rows ? step : p->rows;
    p->col_step = by_rows ? p->cols : step;
    p->row_panels = (p->rows + p->row_step - 1) / p->row_step;
}

static void scale_rows(const struct product *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->cols; c++) {
            float *y = p->c + r * p->ldc + c;

            *y = p->beta == 0 ? 0 : *y * p->beta;
        }
}

static void multiply(struct product *p)
{
    if (p->rows == 0 || p->cols == 0)
        return;
    if (p->depth == 0) {
        scale_rows(p);
        return;
    }
    cut(p);
    const size_t col_panels = (p->cols + p->col_step - 1) / p->col_step;
    share(p->k, p->rows * p->cols * p->depth, p->row_panels * col_panels, one_panel, p);
}

void gemm_nt(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    struct product p = {.k = k,
                        .ta = CblasNoTrans,
                        .tb = CblasTrans,
                        .a = x,
                        .b = W,
                        .c = y,
                        .lda = ldx,
                        .ldb = ldw,
                        .ldc = ldy,
                        .rows = M,
                        .cols = N,
                        .depth = K,
                        .beta = beta};

    multiply(&p);
}

void gemm_nn(struct kern *k, float *dx, size_t lddx, const float *dy, size_t lddy,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    struct product p = {.k = k,
                        .ta = CblasNoTrans,
                        .tb = CblasNoTrans,
                        .a = dy,
                        .b = W,
                        .c = dx,
                        .lda = lddy,
                        .ldb = ldw,
                        .ldc = lddx,
                        .rows = M,
                        .cols = K,
                        .depth = N,
                        .beta = beta};

    multiply(&p);
}

void gemm_tn(struct kern *k, float *dW, size_t lddw, const float *dy, size_t lddy,
             const float *x, size_t ldx, size_t M, size_t N, size_t K, float beta)
{
    struct product p = {.k = k,
                        .ta = CblasTrans,
                        .tb = CblasNoTrans,
                        .a = dy,
                        .b = x,
                        .c = dW,
                        .lda = lddy,
                        .ldb = ldx,
                        .ldc = lddw,
                        .rows = N,
                        .cols = K,
                        .depth = M,
                        .beta = beta};

    multiply(&p);
}
