#include "nn/attention.h"

#include "nn/attention_simd.h"
#include "tensor/dims.h"
#include "tensor/dtype.h"

#include <assert.h>
#include <string.h>

/* Rows that one task takes at most, and how many tasks there should be, or with a tap, when each
 * takes all heads. */
enum { MOST_ROWS = 16, TASKS_PER_THREAD = 4, TAPPED_PER_THREAD = 2 };

size_t attn_store_cap(size_t n)
{
    return round_up(n, ATTN_PANEL);
}

/* Numbers in a float's place. */
static size_t packed(enum attn_keep keep)
{
    return keep == ATTN_HALVES ? 2 : 1;
}

size_t attn_store_k(const struct attn_shape *s, size_t n, enum attn_keep keep)
{
    return s->G * round_up(n, ATTN_PANEL) * s->D / packed(keep);
}

size_t attn_store_v(const struct attn_shape *s, size_t n, enum attn_keep keep)
{
    return s->G * round_up(n, ATTN_PANEL) * round_up(s->D, ATTN_PANEL) / packed(keep);
}

static inline float kept(float x, int exact)
{
    return exact ? x : f32_from_bf16(bf16_from_f32(x));
}

/* Numbers as they are, or rounded. */
static void put(const struct attn_store *st, float *k, float *v, size_t D, size_t at,
                const float *from_k, const float *from_v)
{
    const int exact = st->keep == ATTN_EXACT;

    for (size_t d = 0; d < D; d++)
        k[attn_key_at(D, at, d)] = kept(from_k[d], exact);
    for (size_t d = 0; d < D; d += ATTN_PANEL) {
        float *to = v + attn_value_at(st->cap, at, d);

        for (size_t i = 0; i < least(ATTN_PANEL, D - d); i++)
            to[i] = kept(from_v[d + i], exact);
    }
}

/* Half `i` of a word. */
static void put_half(float *word, size_t i, float x)
{
    const uint32_t h = bf16_from_f32(x);
    uint32_t w;

    memcpy(&w, word, sizeof w);
    w = i ? (w & 0xffff) | h << 16 : (w & 0xffff0000) | h;
    memcpy(word, &w, sizeof w);
}

static void put_halves(const struct attn_store *st, float *k, float *v, size_t D,
                       size_t at, const float *from_k, const float *from_v)
{
    for (size_t d = 0; d < D; d++) {
        put_half(k + attn_key_at(D / 2, at, d / 2), d % 2, from_k[d]);
        put_half(v + attn_value_at(st->cap / 2, at / 2, d), at % 2, from_v[d]);
    }
}

void attn_store_put(const struct attn_shape *s, const struct attn_store *st, size_t at,
                    const float *k, const float *v, size_t ldkv, size_t n)
{
    const size_t D = s->D, many = packed(st->keep);
    const size_t all_k = st->cap * D / many;
    const size_t all_v = st->cap * round_up(D, ATTN_PANEL) / many;

    assert(at + n <= st->cap && D % many == 0);
    for (size_t g = 0; g < s->G; g++)
        for (size_t i = 0; i < n; i++)
            (many > 1 ? put_halves : put)(st, st->k + g * all_k, st->v + g * all_v, D,
                                          at + i, k + i * ldkv + g * D,
                                          v + i * ldkv + g * D);
}

/* ---- forward ----------------------------------------------------------------------- */

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
    for (size_t g = g0; g < g1; g++)
        ISA_CALL(f->isa, attn_forward_rows,
                 (f, t, g, f->scratch + worker * f->per_worker));
}

void attn_forward(struct kern *k, const struct attn_shape *s,
                  const struct attn_run *runs, size_t n, size_t ldq, size_t ldout,
                  const struct attn_tap *tap, float *scratch)
{
    const size_t threads = par_threads(kern_par(k)), G = tap ? 1 : s->G;
    const size_t wanted = threads * (tap ? TAPPED_PER_THREAD : TASKS_PER_THREAD);
    size_t S = 0, rows = 0, tasks = 0;

    for (size_t r = 0; r < n; r++) {
        rows += runs[r].n;
        S = runs[r].n && attn_seen(&runs[r]) > S ? attn_seen(&runs[r]) : S;
    }
    struct attn_forward_job f = {.s = s,
                                 .runs = runs,
                                 .n = n,
                                 .ldq = ldq,
                                 .ldout = ldout,
                                 .tap = tap,
                                 .scratch = scratch,
                                 .per_worker = attn_scratch(k, s, S) / threads,
                                 .most = least(MOST_ROWS, ceil_div(rows * G, wanted)),
                                 .isa = kern_isa(k)};
    for (struct attn_rows t = next_rows(&f, (struct attn_rows){0}); t.n > 0;
         t = next_rows(&f, t))
        tasks++;
    par_for(kern_par(k), tasks * G, forward_task, &f);
}
