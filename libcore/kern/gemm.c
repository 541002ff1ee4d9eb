#include "kern/gemm.h"

#include "kern/few.h"
#include "kern/impl.h"
#include "kern/narrow.h"
#include "kern/pack.h"
#include "tensor/dims.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* ---- batch-invariant ------------------------------------------------------------- */

/* Words in pairs are for the unit, if there is one; else they are widened. */
static size_t pairs_width(const struct kern *k)
{
    return k->unit ? (size_t)BF16_WIDTH : pack_width(k->isa);
}

static size_t pairs_words(const struct kern *k, size_t K)
{
    return k->unit ? bf16_pairs(K) * BF16_WIDTH : narrow_words(k->isa, K);
}

static size_t width_of(const struct kern *k, const struct gemm_weight *w)
{
    return w->pairs ? pairs_width(k) : pack_width(k->isa);
}

size_t gemm_pack_bytes(const struct kern *k, size_t N, size_t K, enum kern_dtype type)
{
    if (k->backend == KERN_OPENBLAS)
        return 0;
    if (type == KERN_BF16)
        return round_up(
            ceil_div(N, pairs_width(k)) * pairs_words(k, K) * sizeof(uint32_t), 64);
    return round_up(pack_floats(k->isa, N, K) * sizeof(float), 64);
}

struct pack_job {
    const struct kern *k;
    const struct gemm_weight *w;
    const float *W;
    size_t ldw, first, N; /* the first panel; rows of W */
};

