#include "kern/impl.h"
#include "tensor/dims.h"

#include <stdio.h>
#include <string.h>

/*
 * OpenBLAS gets one thread per call; our own threads share out fixed panels, so that no
 * result depends on how many there are.
 *
 * A build on OpenMP (openblas_get_parallel() == 2) keeps the count per calling thread,
 * and a thread of ours that never set it would be given all processors: there it is set
 * before every call, which costs nothing beside a product.
 */
static void one_thread(const struct kern *k)
{
    if (k->blas_openmp)
        k->blas.set_num_threads(1);
}

int blas_init(struct kern *k, struct err *e)
{
    const int rc = blas_load(&k->blas, blas_file, e);

    if (rc < 0)
        return rc;
    k->blas.set_num_threads(1);
    k->blas_openmp = k->blas.get_parallel() == 2;
    return 0;
}

void blas_name(const struct kern *k, char *name, size_t size)
{
    char version[24] = "unknown";

    sscanf(k->blas.get_config(), "OpenBLAS %23s", version);
    snprintf(name, size, "openblas-%s/%s", version, k->blas.get_corename());
}

/* ---- batch-invariant ------------------------------------------------------------- */

/*
 * OpenBLAS picks its kernel by the shape, and with it the order along K; so every call
 * has the same shape but for N and K: 8 rows, the missing ones zero, and the same panels
 * of columns.  (Measured on five kernels of 0.3.21: at 8 rows a row's bits do not depend
 * on its place or neighbours; at 16 they do on Haswell and Zen.)
 */
enum { TILE = 8, PANEL = 512 };

/* The scratch holds a padded tile of x, then one of y for each thread. */
int blas_pack(struct gemm_weight *w, struct kern *k, const float *W, size_t ldw,
              size_t N, size_t K, struct err *e)
{
    const int rc = kern_scratch(k, TILE * K + par_threads(k->par) * TILE * PANEL, e);

    if (rc < 0)
        return rc;
    *w = (struct gemm_weight){.N = N, .K = K, .W = W, .ld = ldw};
    return 0;
}

struct rows_job {
    struct kern *k;
    float *y;
    const float *x;
    size_t ldy, ldx, M;
    const struct gemm_weight *w;
};

static void multiply_tile(const struct rows_job *r, float *y, size_t ldy,
                          const float *x, size_t ldx, size_t n0, size_t n)
{
    const struct gemm_weight *w = r->w;

    r->k->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, TILE, (blasint)n,
                     (blasint)w->K, 1, x, (blasint)ldx, w->W + n0 * w->ld,
                     (blasint)w->ld, 0, y, (blasint)ldy);
}

/* One panel of columns, all tiles of rows; the last, partial one by way of the scratch. */
static void rows_panel(void *arg, size_t j, size_t worker)
{
    const struct rows_job *r = arg;
    const size_t n0 = j * PANEL, whole = r->M - r->M % TILE;
    const size_t n = r->w->N - n0 < PANEL ? r->w->N - n0 : PANEL;
    const float *xpad = r->k->scratch;
    float *ypad = r->k->scratch + TILE * r->w->K + worker * TILE * PANEL;

    one_thread(r->k);
    for (size_t m = 0; m < whole; m += TILE)
        multiply_tile(r, r->y + m * r->ldy + n0, r->ldy, r->x + m * r->ldx, r->ldx, n0,
                      n);
    if (whole == r->M)
        return;
    multiply_tile(r, ypad, n, xpad, r->w->K, n0, n);
    for (size_t m = whole; m < r->M; m++)
        memcpy(r->y + m * r->ldy + n0, ypad + (m - whole) * n, n * sizeof *ypad);
}

static void pad_tile(const struct rows_job *r)
{
    const size_t K = r->w->K, whole = r->M - r->M % TILE;
    float *pad = r->k->scratch;

    memset(pad, 0, TILE * K * sizeof *pad);
    for (size_t m = whole; m < r->M; m++)
        memcpy(pad + (m - whole) * K, r->x + m * r->ldx, K * sizeof *pad);
}

void blas_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {k, y, x, ldy, ldx, M, w};

    if (M % TILE)
        pad_tile(&r);
    kern_share(k, M * w->N * w->K, (w->N + PANEL - 1) / PANEL, rows_panel, &r);
}

/* ---- free order ------------------------------------------------------------------ */

/* The grid of panels, a function of the shape alone. */
struct grid {
    const struct product *p;
    size_t row_step, col_step, row_panels;
};

static void one_panel(void *arg, size_t i, size_t worker)
{
    const struct grid *g = arg;
    const struct product *p = g->p;
    const int ta = p->how & TRANS_A, tb = p->how & TRANS_B;
    const size_t r0 = i % g->row_panels * g->row_step;
    const size_t c0 = i / g->row_panels * g->col_step;
    const size_t r = p->rows - r0 < g->row_step ? p->rows - r0 : g->row_step;
    const size_t c = p->cols - c0 < g->col_step ? p->cols - c0 : g->col_step;

    (void)worker;
    one_thread(p->k);
    p->k->blas.sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                     tb ? CblasTrans : CblasNoTrans, (blasint)r, (blasint)c,
                     (blasint)p->depth, 1, p->a + (ta ? r0 : r0 * p->lda),
                     (blasint)p->lda, p->b + (tb ? c0 * p->ldb : c0), (blasint)p->ldb,
                     p->beta, p->c + r0 * p->ldc + c0, (blasint)p->ldc);
}

/* Panels of at least this many multiplications (half a millisecond or so), at most
 * this many of them, along the longer side. */
enum { PANEL_WORK = 1 << 24, PANELS = 64, PANEL_STEP = 48 };

void blas_multiply(const struct product *p)
{
    const size_t work = p->rows * p->cols * p->depth;
    const size_t wanted = work / PANEL_WORK < PANELS ? work / PANEL_WORK + 1 : PANELS;
    const int by_rows = p->rows > p->cols;
    const size_t side = by_rows ? p->rows : p->cols;
    const size_t step = round_up((side + wanted - 1) / wanted, PANEL_STEP);
    struct grid g = {p, by_rows ? step : p->rows, by_rows ? p->cols : step, 0};

    g.row_panels = (p->rows + g.row_step - 1) / g.row_step;
    kern_share(p->k, work, g.row_panels * ((p->cols + g.col_step - 1) / g.col_step),
               one_panel, &g);
}
