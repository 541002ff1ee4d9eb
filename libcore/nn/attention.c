#include "nn/attention.h"

#include "nn/attention_simd.h"
#include "tensor/dims.h"

#include <assert.h>

/* Rows that one task takes at most, and how many tasks there should be, or with a tap, when each
 * takes all heads. */
enum { MOST_ROWS = 16, TASKS_PER_THREAD = 4, TAPPED_PER_THREAD = 2 };

/* The rows behind `t` that one task takes, n of which is 0 at the end: of one run, or of several
 * behind the same prefix. */
static struct attn_rows next_rows(const struct attn_forward_job *f, struct attn_rows t)
{
    t.row += t.n;
    while (t.run < f->n && t.row >= f->runs[t.run].n)
        t.row -= f->runs[t.run++].n;
    t.n = 0;
    if (t.run == f->n)
        return t;
    const struct attn_run *first = &f->runs[t.run];
    size_t left = first->n - t.row;

    for (size_t r = t.run; t.n < f->most; left = f->runs[r].n) {
        t.n += least(left, f->most - t.n);
        if (++r == f->n || first->pre == 0 || f->runs[r].pre != first->pre ||
            f->runs[r].prefix.k != first->prefix.k)
            break;
    }
    return t;
}

/* Keys and values that the runs of some rows bring, of key/value head g. */
static void put_own(const struct attn_forward_job *f, struct attn_rows t, size_t g)
{
    for (size_t r = t.run; t.n > 0 && r < f->n && f->runs[r].k; t.n -= f->runs[r++].n) {
        const struct attn_run *run = &f->runs[r];

        assert(run->n == 1 && !run->all);
        attn_store_put_head(f->s, &run->own, g, run->at - run->pre, run->k, run->v, 0,
                            1);
    }
}

/* 1 if what some run brings is another one's prefix: tasks put and look in no order. */
static int seen_by_others(const struct attn_run *runs, size_t n)
{
    const void *last = NULL;

    for (size_t r = 0; r < n; r++) {
        if (runs[r].pre == 0 || runs[r].prefix.k == last)
            continue;
        last = runs[r].prefix.k;
        for (size_t o = 0; o < n; o++)
            if (runs[o].k && runs[o].own.k == last)
                return 1;
    }
    return 0;
}

/* Task i: some rows with one key/value head, or with all of them where a tap wants a
 * row's heads from one thread. */
static void forward_task(void *ctx, size_t i, size_t worker)
{
    const struct attn_forward_job *f = ctx;
    const size_t G = f->tap ? 1 : f->s->G;
    struct attn_rows t = next_rows(f, (struct attn_rows){0});

    for (size_t skip = i / G; skip > 0; skip--)
        t = next_rows(f, t);
    const size_t g0 = f->tap ? 0 : i % G, g1 = f->tap ? f->s->G : g0 + 1;
    for (size_t g = g0; g < g1; g++) {
        put_own(f, t, g);
        ISA_CALL(f->isa, attn_forward_rows,
                 (f, t, g, f->scratch + worker * f->per_worker));
    }
}

void attn_forward(struct kern *k, const struct attn_shape *s,
                  const struct attn_run *runs, size_t n, size_t ldq, size_t ldout,
                  const struct attn_tap *tap, float *scratch)
{
    const size_t threads = par_threads(kern_par(k)), G = tap ? 1 : s->G;
    const size_t wanted = threads * (tap ? TAPPED_PER_THREAD : TASKS_PER_THREAD);
    enum attn_keep keep = ATTN_EXACT; /* all stores that are looked at are kept so */
    size_t S = 0, rows = 0, tasks = 0;

    assert(!seen_by_others(runs, n));
    for (size_t r = 0; r < n; r++) {
        keep = runs[r].own.k ? runs[r].own.keep : runs[r].prefix.keep;
        rows += runs[r].n;
        S = runs[r].n && attn_seen(&runs[r]) > S ? attn_seen(&runs[r]) : S;
    }
    struct attn_forward_job f = {
        .s = s,
        .runs = runs,
        .n = n,
        .ldq = ldq,
        .ldout = ldout,
        .tap = tap,
        .rounds = keep != ATTN_EXACT,
        .unit = keep == ATTN_HALVES && attn_by_unit(k, s) ? kern_unit(k) : NULL,
        .scratch = scratch,
        .per_worker = attn_scratch(k, s, S) / threads,
        .most = least(MOST_ROWS, ceil_div(rows * G, wanted)),
        .isa = kern_isa(k)};
    for (struct attn_rows t = next_rows(&f, (struct attn_rows){0}); t.n > 0;
         t = next_rows(&f, t))
        tasks++;
    par_for(kern_par(k), tasks * G, forward_task, &f);
}
