#include "kern/kern.h"

#include "kern/impl.h"
#include "tensor/dims.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Rows are shared out in ranges of at most about so many floats, the same for each thread; fewer than
 * ALONE_FLOATS are the caller's alone, who would wait for others as long. */
enum { RANGE_FLOATS = 16384, ALONE_FLOATS = 16384 };

/* The sums of all ranges take so many floats of the scratch, at most: kern/kern.h. */
enum { SUMS_FLOATS = KERN_SUMS * KERN_SUMS_MOST };

const char *const kern_dtype_names[] = {"f32", "bf16", NULL};

static int unknown_isa(const char *name, struct err *e)
{
    char known[128];
    int n = 0;

    for (int i = 0; i < ISA_COUNT; i++)
        n += snprintf(known + n, sizeof known - (size_t)n, "%s%s", i ? ", " : "",
                      isa_name((enum isa)i));
    return err_set(e, ERR_USAGE, "CAGSR_ISA is '%s': none of %s", name, known);
}

/* The set that is asked for, here or by who runs the program; else the best. */
static int choose_isa(enum isa *out, const struct kern_opts *o, struct err *e)
{
    const char *name = getenv("CAGSR_ISA");

    *out = o->isa;
    if (*out == ISA_AUTO && name && *name && isa_parse(out, name) < 0)
        return unknown_isa(name, e);
    if (!isa_has(*out))
        return err_set(e, ERR_USAGE, "this processor has no %s", isa_name(*out));
    if (*out == ISA_AUTO)
        *out = o->dtype == KERN_BF16 ? isa_best_bf16() : isa_best();
    return 0;
}

static int check(enum isa *isa, const struct kern_opts *o, struct err *e)
{
    if (o->backend == KERN_OPENBLAS && o->dtype != KERN_F32)
        return err_set(e, ERR_USAGE, "OpenBLAS has no products with bf16 weights");
    return choose_isa(isa, o, e);
}

/* Without an instruction set that our kernels are written for, OpenBLAS has one. */
static enum kern_backend choose(const struct kern *k, enum kern_backend asked)
{
    if (asked != KERN_AUTO)
        return asked;
    return k->isa == ISA_PLAIN && k->dtype == KERN_F32 ? KERN_OPENBLAS : KERN_PACK;
}

/* Panels are written row by row, a piece of each: in small pages that is a page each. */
enum { HUGE_PAGE = 2 << 20 };

int kern_scratch(struct kern *k, size_t n, struct err *e)
{
    const size_t align = n * sizeof(float) < HUGE_PAGE ? 64 : HUGE_PAGE;
    const size_t bytes = round_up(n * sizeof(float), align);

    if (n <= k->scratch_floats)
        return 0;
    free(k->scratch);
    k->scratch_floats = 0;
    k->scratch = aligned_alloc(align, bytes);
    if (!k->scratch)
        return err_set(e, ERR_NOMEM, "no memory for the kernels' %zu bytes",
                       n * sizeof(float));
    if (align == HUGE_PAGE)
        madvise(k->scratch, bytes, MADV_HUGEPAGE); /* advice: no error without it */
    k->scratch_floats = n;
    return 0;
}

static void name(struct kern *k)
{
    char blas[KERN_NAME / 2];

    if (k->backend == KERN_OPENBLAS) {
        blas_name(k, blas, sizeof blas);
        snprintf(k->name, sizeof k->name, "f32 %s %s", blas, isa_name(k->isa));
        return;
    }
    snprintf(k->name, sizeof k->name, "%s%s pack/%s", kern_dtype_names[k->dtype],
             k->both && !k->unit ? " both" : "",
             k->unit ? k->unit->name : isa_name(k->isa));
}

static void choose_bf16(struct kern *k, enum isa isa, const struct kern_opts *o)
{
    if (k->dtype != KERN_BF16)
        return;
    k->unit = o->unit ? o->unit : bf16_unit_of(isa);
    k->both = k->unit || o->round == KERN_ROUND_BOTH;
}

static int prepare(struct kern *k, struct err *e)
{
    int rc = 0;

    if (k->unit && (rc = bf16_check(k->unit, e)) < 0)
        return rc;
    if (k->backend != KERN_PACK)
        return (rc = kern_scratch(k, SUMS_FLOATS, e)) < 0 ? rc : blas_init(k, e);
    k->pieces = aligned_alloc(64, par_threads(k->par) * PIECE_FLOATS * sizeof(float));
    if (!k->pieces)
        return err_set(e, ERR_NOMEM, "no memory for the kernels' pieces");
    return kern_scratch(k, greatest(product_scratch(k), SUMS_FLOATS), e);
}

