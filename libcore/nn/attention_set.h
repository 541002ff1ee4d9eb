/*
 * Which lanes go through attention's loops together, and what of the keys they see:
 * attention_lanes.h says how they do.
 */
#ifndef CAGSR_NN_ATTENTION_SET_H
#define CAGSR_NN_ATTENTION_SET_H

#include "kern/bf16.h"
#include "nn/attention_simd.h"
#include "tensor/dims.h"

enum {
    LANES = ATTN_LANES,
    SET = ATTN_SET,
    PANEL = ATTN_PANEL,
};

/* What is the same for all lanes of a set. */
struct keys {
    size_t pre, top; /* positions of the prefix, and its slots */
    size_t D, W;     /* W: D in whole vectors */
    size_t block;    /* slots of a block, whole panels */
    float scale;
    size_t window;
    float cap;
    const struct attn_bias *bias;
    int rounds;                   /* what keys and values are multiplied with */
    const struct bf16_unit *unit; /* of halves; NULL: by vectors, which widen them */
};

/* Keys and values of one store that lanes a..b-1 see some of. */
struct part {
    size_t a, b;
    int own;            /* 0: the prefix */
    int halves;         /* two numbers in a float's place */
    const float *k, *v; /* panels, the first slot of which is `base` */
    size_t base, step;  /* step: floats between panels of v */
    size_t begin, end;  /* slots computed: whole panels */
};

/* Slots from..to-1. */
struct span {
    size_t from, to;
};

struct set {
    size_t n;
    size_t run[SET], row[SET], head[SET], position[SET];
    const float *q[SET];
    uint32_t *words;           /* (n, D / 2) q rounded, for the unit */
    struct span seen[2][SET];  /* of the prefix, of its own; empty: from == to */
    struct part part[SET + 1]; /* that of the prefix first */
    size_t parts;
    size_t slots; /* of a row of scores */
};

static inline size_t panel_floor(size_t slot)
{
    return slot / PANEL * PANEL;
}

/* The whole panels that lie around a span. */
static inline struct span panels_of(struct span s)
{
    return s.from < s.to ? (struct span){panel_floor(s.from), round_up(s.to, PANEL)}
                         : s;
}

/* The smallest span that both lie in. */
static inline struct span around(struct span a, struct span b)
{
    if (a.from >= a.to)
        return b;
    if (b.from >= b.to)
        return a;
    return (struct span){least(a.from, b.from), a.to > b.to ? a.to : b.to};
}

static inline void keys_of(struct keys *ks, const struct attn_shape *s, size_t pre)
{
    *ks = (struct keys){.pre = pre,
                        .top = round_up(pre, PANEL),
                        .D = s->D,
                        .W = round_up(s->D, PANEL),
                        .block = attn_block(s->D),
                        .scale = s->scale,
                        .window = s->window,
                        .cap = s->cap,
                        .bias = s->bias};
}

/* ---- a set of lanes ------------------------------------------------------------------ */

/* What a query at `position` of a run sees. */
static inline void set_seen(struct set *l, size_t x, const struct keys *ks,
                            const struct attn_run *r, size_t position)
{
    const size_t to = r->all ? r->all : position + 1;
    const size_t from =
        ks->window && position >= ks->window ? position + 1 - ks->window : 0;
    const size_t shift = ks->top - ks->pre; /* from positions to slots of its own */

    l->seen[0][x] = (struct span){least(from, ks->pre), least(to, ks->pre)};
    l->seen[1][x] = (struct span){(from > ks->pre ? from : ks->pre) + shift,
                                  (to > ks->pre ? to : ks->pre) + shift};
}

/* What lanes a..l->n-1 see of a store. */
static inline struct part set_part(const struct set *l, const struct keys *ks,
                                   const struct attn_store *st, size_t g, size_t a,
                                   int own)
{
    struct part p = {.a = a, .b = l->n, .own = own, .base = own ? ks->top : 0};
    struct span s = {0};

    for (size_t x = a; x < l->n; x++)
        s = around(s, panels_of(l->seen[own][x]));
    if (s.from < s.to) {
        p.halves = st->keep == ATTN_HALVES;
        p.k = st->k + (g * st->cap * ks->D >> p.halves);
        p.v = st->v + (g * st->cap * ks->W >> p.halves);
        p.step = st->cap * PANEL >> p.halves;
        p.begin = s.from;
        p.end = s.to;
    }
    return p;
}

/* Lanes c, c+1 .. of some rows with the heads of group g, heads first. */
static inline void set_take(struct set *l, const struct keys *ks,
                            const struct attn_shape *s, const struct attn_run *runs,
                            struct attn_rows rows, size_t g, size_t ldq, size_t c)
{
    const size_t share = s->H / s->G, n = least(rows.n * share - c, SET);
    size_t run = rows.run, row = rows.row + c / share, first = 0;

    l->parts = 1;
    for (l->n = 0; l->n < n; l->n++) {
        const size_t x = l->n, h = (c + x) % share;

        row += x > 0 && h == 0;
        for (; row >= runs[run].n; row -= runs[run++].n, first = x)
            if (first < x)
                l->part[l->parts++] = set_part(l, ks, &runs[run].own, g, first, 1);
        const struct attn_run *r = &runs[run];

        l->run[x] = run;
        l->row[x] = row;
        l->head[x] = g * share + h;
        l->position[x] = r->at + row;
        l->q[x] = r->q + row * ldq + l->head[x] * s->D;
        set_seen(l, x, ks, r, r->at + row);
    }
    l->part[l->parts++] = set_part(l, ks, &runs[run].own, g, first, 1);
    l->part[0] = set_part(l, ks, &runs[run].prefix, g, 0, 0);
    l->slots = ks->top;
    for (size_t i = 1; i < l->parts; i++)
        l->slots = l->part[i].end > l->slots ? l->part[i].end : l->slots;
}

/* Of a part's slots j..j+many-1 those that some of the lanes c..c+n-1 see, counted from j, in
 * whole panels. */
static inline struct span set_block(const struct set *l, const struct part *p, size_t j,
                                    size_t many, size_t c, size_t n)
{
    struct span s = {0};

    for (size_t x = c; x < c + n; x++)
        s = around(s, panels_of(l->seen[p->own][x]));
    s.from = s.from > j ? s.from - j : 0;
    s.to = s.to > j ? least(s.to - j, many) : 0;
    return s;
}

/* How many lanes go together of those from c to b. */
static inline size_t lanes_together(size_t c, size_t b)
{
    return share_out(b - c, LANES, 1);
}

#endif
