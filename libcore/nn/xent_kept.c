#include "nn/xent_kept.h"

#include "nn/xent_simd.h"
#include "tensor/dims.h"

#include <assert.h>
#include <math.h>

/* ---- forward ------------------------------------------------------------------------- */

static void keep_range(void *ctx, size_t from, size_t to)
{
    const struct xent_job *j = ctx;

    ISA_CALL(kern_isa(j->k), xent_rows_add, (j, from, to));
}

void xent_keep(struct kern *k, struct xent_sums *sums, const struct xent_kept *part,
               const float *z, const int32_t *target, const float *temperature,
               size_t N, size_t from, size_t n)
{
    struct xent_job j = {.k = k,
                         .sums = sums,
                         .e = part->e,
                         .peak = part->peak,
                         .z = z,
                         .target = target,
                         .temperature = temperature,
                         .V = n,
                         .from = from};

    assert(n <= XENT_BLOCK);
    kern_rows(k, N, 4 * n, keep_range, &j);
}

/* ---- backward ------------------------------------------------------------------------ */

/*
 * With a = dlogp / temperature, b = dentropy / temperature and p = e s,
 *     dz = -p (a + b (log p + entropy)) = e (-s (a + b (log s + entropy)) - s b log e):
 * two numbers for each row of a part, struct xent_rate.
 *
 * A block is what one thread makes at a time and puts in order; a task is some of them side by
 * side, so that a row's rate is worth its exponential.
 */
enum { ROWS = ORDERED_ROWS, COLS = ORDERED_COLUMNS, TASK_COLS = 12 * COLS };

struct back {
    const struct kern *k;
    struct xent_to dz;
    const struct xent_loss *l;
    const struct xent_kept *part;
    size_t N, from, n;
    size_t across; /* tasks of a row */
};

/* max(x, -1e4), of which exp is 0 and 0 times it, too; NaN stays NaN. */
static double not_below(double x)
{
    return x < -1e4 ? -1e4 : x;
}

static struct xent_rate rate_of(const struct back *j, size_t r)
{
    const struct xent_loss *l = j->l;
    const double inv = 1 / (double)l->temperature[r];
    const double log_s = not_below((double)j->part->peak[r] * inv - (double)l->lse[r]);
    const double s = exp(log_s) * inv * (double)l->scale;
    const double b = l->dentropy ? (double)l->dentropy[r] : 0;
    const double h = l->dentropy ? (double)l->entropy[r] : 0;

    return (struct xent_rate){.e =
                                  (float)(-s * ((double)l->dlogp[r] + b * (log_s + h))),
                              .e_log_e = (float)(-s * b)};
}

/* Row r's gradient of its target. */
static float of_target(const struct xent_loss *l, size_t r)
{
    const struct xent_sums *s = &l->sums[r];
    const double inv = 1 / (double)l->temperature[r];
    const double logp =
        not_below(((double)s->target - (double)s->max) * inv - log(s->e));
    double d = (double)l->dlogp[r] * -expm1(logp);

    if (l->dentropy)
        d -= (double)l->dentropy[r] * exp(logp) * (logp + (double)l->entropy[r]);
    return (float)(d * inv * (double)l->scale);
}

/* x (rows, cols), rows ld apart: the gradients from row `row` and column `col` of the part on. */
static void one_block(const struct back *j, float *x, size_t ld,
                      const struct xent_rate *rate, size_t row, size_t rows, size_t col,
                      size_t cols)
{
    const uint16_t *e = j->part->e + row * j->n + col;

    ISA_CALL(kern_isa(j->k), xent_kept_block, (x, ld, e, j->n, rate, rows, cols));
    for (size_t r = 0; r < rows; r++) {
        const size_t at = (size_t)j->l->target[row + r] - j->from - col;

        if (at < cols) /* large, if not here */
            x[r * ld + at] = of_target(j->l, row + r);
    }
}

static void some_blocks(const struct back *j, size_t row, size_t col)
{
    const size_t rows = least(ROWS, j->N - row), end = least(col + TASK_COLS, j->n);
    _Alignas(64) float x[ROWS * COLS];
    struct xent_rate rate[ROWS];

    for (size_t r = 0; r < rows; r++)
        rate[r] = rate_of(j, row + r);
    if (j->dz.floats) {
        one_block(j, j->dz.floats + row * j->n + col, j->n, rate, row, rows, col,
                  end - col);
        return;
    }
    for (size_t c = col; c < end; c += COLS) {
        one_block(j, x, COLS, rate, row, rows, c, COLS);
        ordered_put(j->dz.ordered, j->k, x, COLS, row, rows, c, COLS);
    }
}

static void some_tasks(void *ctx, size_t from, size_t to)
{
    const struct back *j = ctx;

    for (size_t i = from; i < to; i++)
        some_blocks(j, i / j->across * ROWS, i % j->across * TASK_COLS);
}

void xent_kept_backward(struct kern *k, struct xent_to dz, const struct xent_loss *l,
                        const struct xent_kept *part, size_t N, size_t from, size_t n)
{
    struct back j = {k, dz, l, part, N, from, n, ceil_div(n, TASK_COLS)};

    assert(dz.floats || n % COLS == 0);
    kern_rows(k, ceil_div(N, ROWS) * j.across, ROWS * TASK_COLS, some_tasks, &j);
}
