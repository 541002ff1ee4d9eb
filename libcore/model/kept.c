#include "model/kept.h"

#include "kern/bf16.h"
#include "model/private.h"

#include <assert.h>
#include <stddef.h>

static int trains(const struct kept *k)
{
    return k->mode != PASS_SCORE;
}

static int halves(const struct kept *k)
{
    return trains(k) && kern_rounds_both(k->m->kern);
}

/* Layers whose activations are kept. */
static size_t layers(const struct kept *k)
{
    return k->mode == PASS_TRAIN ? k->m->arch.L : 1;
}

/* Of these the place of layer l. */
static size_t place(const struct kept *k, size_t l)
{
    return k->mode == PASS_TRAIN ? l : 0;
}

/* 1 if the inputs of all layers are there as floats. */
static int has_inputs(const struct kept *k)
{
    return k->mode == PASS_RECOMPUTE || (k->mode == PASS_TRAIN && !halves(k));
}

/* ---- memory ------------------------------------------------------------------------ */

/* Of each layer; NULL where none are kept. */
static uint16_t *take_halves(const struct kept *k, struct arena *a, size_t apart)
{
    return halves(k) ? arena_take(a, layers(k) * apart, sizeof(uint16_t)) : NULL;
}

static struct kept_matrix *add(struct kept *k, size_t member, size_t rows, size_t width)
{
    struct kept_matrix *x = &k->of[k->n++];

    assert(k->n <= KEPT_MATRICES);
    *x = (struct kept_matrix){.member = member, .width = width, .apart = rows * width};
    return x;
}

/* As float32. */
static void add_floats(struct kept *k, struct arena *a, size_t member, size_t rows,
                       size_t width)
{
    struct kept_matrix *x = add(k, member, rows, width);

    x->floats = arena_take(a, layers(k) * x->apart, sizeof(float));
}

/* As halves, where it can be. */
static struct kept_matrix *add_either(struct kept *k, struct arena *a, size_t member,
                                      size_t rows, size_t width)
{
    struct kept_matrix *x = add(k, member, rows, width);

    x->halves = take_halves(k, a, x->apart);
    x->floats = arena_take(a, (halves(k) ? 1 : layers(k)) * x->apart, sizeof(float));
    return x;
}

#define MEMBER(name) offsetof(struct block_acts, name)

static void carve_self(struct kept *k, struct arena *a, size_t B)
{
    const struct arch *c = &k->m->arch;

    add_either(k, a, MEMBER(qkv), B, block_qkv_width(k->m));
    add_either(k, a, MEMBER(att), B, c->H * c->D);
    add_either(k, a, MEMBER(mid), B, c->C);
    if (trains(k))
        add_floats(k, a, MEMBER(lse), B, c->H);
    if (c->placement != NORM_BEFORE)
        add_either(k, a, MEMBER(o), B, c->C);
}

static void carve_cross(struct kept *k, struct arena *a, size_t B, size_t E)
{
    const struct arch *c = &k->m->arch;

    add_either(k, a, MEMBER(xq), B, c->H * c->D);
    add_either(k, a, MEMBER(xkv), E, 2 * c->G * c->D)->source = 1;
    add_either(k, a, MEMBER(xatt), B, c->H * c->D);
    add_either(k, a, MEMBER(xmid), B, c->C);
    if (trains(k))
        add_floats(k, a, MEMBER(xlse), B, c->H);
    if (c->placement != NORM_BEFORE)
        add_either(k, a, MEMBER(xo), B, c->C);
}

static void carve_mlp(struct kept *k, struct arena *a, size_t B, float *scratch)
{
    const struct arch *c = &k->m->arch;

    k->up_apart = B * block_up_width(k->m);
    k->up = take_halves(k, a, k->up_apart);
    if (halves(k))
        add(k, MEMBER(up), 0, 0)->floats = scratch;
    else
        add_floats(k, a, MEMBER(up), B, block_up_width(k->m));
    if (c->placement != NORM_BEFORE)
        add_either(k, a, MEMBER(down), B, c->C);
}

