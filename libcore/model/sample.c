/*
 * Drawing a token.  With w_v = exp((z_v - max z) / temperature) and W their sum, the
 * token is the first one at which the running sum of w, in ascending order of id,
 * exceeds u W; its log-probability is log(w / W).
 *
 * Top-k, top-p and min-p each keep a beginning of the same order (likeliest first, then
 * by id), so what is kept is given by the last token kept, and only as many tokens are
 * sorted as the cut needs: those above 2^-6 of the likeliest, then 2^-12, then 2^-24,
 * then all.
 */
#include "model/sample.h"

#include "model/sample_simd.h"
#include "tensor/dims.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    float w;
    int32_t id;
};

struct work {
    float *w;            /* (V) */
    struct ranked *rank; /* (V) */
    double *sums;        /* (V / SAMPLE_CHUNK + 1) of w */
    size_t V;
};

double sample_temperature(double temperature)
{
    return temperature > 0 ? temperature : 1;
}

size_t sample_scratch(size_t V)
{
    return round_up(V, 16) * sizeof(float) + round_up(V, 16) * sizeof(struct ranked) +
           round_up(V / SAMPLE_CHUNK + 1, 16) * sizeof(double);
}

static struct work work_of(void *scratch, size_t V)
{
    struct work k = {.w = scratch, .V = V};

    k.rank = (struct ranked *)(k.w + round_up(V, 16));
    k.sums = (double *)(k.rank + round_up(V, 16));
    return k;
}

static double total(const struct work *k)
{
    double sum = 0;

    for (size_t c = 0; c < k->V; c += SAMPLE_CHUNK)
        sum += k->sums[c / SAMPLE_CHUNK];
    return sum;
}

/* ---- cutting ----------------------------------------------------------------------- */

static int likelier(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;

    if (a->w != b->w)
        return a->w > b->w ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* The tokens with w >= least, likeliest first. */
static size_t rank(const struct work *k, float least)
{
    size_t n = 0;

    for (size_t v = 0; v < k->V; v++)
        if (k->w[v] >= least)
            k->rank[n++] = (struct ranked){k->w[v], (int32_t)v};
    qsort(k->rank, n, sizeof *k->rank, likelier);
    return n;
}

/* How many of the n ranked are kept; 0 if that cannot be told from them alone. */
static size_t kept(const struct work *k, const struct sample_opts *o, size_t n,
                   double all)
{
    const size_t top_k = o->top_k && o->top_k < k->V ? o->top_k : k->V;
    size_t keep = n < top_k ? n : top_k;
    double of = all, sum = 0;
    int known = n >= top_k;

    if (top_k < k->V) {
        if (!known)
            return 0;
        of = 0;
        for (size_t i = 0; i < top_k; i++)
            of += k->rank[i].w;
    }
    for (size_t i = 0; o->top_p < 1 && i < keep; i++)
        if ((sum += k->rank[i].w) >= o->top_p * of)
            keep = i + 1, known = 1;
    for (size_t i = 0; o->min_p > 0 && i < keep; i++)
        if (k->rank[i].w < o->min_p * k->rank[0].w)
            keep = i ? i : 1, known = 1;
    return known ? keep : 0;
}

/* The last token kept. */
static struct ranked cut(const struct work *k, const struct sample_opts *o, double all)
{
    static const float levels[] = {0x1p-6f, 0x1p-12f, 0x1p-24f, 0};
    size_t n = 0, keep = 0;

    for (size_t i = 0; keep == 0 && i < sizeof levels / sizeof *levels; i++) {
        n = rank(k, levels[i]);
        keep = kept(k, o, n, all);
    }
    return k->rank[(keep ? keep : n) - 1];
}

/* Draws from the tokens up to `last` in order of likelihood. */
static int32_t draw_kept(const struct work *k, struct ranked last, double u)
{
    double sum = 0, at = 0;
    int32_t id = 0;

    for (int draw = 0; draw < 2; draw++)
        for (size_t v = 0; v < k->V; v++) {
            const float w = k->w[v];

            if (w < last.w || (w == last.w && (int32_t)v > last.id))
                continue;
            if (!draw) {
                sum += w;
                continue;
            }
            id = (int32_t)v;
            if ((at += w) > u * sum)
                return id;
        }
    return id; /* rounding: u was almost 1 */
}

static int32_t draw_all(const struct work *k, double u, double all)
{
    const double goal = u * all;
    double at = 0;
    size_t c = 0, last = 0;

    for (; c + SAMPLE_CHUNK < k->V && at + k->sums[c / SAMPLE_CHUNK] <= goal;
         c += SAMPLE_CHUNK)
        at += k->sums[c / SAMPLE_CHUNK];
    for (size_t v = c; v < k->V; v++) {
        if (k->w[v] > 0)
            last = v;
        if ((at += k->w[v]) > goal)
            break;
    }
    return (int32_t)last;
}

/* ---- the draw ---------------------------------------------------------------------- */

static int32_t likeliest(const float *z, size_t V, float top)
{
    size_t v = 0;

    while (v + 1 < V && z[v] != top)
        v++;
    return (int32_t)v;
}

int32_t sample_token(enum isa isa, const struct sample_opts *o, const float *z,
                     size_t V, double u, float *logp, void *scratch)
{
    const double by = 1 / sample_temperature(o->temperature);
    const struct work k = work_of(scratch, V);
    int32_t id;
    float top;

    ISA_CALL(isa, sample_peak, (z, V, &top));
    if (!isfinite(top))
        return -1;
    ISA_CALL(isa, sample_weigh, (k.w, k.sums, z, V, top, (float)by));
    const double all = total(&k);
    if (o->temperature <= 0)
        id = likeliest(z, V, top);
    else if (o->top_k == 0 && o->top_p >= 1 && o->min_p <= 0)
        id = draw_all(&k, u, all);
    else
        id = draw_kept(&k, cut(&k, o, all), u);
    *logp = (float)(((double)z[id] - top) * by - log(all));
    return id;
}
