#include "model/decode.h"

#include "model/block_parts.h"
#include "model/head.h"
#include "model/private.h"
#include "nn/linear.h"

#include <string.h>

static void carve(struct decoder *d, struct arena *a, size_t out)
{
    const struct model *m = d->m;
    const struct arch *c = &m->arch;
    const size_t B = d->rows, f = sizeof(float);

    d->x[0] = arena_take(a, B * c->C, f);
    d->x[1] = arena_take(a, B * c->C, f);
    d->hidden = arena_take(a, B * c->C, f);
    d->logits = arena_take(a, out * c->V, f);
    for (size_t k = 0; k < ARCH_KINDS; k++)
        d->cs[k] = m->freq[k] ? arena_take(a, B * c->R, f) : NULL;
    d->ids = arena_take(a, B, sizeof *d->ids);
    d->pos = arena_take(a, B, sizeof *d->pos);
    d->runs = arena_take(a, B, sizeof *d->runs);
    d->capture = arena_take(a, B, sizeof *d->capture);
    d->acts.qkv = arena_take(a, B * block_qkv_width(m), f);
    d->acts.att = arena_take(a, B * c->H * c->D, f);
    if (c->placement != NORM_BEFORE) /* one after the other: they share */
        d->acts.o = d->acts.xo = d->acts.down = arena_take(a, B * c->C, f);
    d->acts.mid = arena_take(a, B * c->C, f);
    if (c->encoder.L) {
        d->acts.xq = arena_take(a, B * c->H * c->D, f);
        d->acts.xatt = arena_take(a, B * c->H * c->D, f);
        d->acts.xmid = arena_take(a, B * c->C, f);
    }
    d->acts.up = arena_take(a, B * block_up_width(m), f);
    d->block.attn = arena_take(a, B, sizeof *d->block.attn);
    d->block.h = arena_take(a, block_h_floats(m, B), f);
    if (c->qk_norm != QK_PLAIN)
        d->block.turned = arena_take(a, B * block_qkv_width(m), f);
    d->block.act = arena_take(a, mlp_act_floats(m, B), f);
    adapter_carve(&d->block.lora, m, a, B, ADAPTER_STEP);
}

int decoder_init(struct decoder *d, struct model *m, const struct capture_spec *spec,
                 size_t rows, size_t out, struct err *e)
{
    *d = (struct decoder){.m = m, .spec = spec, .rows = rows};
    carve(d, &d->arena, out);
    const int rc = arena_alloc(&d->arena, "decoding", e);
    if (rc < 0)
        return rc;
    carve(d, &d->arena, out);
    return 0;
}

void decoder_release(struct decoder *d)
{
    arena_release(&d->arena);
    arena_release(&d->attn);
}

/* Room for rows that see up to `keys` keys, and with relative positions their biases. */
static float *carve_keys(struct decoder *d, size_t keys)
{
    block_bias_carve(&d->bias, d->m, &d->attn, keys);
    return arena_take(&d->attn, block_attn_scratch(d->m, keys), sizeof(float));
}

int decoder_reserve(struct decoder *d, size_t keys, struct err *e)
{
    if (keys <= d->keys)
        return 0;
    arena_release(&d->attn);
    d->keys = 0;
    carve_keys(d, keys);
    const int rc = arena_alloc(&d->attn, "attention", e);
    if (rc < 0)
        return rc;
    d->block.attn_scratch = carve_keys(d, keys);
    d->block.bias = block_bias_fill(&d->bias, d->m);
    d->keys = keys;
    return 0;
}

static void layers(struct decoder *d, size_t B)
{
    const struct model *m = d->m;

    /* x[1] is free until the first layer is done */
    block_embed(m, d->x[0], d->x[1], d->ids, d->pos, B);
    model_turns(m, d->cs, d->pos, B);
    for (size_t l = 0; l < m->arch.L; l++) {
        d->acts.x = d->x[l % 2];
        d->acts.out = d->x[(l + 1) % 2];
        block_forward(&d->block, l, &d->acts);
    }
}

static void run(struct decoder *d, size_t B, size_t n)
{
    struct model *m = d->m;
    struct capture capture = {d->spec, d->capture};

    d->block.m = m;
    d->block.products = BLOCK_ROWS;
    d->block.B = B;
    memcpy(d->block.cs, d->cs, sizeof d->cs);
    d->block.runs = d->runs;
    d->block.n = n;
    d->block.capture = d->spec ? &capture : NULL;
    layers(d, B);
}

