#include "nn/attention_simd.h"

#include "nn/attention_lanes.h"

/* Probabilities of lane x, in order of positions, to the tap. */
static void tell(const struct attn_tap *tap, size_t run, const struct keys *ks,
                 const struct lanes *l, size_t x, const float *e, float by, float *p)
{
    const size_t own = l->to[x] > ks->slots[0] ? l->to[x] - ks->slots[0] : 0;
    const size_t S = ks->pre + own;

    memset(p, 0, S * sizeof *p);
    for (size_t j = l->from[x]; j < ks->pre; j++)
        p[j] = e[j] * by;
    const size_t from = l->from[x] > ks->slots[0] ? l->from[x] - ks->slots[0] : 0;
    for (size_t j = from; j < own; j++)
        p[ks->pre + j] = e[ks->slots[0] + j] * by;
    tap->fn(tap->ctx, run, l->row[x], l->head[x], p, S);
}

/* The lanes of l, n of them. */
ISA_BODY void forward_lanes(const struct attn_forward_job *f, size_t run,
                            const struct keys *ks, const struct lanes *l, const int n,
                            float *e)
{
    const struct attn_run *r = &f->runs[run];
    const size_t ld = ks->slots[0] + ks->slots[1];
    float by[LANES];
    float *out[LANES];

    products(e, ld, l->q, n, ks->k, ks, l, ks->scale);
    for (size_t x = 0; x < (size_t)n; x++) {
        float *ex = e + x * ld, peak;

        add_bias(ex, ks, l, x);
        cap_scores(ex, ks, l);
        mask(ex, ks, l, x);
        const float sum = exponentials(ex, l->begin, l->end, &peak);
        by[x] = 1.0f / sum;
        out[x] = r->out + l->row[x] * f->ldout + l->head[x] * ks->D;
        if (r->lse)
            r->lse[l->row[x] * f->s->H + l->head[x]] = peak + logf(sum);
    }
    weighted_rows(out, by, e, ld, n, ks->v, ks, l);
    for (size_t x = 0; f->tap && x < (size_t)n; x++)
        tell(f->tap, run, ks, l, x, e + x * ld, by[x], e + LANES * ld);
}

void ISA_NAME(attn_forward_block)(const struct attn_forward_job *f, size_t run,
                                  size_t i0, size_t i1, size_t g, float *scratch)
{
    const struct attn_run *r = &f->runs[run];
    const size_t share = f->s->H / f->s->G;
    struct keys ks;
    struct lanes l;

    keys_of(&ks, f->s, r, g);
    for (size_t c = i0 * share; c < i1 * share; c += LANES) {
        lanes_take(&l, &ks, f->s, r, g, f->ldq, c, i1 * share);
        switch (l.n) {
        case 1: forward_lanes(f, run, &ks, &l, 1, scratch); break;
        case 2: forward_lanes(f, run, &ks, &l, 2, scratch); break;
        case 3: forward_lanes(f, run, &ks, &l, 3, scratch); break;
        default: forward_lanes(f, run, &ks, &l, LANES, scratch); break;
        }
    }
}
