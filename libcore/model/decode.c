#include "model/decode.h"

#include "model/head.h"
#include "model/private.h"
#include "nn/embed.h"
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
        d->acts.o = d->acts.down = arena_take(a, B * c->C, f);
    d->acts.mid = arena_take(a, B * c->C, f);
    d->acts.up = arena_take(a, B * block_up_width(m), f);
    d->block.attn = arena_take(a, B, sizeof *d->block.attn);
    d->block.h = arena_take(a, B * c->C, f);
    if (c->qk_norm != QK_PLAIN)
        d->block.turned = arena_take(a, B * block_qkv_width(m), f);
    d->block.act = arena_take(a, B * c->F, f);
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

int decoder_reserve(struct decoder *d, size_t keys, struct err *e)
{
    const struct attn_shape s = block_attn_shape(d->m, 0);

    if (keys <= d->keys)
        return 0;
    arena_release(&d->attn);
    d->keys = 0;
    d->attn.used = attn_scratch(d->m->kern, &s, keys) * sizeof(float);
    const int rc = arena_alloc(&d->attn, "attention", e);
    if (rc < 0)
        return rc;
    d->block.attn_scratch = (float *)d->attn.base;
    d->keys = keys;
    return 0;
}

static void layers(struct decoder *d, size_t B)
{
    const struct model *m = d->m;
    const int learned = m->position != MODEL_NONE;

    embed_forward(m->kern, d->x[0], d->ids, learned ? d->pos : NULL,
                  m->params + m->embed, learned ? m->params + m->position : NULL, B,
                  m->arch.C, m->arch.embed_scale);
    model_turns(m, d->cs, d->pos, B);
    for (size_t l = 0; l < m->arch.L; l++) {
        d->acts.x = d->x[l % 2];
        d->acts.out = d->x[(l + 1) % 2];
        block_forward(&d->block, l, &d->acts);
    }
}

void decoder_step(struct decoder *d, size_t B, size_t n, size_t out)
{
    struct model *m = d->m;
    const size_t C = m->arch.C;
    struct capture capture = {d->spec, d->capture};

    d->block.m = m;
    d->block.products = BLOCK_ROWS;
    d->block.B = B;
    memcpy(d->block.cs, d->cs, sizeof d->cs);
    d->block.runs = d->runs;
    d->block.n = n;
    d->block.capture = d->spec ? &capture : NULL;
    layers(d, B);
    if (out == 0)
        return;
    block_norm(m, d->hidden, NULL, NULL, d->x[m->arch.L % 2] + (B - out) * C, m->norm,
               m->norm_b, out);
    linear_rows(m->kern, d->logits, m->arch.V, d->hidden, C, &m->packed_head, NULL,
                out);
    head_finish(m, d->logits, out);
}

struct block_store decoder_store(const struct decoder *d, struct arena *a, size_t n)
{
    const struct arch *c = &d->m->arch;
    const struct attn_shape s = block_attn_shape(d->m, 0);
    struct block_store st = {.cached = 1};

    st.kv.cap = attn_store_cap(n);
    st.kv.k = arena_take(a, c->L * attn_store_k(&s, n), sizeof(float));
    st.kv.v = arena_take(a, c->L * attn_store_v(&s, n), sizeof(float));
    if (d->spec && d->spec->reduce == CAPTURE_NORM)
        st.norms = arena_take(a, (d->spec->to - d->spec->from) * c->H * st.kv.cap,
                              sizeof(float));
    return st;
}