int kern_new(struct kern **out, struct par *par, const struct kern_opts *opts,
             struct err *e)
{
    const struct kern_opts none = {0}, *o = opts ? opts : &none;
    enum isa isa;
    int rc = check(&isa, o, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    struct kern *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(e, ERR_NOMEM, "no memory for the kernels' state");
    k->par = par;
    k->isa = isa_vectors(isa);
    k->orders = isa >= ISA_AVX512_BF16 ? isa : k->isa;
    k->dtype = o->dtype;
    k->backend = choose(k, o->backend);
    choose_bf16(k, isa, o);
    if ((rc = prepare(k, e)) < 0) {
        kern_free(k);
        return rc;
    }
    name(k);
    *out = k;
    return 0;
}

void kern_free(struct kern *k)
{
    if (!k)
        return;
    blas_unload(&k->blas);
    free(k->pieces);
    free(k->scratch);
    free(k);
}

struct par *kern_par(const struct kern *k)
{
    return k->par;
}

enum isa kern_isa(const struct kern *k)
{
    return k->isa;
}

enum kern_backend kern_backend(const struct kern *k)
{
    return k->backend;
}

enum kern_dtype kern_dtype(const struct kern *k)
{
    return k->dtype;
}

int kern_rounds_both(const struct kern *k)
{
    return k->both;
}

const struct bf16_unit *kern_unit(const struct kern *k)
{
    return k->unit;
}

enum isa kern_orders(const struct kern *k)
{
    return k->orders;
}

const char *kern_name(const struct kern *k)
{
    return k->name;
}

struct ranges {
    void (*fn)(void *, size_t, size_t);
    void *ctx;
    size_t n, step;
};

static void one_range(void *arg, size_t i, size_t worker)
{
    const struct ranges *r = arg;
    const size_t from = i * r->step;
    const size_t to = from + r->step < r->n ? from + r->step : r->n;

    (void)worker;
    r->fn(r->ctx, from, to);
}

static void share(const struct kern *k, struct ranges r)
{
    if (r.n > r.step)
        par_for(k->par, ceil_div(r.n, r.step), one_range, &r);
    else if (r.n > 0)
        r.fn(r.ctx, 0, r.n);
}

/* Rows of a range, of n that are `work` floats each. */
static size_t items(const struct kern *k, size_t n, size_t work)
{
    const size_t all = n * work, threads = par_threads(k->par);

    if (all < ALONE_FLOATS)
        return n;
    return ceil_div(n, round_up(ceil_div(all, RANGE_FLOATS), threads));
}

void kern_rows(const struct kern *k, size_t n, size_t work,
               void (*fn)(void *ctx, size_t from, size_t to), void *ctx)
{
    share(k, (struct ranges){fn, ctx, n, items(k, n, work)});
}

void kern_columns(const struct kern *k, size_t n, size_t work,
                  void (*fn)(void *ctx, size_t from, size_t to), void *ctx)
{
    share(k, (struct ranges){fn, ctx, n, round_up(items(k, n, work), 16)});
}

struct summing {
    void (*fn)(void *, size_t, size_t, float *);
    void *ctx;
    size_t rows, step;
    float *sum; /* (ranges, width); NULL: no sums */
    size_t width;
};

static void sum_range(void *arg, size_t i, size_t worker)
{
    const struct summing *s = arg;
    const size_t from = i * s->step;
    float *sum = s->sum ? s->sum + i * s->width : NULL;

    (void)worker;
    if (sum)
        memset(sum, 0, s->width * sizeof *sum);
    s->fn(s->ctx, from, least(from + s->step, s->rows), sum);
}

/* to (n) += sum (n), which are those of the first range once the others are added to them. */
static void sum_up(float *to, float *sum, const struct summing *s, size_t n)
{
    const size_t ranges = ceil_div(s->rows, s->step);

    for (size_t r = 1; r < ranges; r++)
        for (size_t i = 0; i < n; i++)
            sum[i] += sum[r * s->width + i];
    for (size_t i = 0; i < n; i++)
        to[i] += sum[i];
}

void kern_rows_sums(const struct kern *k, size_t rows, size_t work,
                    void (*fn)(void *ctx, size_t from, size_t to, float *sum),
                    void *ctx, const struct kern_sums *sums)
{
    struct summing s = {fn, ctx, rows, .width = KERN_SUMS * sums->n};
    const size_t fit = SUMS_FLOATS / greatest(s.width, 1);
    int wanted = 0;

    if (rows == 0)
        return;
    for (size_t i = 0; i < KERN_SUMS; i++)
        wanted |= sums->to[i] != NULL;
    if (wanted)
        s.sum = k->scratch;
    assert(work > 0 && sums->n <= KERN_SUMS_MOST);
    s.step = ceil_div(rows, least(ceil_div(rows * work, RANGE_FLOATS), fit));
    par_for(rows * work < ALONE_FLOATS ? NULL : k->par, ceil_div(rows, s.step),
            sum_range, &s);
    for (size_t i = 0; i < KERN_SUMS; i++)
        if (sums->to[i])
            sum_up(sums->to[i], s.sum + i * sums->n, &s, sums->n);
}

/* Below this many multiplications, waking the others takes longer than the work. */
enum { ALONE = 1 << 15 };

void kern_share(const struct kern *k, size_t multiplications, size_t n,
                void (*fn)(void *ctx, size_t i, size_t worker), void *ctx)
{
    par_for(multiplications < ALONE ? NULL : k->par, n, fn, ctx);
}
