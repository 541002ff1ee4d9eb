#include "nn/attention_simd.h"

#include "nn/attention_lanes.h"

/* s[j] = exp(s[j] - its maximum) where lane x sees something; returns the sum, *peak the
 * maximum. */
ISA_BODY float exponentials(float *s, const struct set *l, size_t x, float *peak)
{
    vfloat m = vec_set(-INFINITY), sum = {0};

    for (int own = 0; own < 2; own++) {
        const struct span at = panels_of(l->seen[own][x]);

        for (size_t j = at.from; j < at.to; j += VEC)
            m = vec_max(vec_load(s + j), m);
    }
    *peak = vec_peak(m);
    for (int own = 0; own < 2; own++) {
        const struct span at = panels_of(l->seen[own][x]);

        for (size_t j = at.from; j < at.to; j += VEC) {
            const vfloat e = vec_exp(vec_load(s + j) - *peak);

            vec_store(s + j, e);
            sum += e;
        }
    }
    return vec_sum(sum);
}

/* Probabilities of lane x, in order of positions, to the tap. */
static void tell(const struct attn_tap *tap, const struct keys *ks, const struct set *l,
                 size_t x, const float *e, float by, float *p)
{
    const struct span of = l->seen[0][x], own = l->seen[1][x];
    const size_t S = ks->pre + own.to - ks->top;

    memset(p, 0, S * sizeof *p);
    for (size_t j = of.from; j < of.to; j++)
        p[j] = e[j] * by;
    for (size_t j = own.from; j < own.to; j++)
        p[ks->pre + j - ks->top] = e[j] * by;
    tap->fn(tap->ctx, l->run[x], l->row[x], l->head[x], p, S);
}

/* n numbers, a multiple of VEC, as words, which may begin where they do. */
ISA_BODY void to_words(float *w, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VEC) {
        const vword_half two = join(rounded(x + i));

        memcpy(w + i / 2, &two, sizeof two);
    }
}

/* Queries rounded, in `room` (n, D): as words for a unit, else for the lanes to be multiplied so. */
ISA_BODY void round_queries(const struct keys *ks, struct set *l, float *room)
{
    const size_t D = ks->D;

    l->words = (void *)room;
    for (size_t x = 0; ks->rounds && x < l->n; x++) {
        for (size_t d = 0; d < D; d += VEC) {
            const vword h = half_of((vword)vec_at(l->q[x], d, D, 0));
            const vword_half two = join(h);

            if (ks->unit)
                memcpy(l->words + (x * D + d) / 2, &two,
                       least(VEC, D - d) / 2 * sizeof *l->words);
            else
                vec_put(room + x * D, d, D, lower(h));
        }
        if (!ks->unit)
            l->q[x] = room + x * D;
    }
}

/* Exponentials of lane x rounded where they weigh values: for a unit as words. */
ISA_BODY void round_lane(float *e, const struct keys *ks, const struct set *l, size_t x)
{
    for (size_t i = 0; ks->rounds && i < l->parts; i++) {
        const struct part *p = &l->part[i];

        if (x < p->a || x >= p->b)
            continue;
        if (ks->unit)
            to_words(e + p->begin / 2, e + p->begin, p->end - p->begin);
        else
            round_all(e + p->begin, p->end - p->begin);
    }
}

/* y: sums (lanes, W); e: scores (lanes, l->slots) and behind them a row for the tap. */
ISA_BODY void forward_set(const struct attn_forward_job *f, const struct keys *ks,
                          const struct set *l, float *y, float *e)
{
    float *p = e + l->n * l->slots;

    for (size_t i = 0; i < l->parts; i++)
        products(e, l->q, l->part[i].k, ks, l, &l->part[i]);
    finish_scores(e, ks, l);
    float by[SET];
    for (size_t x = 0; x < l->n; x++) {
        const struct attn_run *r = &f->runs[l->run[x]];
        float peak;
        const float sum = exponentials(e + x * l->slots, l, x, &peak);

        by[x] = 1.0f / sum;
        if (r->lse)
            r->lse[l->row[x] * f->s->H + l->head[x]] = peak + logf(sum);
        if (f->tap)
            tell(f->tap, ks, l, x, e + x * l->slots, by[x], p);
        round_lane(e + x * l->slots, ks, l, x);
    }
    memset(y, 0, l->n * ks->W * sizeof *y);
    for (size_t i = 0; i < l->parts; i++) {
        const struct part *at = &l->part[i];

        weighted_rows(y, e, at->v, at->step, ks, l, at);
    }
    for (size_t x = 0; x < l->n; x++)
        put_row(f->runs[l->run[x]].out + l->row[x] * f->ldout + l->head[x] * ks->D,
                y + x * ks->W, ks->D, by[x]);
}

void ISA_NAME(attn_forward_rows)(const struct attn_forward_job *f,
                                 struct attn_rows rows, size_t g, float *scratch)
{
    const size_t lanes = rows.n * (f->s->H / f->s->G);
    struct keys ks;
    struct set l;

    keys_of(&ks, f->s, f->runs[rows.run].pre);
    ks.rounds = f->rounds;
    ks.unit = f->unit;
    float *y = scratch, *room = y + SET * ks.W, *e = room + SET * ks.W;
    for (size_t c = 0; c < lanes; c += SET) {
        set_take(&l, &ks, f->s, f->runs, rows, g, f->ldq, c);
        round_queries(&ks, &l, room);
        forward_set(f, &ks, &l, y, e);
    }
}