static void pack_one(void *arg, size_t j, size_t worker)
{
    const struct pack_job *p = arg;
    const struct gemm_weight *w = p->w;
    const enum isa isa = p->k->isa;
    const size_t width = width_of(p->k, w), at = p->first + j;
    const size_t wide = least(width, p->N - j * width);
    const float *W = p->W + j * width * p->ldw;

    (void)worker;
    if (!w->pairs)
        pack_from_rows(isa, w->panels + at * width * w->K, W, p->ldw, wide, w->K);
    else if (p->k->unit)
        bf16_panels_from_rows(isa, w->pairs + at * pairs_words(p->k, w->K), W, p->ldw,
                              wide, w->K);
    else
        narrow_from_rows(isa, w->pairs + at * pairs_words(p->k, w->K), W, p->ldw, wide,
                         w->K);
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

void gemm_pack_rows(const struct gemm_weight *w, const struct kern *k, const float *W,
                    size_t ldw, size_t n0, size_t n)
{
    const size_t width = width_of(k, w);
    struct pack_job p = {k, w, W, ldw, n0 / width, n};

    for (size_t j = 0; j < ceil_div(n, width); j++)
        pack_one(&p, j, 0);
}

int gemm_pack(struct gemm_weight *w, struct kern *k, void *mem, const float *W,
              size_t ldw, size_t N, size_t K, enum kern_dtype type, struct err *e)
{
    *w = (struct gemm_weight){0};
    if (k->backend == KERN_OPENBLAS)
        return blas_pack(w, k, W, ldw, N, K, e);
    gemm_pack_begin(w, mem, N, K, type);
    struct pack_job p = {k, w, W, ldw, 0, N};
    par_for(k->par, ceil_div(N, width_of(k, w)), pack_one, &p);
    return 0;
}

struct gemm_weight gemm_slice(const struct gemm_weight *w, const struct kern *k,
                              size_t n0, size_t n)
{
    struct gemm_weight part = *w;

    part.N = n;
    if (w->W)
        part.W += n0 * w->ld;
    else if (w->pairs)
        part.pairs += n0 / pairs_width(k) * pairs_words(k, w->K);
    else
        part.panels += n0 * w->K;
    return part;
}

static void unpack_row(const struct gemm_weight *w, const struct kern *k, float *row,
                       size_t n)
{
    const size_t width = width_of(k, w);
    const size_t side = k->unit ? (size_t)BF16_BAND : width; /* columns side by side */

    if (w->W)
        memcpy(row, w->W + n * w->ld, w->K * sizeof *row);
    else if (w->pairs)
        narrow_row(row, w->pairs + n / side * (pairs_words(k, w->K) * side / width),
                   side, n % side, w->K);
    else
        pack_row(k->isa, row, w->panels, n, w->K);
}

void gemm_unpack(const struct gemm_weight *w, const struct kern *k, float *out,
                 size_t ldo, size_t n0, size_t n)
{
    for (size_t i = 0; i < n; i++)
        unpack_row(w, k, out + i * ldo, n0 + i);
}

void gemm_weight_release(struct gemm_weight *w)
{
    *w = (struct gemm_weight){0};
}

/* Portions as they are handed out: large shares first, for what lies one behind the other in memory
 * comes faster, and then small ones, with which threads end together. */
struct shares {
    size_t all, large, nlarge, small;
};

enum { SMALL_PER_THREAD = 32, LARGE = 4, LARGE_PART = 4 /* all but a fourth */ };
enum {
    PORTION =
        32 /* columns of a portion of narrow panels, which are read side by side */
};

static struct shares share_of(size_t all, size_t threads)
{
    struct shares s = {.all = all, .small = ceil_div(all, SMALL_PER_THREAD * threads)};

    s.large = LARGE * s.small;
    s.nlarge = (all - all / LARGE_PART) / s.large;
    return s;
}

static size_t share_count(const struct shares *s)
{
    return s->nlarge + ceil_div(s->all - s->nlarge * s->large, s->small);
}

/* The first portion of share i; of the one behind the last: all. */
static size_t share_from(const struct shares *s, size_t i)
{
    if (i <= s->nlarge)
        return i * s->large;
    return least(s->nlarge * s->large + (i - s->nlarge) * s->small, s->all);
}

struct rows_job {
    const struct kern *k;
    float *y;
    const struct gemm_pieces *to; /* pairs, instead of y */
    const float *x;
    const uint32_t *left; /* x for the unit */
    size_t ldy, ldx, M;
    const struct gemm_weight *w;
    size_t portion; /* columns */
    struct shares of;
    atomic_size_t *next; /* the first share that nobody has taken */
};

/* Panel j to c; then comes panel `then`, if there is one. */
static void rows_panel(const struct rows_job *r, float *c, size_t ldc, size_t j,
                       size_t then)
{
    const struct gemm_weight *w = r->w;
    const enum isa isa = r->k->isa;
    const size_t width = pack_width(isa), wide = least(width, w->N - j * width);

    if (w->pairs)
        narrow_multiply(isa, c, ldc, r->x, r->ldx,
                        w->pairs + j * narrow_words(isa, w->K), r->M, wide, w->K);
    else
        pack_multiply(
            isa, &(struct pack_product){.c = c,
                                        .a = pack_left_rows(r->x, r->ldx),
                                        .panels = w->panels + j * width * w->K,
                                        .then = then * width < w->N
                                                    ? w->panels + then * width * w->K
                                                    : NULL,
                                        .ldc = ldc,
                                        .M = r->M,
                                        .N = wide,
                                        .K = w->K,
                                        .depth = pack_depth(w->K)});
}

/* Columns from..to-1; and the first of those that come then, which are asked for at the end. */
struct columns {
    size_t from, to, then;
};

/* They may begin and end within a panel: bands lie one behind the other, from panel to panel
 * too. */
static void rows_unit(const struct rows_job *r, float *c, size_t ldc, struct columns n)
{
    const struct gemm_weight *w = r->w;

    assert(n.from % r->k->unit->columns == 0);
    r->k->unit->multiply(&(struct bf16_product){
        .c = c,
        .a = r->left,
        .b = w->pairs + n.from * bf16_pairs(w->K),
        .then = n.then < w->N ? w->pairs + n.then * bf16_pairs(w->K) : NULL,
        .ldc = ldc,
        .tile = bf16_tile_words(w->K),
        .step = pairs_words(r->k, w->K),
        .M = r->M,
        .N = n.to - n.from,
        .K = w->K});
}

static void rows_streams(const struct rows_job *r, float *c, size_t ldc, size_t from,
                         size_t to)
{
    const struct gemm_weight *w = r->w;
    const size_t width = pack_width(r->k->isa), n = from * width;

    few_multiply(r->k->isa, c, ldc, r->x, r->ldx, w->panels + n * w->K, r->M,
                 least(to * width, w->N) - n, w->K);
}

/* Whole portions of w's columns, to c. */
static void rows_columns(const struct rows_job *r, float *c, size_t ldc,
                         struct columns n)
{
    const size_t width = pack_width(r->k->isa);

    if (r->left)
        rows_unit(r, c, ldc, n);
    else if (!r->w->pairs && few_rows(r->k->isa, r->M))
        rows_streams(r, c, ldc, n.from / width, ceil_div(n.to, width));
    else
        for (size_t i = n.from; i < n.to; i += width)
            rows_panel(r, c + (i - n.from), ldc, i / width,
                       (i + width < n.to ? i + width : n.then) / width);
}

static void rows_share(const struct rows_job *r, size_t i, size_t then, size_t worker)
{
    const size_t from = share_from(&r->of, i) * r->portion;
    const size_t to = least(share_from(&r->of, i + 1) * r->portion, r->w->N);

    (void)worker;
    rows_columns(r, r->y + from, r->ldy, (struct columns){from, to, then});
}

/* Of panels that halves consist of, pieces by way of memory of this thread. */
static void pairs_share(const struct rows_job *r, size_t i, size_t then, size_t worker)
{
    const size_t half = r->w->N / 2;
    const size_t end = least(share_from(&r->of, i + 1) * r->portion, half);
    const size_t most = PIECE_FLOATS / (2 * r->M * r->portion) * r->portion;
    float *piece = r->k->pieces + worker * PIECE_FLOATS;

    for (size_t n = share_from(&r->of, i) * r->portion; n < end; n += most) {
        const size_t cols = least(most, end - n);

        rows_columns(r, piece, 2 * cols, (struct columns){n, n + cols, half + n});
        rows_columns(r, piece + cols, 2 * cols,
                     (struct columns){half + n, half + n + cols,
                                      n + cols < end ? n + cols : then});
        r->to->take(r->to->ctx,
                    &(struct gemm_piece){piece, 2 * cols, cols, 0, r->M, n, cols});
    }
}

/* Share i first, and then whatever nobody has taken: which is known before the share in front of it
 * is computed, so that it can be asked for. */
static void shares_task(void *arg, size_t i, size_t worker)
{
    const struct rows_job *r = arg;
    const size_t count = share_count(&r->of);

    for (size_t next; i < count; i = next) {
        next = atomic_fetch_add(r->next, 1);
        (r->to ? pairs_share : rows_share)(
            r, i, next < count ? share_from(&r->of, next) * r->portion : SIZE_MAX,
            worker);
    }
}

/* Columns of a portion: of a unit what it reads at once, for nine panels are not shared out evenly;
 * but pieces are whole panels. */
static size_t portion_of(const struct kern *k, const struct rows_job *r)
{
    const size_t width = width_of(k, r->w);

    return r->left && !r->to ? k->unit->columns : round_up(PORTION, width);
}

static void rows_few(struct kern *k, struct rows_job *r)
{
    r->portion = portion_of(k, r);
    r->of = share_of(ceil_div(r->to ? r->w->N / 2 : r->w->N, r->portion),
                     par_threads(k->par));
    const size_t tasks = least(share_count(&r->of), par_threads(k->par));
    atomic_size_t next = tasks;

    r->next = &next;
    kern_share(k, r->M * r->w->N * r->w->K, tasks, shares_task, r);
}

/* Does a product with w round the other operand too? */
static int rounds(const struct kern *k, const struct gemm_weight *w)
{
    return k->both && w->pairs;
}

/* Rows of x in the scratch, rounded: for the unit some depth of a tile, as words, */
enum { ROUND_DEEP = 9 * BF16_STEP, ROUNDING = 4 /* as so many multiplications */ };

static void round_tile(void *arg, size_t i, size_t worker)
{
    const struct rows_job *r = arg;
    const size_t K = r->w->K, parts = ceil_div(K, ROUND_DEEP);
    const size_t m = i / parts * BF16_HEIGHT, d = i % parts * ROUND_DEEP;
    uint32_t *left = (void *)r->k->scratch;

    (void)worker;
    bf16_left_from_rows(r->k->orders, left + m * bf16_pairs(K) + d / 2 * BF16_HEIGHT,
                        bf16_tile_words(K), r->x + m * r->ldx + d, r->ldx,
                        least(BF16_HEIGHT, r->M - m), least(ROUND_DEEP, K - d));
}

/* or as float32. */
static void round_row(void *arg, size_t row, size_t worker)
{
    const struct rows_job *r = arg;
    const size_t K = r->w->K;

    (void)worker;
    bf16_round(r->k->isa, r->k->scratch + row * K, r->x + row * r->ldx, K);
}

static void round_left(struct kern *k, struct rows_job *r)
{
    const size_t K = r->w->K, floats = r->M * K;

    if (k->unit) {
        kern_share(k, ROUNDING * floats,
                   ceil_div(r->M, BF16_HEIGHT) * ceil_div(K, ROUND_DEEP), round_tile,
                   r);
        r->left = (const void *)k->scratch;
    } else {
        kern_share(k, ROUNDING * floats, r->M, round_row, r);
        r->x = k->scratch;
        r->ldx = K;
    }
}

static void zero_rows(float *y, size_t ldy, size_t M, size_t N)
{
    for (size_t m = 0; m < M; m++)
        memset(y + m * ldy, 0, N * sizeof *y);
}

/* Rows of which a panel's pass through the caches is cheaper than copying them; and which,
 * rounded, fit the scratch. */
enum { FEW_ROWS = 128 };

static int is_few(const struct kern *k, const struct rows_job *r)
{
    return r->M <= FEW_ROWS &&
           (!rounds(k, r->w) || r->left ||
            round_up(r->M, BF16_HEIGHT) * round_up(r->w->K, BF16_STEP) <=
                k->scratch_floats);
}

/* The same of many rows. */
static struct product many(struct kern *k, const struct rows_job *r)
{
    const struct gemm_weight *w = r->w;
    const unsigned how = PACKED_B | (rounds(k, w) ? ROUNDED : 0) | (r->to ? PAIRS : 0);

    return (struct product){.k = k,
                            .how = how,
                            .a = r->x,
                            .b = w->panels,
                            .c = r->y,
                            .lda = r->ldx,
                            .ldc = r->ldy,
                            .rows = r->M,
                            .cols = w->N,
                            .depth = w->K,
                            .pairs = w->pairs,
                            .to = r->to,
                            .left = r->left};
}

static void rows(struct kern *k, struct rows_job *r)
{
    if (is_few(k, r)) {
        if (rounds(k, r->w) && !r->left)
            round_left(k, r);
        rows_few(k, r);
    } else {
        const struct product p = many(k, r);

        product_multiply(&p);
    }
}

void gemm_rows(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
               size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {
        .k = k, .y = y, .x = x, .ldy = ldy, .ldx = ldx, .M = M, .w = w};

    if (M == 0 || w->N == 0)
        return;
    if (w->K == 0)
        zero_rows(y, ldy, M, w->N);
    else if (k->backend == KERN_OPENBLAS)
        blas_rows(k, y, ldy, x, ldx, M, w);
    else
        rows(k, &r);
}

void gemm_rows_left(struct kern *k, float *y, size_t ldy, const uint32_t *left,
                    size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {.k = k, .y = y, .left = left, .ldy = ldy, .M = M, .w = w};

    if (M > 0 && w->N > 0 && w->K > 0)
        rows(k, &r);
}

static int rows_pairs(struct kern *k, struct rows_job *r)
{
    const struct gemm_weight *w = r->w;

    if (r->M == 0 || w->N == 0 || w->K == 0 || k->backend == KERN_OPENBLAS ||
        w->N / 2 % width_of(k, w) != 0 || w->N % 2 != 0)
        return 0;
    if (!is_few(k, r)) {
        const struct product p = many(k, r);

        if (!product_pieces(&p))
            return 0;
    }
    rows(k, r);
    return 1;
}

int gemm_rows_pairs(struct kern *k, const struct gemm_pieces *to, const float *x,
                    size_t ldx, size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {.k = k, .to = to, .x = x, .ldx = ldx, .M = M, .w = w};

    return rows_pairs(k, &r);
}

int gemm_rows_pairs_left(struct kern *k, const struct gemm_pieces *to,
                         const uint32_t *left, size_t M, const struct gemm_weight *w)
{
    struct rows_job r = {.k = k, .to = to, .left = left, .M = M, .w = w};

    return rows_pairs(k, &r);
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

static void multiply(struct product p)
{
    if (p.rows == 0 || p.cols == 0)
        return;
    p.how |= p.k->both ? ROUNDED : 0;
    if (p.depth == 0)
        scale(&p);
    else if (p.k->backend == KERN_OPENBLAS)
        blas_multiply(&p);
    else
        product_multiply(&p);
}

int gemm_hand_on(struct product p)
{
    if (p.rows == 0 || p.cols == 0 || p.depth == 0 || p.k->backend == KERN_OPENBLAS)
        return 0;
    p.how |= p.k->both ? ROUNDED : 0;
    if (!product_pieces(&p))
        return 0;
    product_multiply(&p);
    return 1;
}

void gemm_nt(struct kern *k, float *y, size_t ldy, const float *x, size_t ldx,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    multiply((struct product){k, TRANS_B, x, W, y, ldx, ldw, ldy, M, N, K, beta});
}

int gemm_nt_pairs(struct kern *k, const struct gemm_pieces *to, const float *x,
                  size_t ldx, const float *W, size_t ldw, size_t M, size_t N, size_t K)
{
    return N % 2 == 0 && gemm_hand_on((struct product){.k = k,
                                                       .how = TRANS_B | PAIRS,
                                                       .a = x,
                                                       .b = W,
                                                       .lda = ldx,
                                                       .ldb = ldw,
                                                       .rows = M,
                                                       .cols = N,
                                                       .depth = K,
                                                       .to = to});
}

void gemm_nn(struct kern *k, float *dx, size_t lddx, const float *dy, size_t lddy,
             const float *W, size_t ldw, size_t M, size_t N, size_t K, float beta)
{
    multiply((struct product){k, 0, dy, W, dx, lddy, ldw, lddx, M, K, N, beta});
}

int gemm_nn_pieces(struct kern *k, const struct gemm_pieces *to, const float *dy,
                   size_t lddy, const float *W, size_t ldw, size_t M, size_t N,
                   size_t K)
{
    return gemm_hand_on((struct product){.k = k,
                                         .a = dy,
                                         .b = W,
                                         .lda = lddy,
                                         .ldb = ldw,
                                         .rows = M,
                                         .cols = K,
                                         .depth = N,
                                         .to = to});
}

void gemm_tn(struct kern *k, float *dW, size_t lddw, const float *dy, size_t lddy,
             const float *x, size_t ldx, size_t M, size_t N, size_t K, float beta)
{
    multiply(
        (struct product){k, TRANS_A | PAST, dy, x, dW, lddy, ldx, lddw, N, K, M, beta});
}