void kept_carve(struct kept *k, const struct model *m, enum pass_mode mode, size_t B,
                size_t E, float *scratch, struct arena *a)
{
    *k = (struct kept){.m = m, .mode = mode, .x_apart = B * m->arch.C};
    k->x =
        arena_take(a, (has_inputs(k) ? m->arch.L + 1 : 2) * k->x_apart, sizeof *k->x);
    add(k, MEMBER(x), B, m->arch.C)->halves = take_halves(k, a, k->x_apart);
    carve_self(k, a, B);
    if (m->arch.encoder.L)
        carve_cross(k, a, B, E);
    carve_mlp(k, a, B, scratch);
}

/* ---- layers ------------------------------------------------------------------------- */

float *kept_residual(const struct kept *k, size_t l)
{
    return k->x + (has_inputs(k) ? l : l % 2) * k->x_apart;
}

static float **member(struct block_acts *acts, const struct kept_matrix *x)
{
    return (void *)((char *)acts + x->member);
}

struct block_acts kept_acts(const struct kept *k, size_t l)
{
    struct block_acts acts = {
        .x = kept_residual(k, l),
        .out = kept_residual(k, l + 1),
        .up_halves = k->up ? k->up + place(k, l) * k->up_apart : NULL,
    };

    for (size_t i = 0; i < k->n; i++) {
        const struct kept_matrix *x = &k->of[i];

        if (x->floats)
            *member(&acts, x) = x->floats + (x->halves ? 0 : place(k, l) * x->apart);
    }
    return acts;
}

/* ---- halves ------------------------------------------------------------------------- */

struct change {
    enum isa isa;
    float *floats;
    uint16_t *halves;
    size_t width;
};

static void narrow_rows(void *ctx, size_t from, size_t to)
{
    const struct change *c = ctx;

    bf16_narrow(c->isa, c->halves + from * c->width, c->width,
                c->floats + from * c->width, c->width, to - from, c->width);
}

static void widen_rows(void *ctx, size_t from, size_t to)
{
    const struct change *c = ctx;

    bf16_widen(c->isa, c->floats + from * c->width, c->halves + from * c->width,
               (to - from) * c->width);
}

void kept_narrow(struct kern *k, uint16_t *h, const float *x, size_t B, size_t width)
{
    struct change c = {kern_isa(k), (float *)x, h, width};

    kern_rows(k, B, width, narrow_rows, &c);
}

void kept_widen(struct kern *k, float *x, const uint16_t *h, size_t B, size_t width)
{
    struct change c = {kern_isa(k), x, (uint16_t *)h, width};

    kern_rows(k, B, width, widen_rows, &c);
}

/* Made by this half of the layer; and, on the way back, read by it first. */
static int made_by(const struct kept_matrix *x, enum kept_half half)
{
    return (half == KEPT_MLP) == (x->member == MEMBER(down));
}

static int read_by(const struct kept *k, const struct kept_matrix *x,
                   enum kept_half half)
{
    const int mlp = x->member == MEMBER(down) || x->member == MEMBER(mid) ||
                    x->member == MEMBER(xmid) || k->m->arch.parallel;

    return (half == KEPT_MLP) == mlp;
}

void kept_close(const struct kept *k, size_t l, enum kept_half half, size_t B, size_t E)
{
    struct block_acts acts = kept_acts(k, l);

    for (size_t i = 0; i < k->n; i++) {
        const struct kept_matrix *x = &k->of[i];

        if (x->halves && made_by(x, half))
            kept_narrow(k->m->kern, x->halves + place(k, l) * x->apart,
                        *member(&acts, x), x->source ? E : B, x->width);
    }
}

void kept_open(const struct kept *k, size_t l, enum kept_half half, size_t B, size_t E)
{
    struct block_acts acts = kept_acts(k, l);

    for (size_t i = 0; i < k->n; i++) {
        const struct kept_matrix *x = &k->of[i];

        if (x->halves && read_by(k, x, half))
            kept_widen(k->m->kern, *member(&acts, x),
                       x->halves + place(k, l) * x->apart, x->source ? E : B, x->width);
    }
}