/* The final norm of the last n of B rows. */
static void finish(struct decoder *d, size_t B, size_t n)
{
    const struct model *m = d->m;

    block_norm(m, d->hidden, NULL, NULL, d->x[m->arch.L % 2] + (B - n) * m->arch.C,
               m->norm, m->norm_b, n);
}

void decoder_step(struct decoder *d, size_t B, size_t n, size_t out)
{
    struct model *m = d->m;

    run(d, B, n);
    if (out == 0)
        return;
    finish(d, B, out);
    linear_rows(m->kern, d->logits, m->arch.V, d->hidden, m->arch.C, &m->packed_head,
                NULL, out);
    head_finish(m, d->logits, out);
}

void decoder_rows(struct decoder *d, size_t B, size_t n)
{
    run(d, B, n);
    finish(d, B, B);
}

struct block_store decoder_store(const struct decoder *d, struct arena *a, size_t n,
                                 enum capture_kind kind)
{
    const struct arch *c = &d->m->arch;
    const struct attn_shape s = block_attn_shape(d->m, 0);
    const enum attn_keep keep = block_keep(d->m, 1, kind);
    struct block_store st = {.cached = 1};

    st.kv.cap = attn_store_cap(n);
    st.kv.keep = keep;
    st.kv.k = arena_take(a, c->L * attn_store_k(&s, n, keep), sizeof(float));
    st.kv.v = arena_take(a, c->L * attn_store_v(&s, n, keep), sizeof(float));
    if (d->spec && d->spec->kind == kind && d->spec->reduce == CAPTURE_NORM)
        st.norms = arena_take(a, (d->spec->to - d->spec->from) * c->H * st.kv.cap,
                              sizeof(float));
    return st;
}

/* ---- the encoder -------------------------------------------------------------------- */

static void encoder_carve(struct encoder *n, const struct decoder *d, size_t P)
{
    const struct attn_shape s = block_attn_shape(n->d.m, 0);
    const enum attn_keep keep = block_keep(n->d.m, 1, CAPTURE_SELF);
    const size_t f = sizeof(float);

    n->store.kv = (struct attn_store){.cap = attn_store_cap(P), .keep = keep};
    n->store.kv.k = arena_take(&n->arena, attn_store_k(&s, P, keep), f);
    n->store.kv.v = arena_take(&n->arena, attn_store_v(&s, P, keep), f);
    n->kv = arena_take(&n->arena, P * 2 * d->m->arch.G * d->m->arch.D, f);
}

static int encoder_reserve(struct encoder *n, const struct decoder *d, size_t P,
                           struct err *e)
{
    int rc;

    if (P <= n->d.rows)
        return 0;
    encoder_release(n);
    if ((rc = decoder_init(&n->d, d->m->encoder, NULL, P, 0, e)) < 0 ||
        (rc = decoder_reserve(&n->d, P, e)) < 0) {
        n->d.rows = 0;
        return rc;
    }
    encoder_carve(n, d, P);
    if ((rc = arena_alloc(&n->arena, "the encoder's keys and values", e)) < 0) {
        n->d.rows = 0;
        return rc;
    }
    encoder_carve(n, d, P);
    return 0;
}

int encoder_run(struct encoder *n, const struct decoder *d, const int32_t *ids,
                size_t P, const struct block_store *to, struct err *e)
{
    const int rc = encoder_reserve(n, d, P, e);
    const struct block_run own = {.n = P, .own = *to};
    struct capture capture = {d->spec, NULL};

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < P; i++) {
        n->d.ids[i] = ids[i];
        n->d.pos[i] = (int32_t)i;
    }
    n->d.runs[0] = (struct block_run){.n = P, .own = n->store};
    decoder_rows(&n->d, P, 1);
    const struct block b = {.m = d->m,
                            .products = BLOCK_ROWS,
                            .source = {n->d.hidden, P, &own, 1},
                            .capture = d->spec ? &capture : NULL,
                            .lora = d->block.lora};
    for (size_t l = 0; l < d->m->arch.L; l++)
        cross_keys(&b, l, n->kv);
    return 0;
}

void encoder_release(struct encoder *n)
{
    decoder_release(&n->d);
    arena_release(&n->arena);
    *n = (struct encoder){0};
}
