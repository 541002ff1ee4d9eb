#include "nn/attention.h"

#include "nn/attention_simd.h"
#include "tensor/dims.h"

#include <assert.h>
#include <string.h>

enum { BLOCK = 16 }; /* query rows that one task takes */

size_t attn_store_cap(size_t n)
{
    return round_up(n, ATTN_PANEL);
}

size_t attn_store_k(const struct attn_shape *s, size_t n)
{
    return s->G * round_up(n, ATTN_PANEL) * s->D;
}

size_t attn_store_v(const struct attn_shape *s, size_t n)
{
    return s->G * round_up(n, ATTN_PANEL) * round_up(s->D, ATTN_PANEL);
}

void attn_store_put(const struct attn_shape *s, const struct attn_store *st, size_t at,
                    const float *k, const float *v, size_t ldkv, size_t n)
{
    const size_t D = s->D, W = round_up(D, ATTN_PANEL);

    assert(at + n <= st->cap);
    for (size_t g = 0; g < s->G; g++)
        for (size_t i = 0; i < n; i++) {
            attn_panel_put(st->k + g * st->cap * D, D, at + i, k + i * ldkv + g * D);
            memcpy(st->v + g * st->cap * W + (at + i) * W, v + i * ldkv + g * D,
                   D * sizeof *v);
        }
}

/* ---- forward ----------------------------------------------------------------------- */

static size_t blocks(const struct attn_run *r)
{
    return (r->n + BLOCK - 1) / BLOCK;
}

/* Task i: a block of rows of one run with one key/value head, or with all of them where
 * a tap wants a row's heads from one thread. */
static void forward_task(void *ctx, size_t i, size_t worker)
{
    const struct attn_forward_job *f = ctx;
    const size_t G = f->tap ? 1 : f->s->G;
    size_t run = 0, b = i / G;

    for (; b >= blocks(&f->runs[run]); run++)
        b -= blocks(&f->runs[run]);
    const size_t i0 = b * BLOCK, n = f->runs[run].n;
    const size_t i1 = i0 + BLOCK < n ? i0 + BLOCK : n;
    const size_t g0 = f->tap ? 0 : i % G, g1 = f->tap ? f->s->G : g0 + 1;
    for (size_t g = g0; g < g1; g++)
        ISA_CALL(f->isa, attn_forward_block,
                 (f, run, i0, i1, g, f->scratch + worker * f->per_worker));
}

void attn_forward(struct kern *k, const struct attn_shape *s,
                  const struct attn_run *runs, size_t n, size_t ldq, size_t ldout,
                  const struct attn_tap *tap, float *scratch)
{
    size_t S = 0, tasks = 0;

    for (size_t r = 0; r < n; r++) {
        tasks += blocks(&runs[r]);
        S = runs[r].n && attn_seen(&runs[r]) > S ? attn_seen(&runs[r]) : S;
    }
    struct attn_forward_job f = {.s = s,
                                 .runs = runs,
                                 .n = n,
                                 .ldq = ldq,
                                 .ldout = ldout,
                                 .tap = tap,
                                 .scratch = scratch,
                                 .per_worker =
                                     attn_scratch(k, s, S) / par_threads(kern_par(k)),
                                 .isa = kern_isa(k)};
    par_for(kern_par(k), tasks * (tap ? 1 : s->G), forward_task, &f);
}
