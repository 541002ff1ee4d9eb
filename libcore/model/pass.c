#include "model/pass.h"

#include "base/arena.h"
#include "model/block.h"
#include "model/private.h"
#include "nn/embed.h"
#include "tensor/dims.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a batch asks of memory. */
struct need {
    size_t B;     /* rows */
    size_t slots; /* of the stores: rows of each sequence in whole panels */
    size_t seqs;
    size_t keys;   /* most keys a row sees */
    size_t shared; /* prefix rows, once for every sequence that sees them */
};

struct pass {
    struct model *m;
    enum pass_mode mode;
    struct need has;
    struct arena arena;
    float *x;               /* TRAIN: (L + 1, B, C); SCORE: (2, B, C) */
    float *hidden;          /* (B, C) */
    struct block_acts keep; /* TRAIN: (L) of each; SCORE: one */
    float *cs[ARCH_KINDS];  /* (B, R) */
    float *k, *v, *norms;   /* stores of one layer: all sequences */
    struct block_run *runs; /* (seqs) */
    struct block block;
    struct block_back back;
    float *dx; /* (B, C) */
};

/* ---- memory ------------------------------------------------------------------------ */

static void carve_backward(struct pass *p, struct arena *a, const struct need *n)
{
    const struct arch *c = &p->m->arch;
    const int normed = c->qk_norm != QK_PLAIN, after = c->placement != NORM_BEFORE;
    struct block_back *w = &p->back;
    const size_t f = sizeof(float);

    w->grad = arena_take(a, n->seqs, sizeof *w->grad);
    w->r = arena_take(a, n->B, f);
    w->mean = arena_take(a, n->B, f);
    w->qk_r = normed ? arena_take(a, n->B * (c->H + c->G), f) : NULL;
    w->dpart = after ? arena_take(a, n->B * c->C, f) : NULL;
    w->dh = arena_take(a, n->B * c->C, f);
    w->dact = arena_take(a, n->B * c->F, f);
    w->dup = arena_take(a, n->B * block_up_width(p->m), f);
    w->datt = arena_take(a, n->B * c->H * c->D, f);
    w->dqkv = arena_take(a, n->B * block_qkv_width(p->m), f);
    w->dpre = arena_take(a, 2 * n->shared * c->G * c->D, f);
    p->dx = arena_take(a, n->B * c->C, f);
}

static void carve(struct pass *p, struct arena *a, const struct need *n)
{
    const struct model *m = p->m;
    const struct arch *c = &m->arch;
    const struct attn_shape s = block_attn_shape(m, 0);
    const int train = p->mode == PASS_TRAIN, after = c->placement != NORM_BEFORE;
    const size_t qkv = block_qkv_width(m);
    const size_t L = train ? c->L : 1, f = sizeof(float);

    p->x = arena_take(a, (L + 1) * n->B * c->C, f);
    p->hidden = arena_take(a, n->B * c->C, f);
    p->keep.qkv = arena_take(a, L * n->B * qkv, f);
    p->keep.att = arena_take(a, L * n->B * c->H * c->D, f);
    p->keep.lse = train ? arena_take(a, L * n->B * c->H, f) : NULL;
    p->keep.o = after ? arena_take(a, L * n->B * c->C, f) : NULL;
    p->keep.mid = arena_take(a, L * n->B * c->C, f);
    p->keep.down = after ? arena_take(a, L * n->B * c->C, f) : NULL;
    p->keep.up = arena_take(a, L * n->B * block_up_width(m), f);
    for (size_t k = 0; k < ARCH_KINDS; k++)
        p->cs[k] = m->freq[k] ? arena_take(a, n->B * c->R, f) : NULL;
    p->k = arena_take(a, attn_store_k(&s, n->slots), f);
    p->v = arena_take(a, attn_store_v(&s, n->slots), f);
    p->norms = train ? NULL : arena_take(a, c->H * n->slots, f);
    p->runs = arena_take(a, n->seqs, sizeof *p->runs);
    p->block.attn = arena_take(a, n->seqs, sizeof *p->block.attn);
    p->block.h = arena_take(a, n->B * c->C, f);
    p->block.turned = c->qk_norm != QK_PLAIN ? arena_take(a, n->B * qkv, f) : NULL;
    p->block.act = arena_take(a, n->B * c->F, f);
    p->block.attn_scratch = arena_take(a, attn_scratch(m->kern, &s, n->keys), f);
    if (train)
        carve_backward(p, a, n);
}

static size_t max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int reserve(struct pass *p, const struct need *n, struct err *e)
{
    struct need *has = &p->has;
    struct arena a = {0};

    if (n->B <= has->B && n->slots <= has->slots && n->seqs <= has->seqs &&
        n->keys <= has->keys && n->shared <= has->shared)
        return 0;
    *has = (struct need){max(n->B, has->B), max(n->slots, has->slots),
                         max(n->seqs, has->seqs), max(n->keys, has->keys),
                         max(n->shared, has->shared)};
    arena_release(&p->arena);
    carve(p, &a, has);
    const int rc = arena_alloc(&a, "activations", e);
    if (rc < 0) {
        *has = (struct need){0};
        return rc;
    }
    carve(p, &a, has);
    p->arena = a;
    return 0;
}

/* A guess for batches of groups: a quarter of the rows are prompts that four share. */
static struct need guess(size_t rows)
{
    return (struct need){
        .B = rows, .slots = rows + 16 * 64, .seqs = 64, .keys = rows, .shared = rows};
}

int pass_new(struct pass **out, struct model *m, size_t max_rows, enum pass_mode mode,
             struct err *e)
{
    struct pass *p = calloc(1, sizeof *p);
    const struct need n = guess(max_rows);
    int rc = 0;

    assert(m->mode == MODEL_COMPUTE);
    *out = NULL;
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a pass");
    p->m = m;
    p->mode = mode;
    if (max_rows && (rc = reserve(p, &n, e)) < 0)
        pass_free(p);
    else
        *out = p;
    return rc;
}

void pass_free(struct pass *p)
{
    if (!p)
        return;
    arena_release(&p->arena);
    free(p);
}

size_t pass_bytes(const struct model *m, size_t rows, enum pass_mode mode)
{
    struct pass p = {.m = (struct model *)m, .mode = mode};
    const struct need n = guess(rows);
    struct arena a = {0};

    carve(&p, &a, &n);
    return a.used;
}

/* ---- the batch --------------------------------------------------------------------- */

static int check(const struct model *m, const struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->B; i++) {
        if (b->ids[i] < 0 || (size_t)b->ids[i] >= m->arch.V)
            return err_set(e, ERR_RECORD,
                           "token id %d is outside the model's vocabulary of %zu",
                           (int)b->ids[i], m->arch.V);
        if ((size_t)b->pos[i] >= m->arch.context)
            return err_set(e, ERR_RECORD,
                           "%d tokens are more than the model's context of %zu",
                           (int)b->pos[i] + 1, m->arch.context);
    }
    return 0;
}

static struct need needs(const struct batch *b)
{
    struct need n = {.B = b->B, .seqs = b->n};

    for (size_t i = 0; i < b->n; i++) {
        const struct batch_seq *s = &b->seqs[i];

        n.slots += attn_store_cap(s->rows);
        n.keys = max(n.keys, s->pre + s->rows);
        n.shared += s->pre;
    }
    return n;
}

/* The store of sequence i in memory that all sequences share out; its slots begin at
 * `slot`.  A sequence's stores hold all heads, one after the other. */
static struct block_store store(const struct pass *p, size_t slot, size_t rows)
{
    const struct arch *c = &p->m->arch;

    return (struct block_store){
        .kv = {.k = p->k + slot * c->G * c->D,
               .v = p->v + slot * c->G * round_up(c->D, 16),
               .cap = attn_store_cap(rows)},
        .norms = p->norms ? p->norms + slot * c->H : NULL,
    };
}

static size_t first_slot(const struct batch *b, size_t i)
{
    size_t slot = 0;

    for (size_t j = 0; j < i; j++)
        slot += attn_store_cap(b->seqs[j].rows);
    return slot;
}

/* Sequences without rows of their own do nothing. */
static size_t make_runs(struct pass *p, const struct batch *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++) {
        const struct batch_seq *s = &b->seqs[i];
        struct block_run r = {.row0 = s->row0,
                              .n = s->rows,
                              .at = s->pre,
                              .pre = s->pre,
                              .pre0 = s->pre0,
                              .own = store(p, first_slot(b, i), s->rows)};

        if (s->rows == 0)
            continue;
        if (s->pre)
            r.prefix = store(p, first_slot(b, (size_t)s->prefix), s->pre);
        p->runs[n++] = r;
    }
    return n;
}

/* ---- forward ----------------------------------------------------------------------- */

static struct block_acts acts(const struct pass *p, size_t l)
{
    const struct model *m = p->m;
    const struct arch *c = &m->arch;
    const size_t B = p->block.B;
    const int train = p->mode == PASS_TRAIN;
    const size_t at = train ? l * B : 0;

    return (struct block_acts){
        .x = p->x + (train ? l : l % 2) * B * c->C,
        .qkv = p->keep.qkv + at * block_qkv_width(m),
        .att = p->keep.att + at * c->H * c->D,
        .lse = train ? p->keep.lse + at * c->H : NULL,
        .o = p->keep.o ? p->keep.o + at * c->C : NULL,
        .mid = p->keep.mid + at * c->C,
        .up = p->keep.up + at * block_up_width(m),
        .down = p->keep.down ? p->keep.down + at * c->C : NULL,
        .out = p->x + (train ? l + 1 : (l + 1) % 2) * B * c->C,
    };
}

static void embed(const struct pass *p, const struct batch *b)
{
    const struct model *m = p->m;
    const int learned = m->position != MODEL_NONE;

    embed_forward(m->kern, p->x, b->ids, learned ? b->pos : NULL, m->params + m->embed,
                  learned ? m->params + m->position : NULL, b->B, m->arch.C,
                  m->arch.embed_scale);
    model_turns(m, p->cs, b->pos, b->B);
}

static int check_hidden(const struct pass *p, struct err *e)
{
    const size_t n = p->block.B * p->m->arch.C;
    float worst = 0;

#pragma omp simd reduction(+ : worst)
    for (size_t i = 0; i < n; i++)
        worst += p->hidden[i] - p->hidden[i];
    return worst == 0 ? 0
                      : err_set(e, ERR_NUMERIC,
                                "%s: hidden states are not finite numbers", p->m->path);
}

int pass_forward(struct pass *p, const struct batch *b, struct capture *capture,
                 const float **hidden, struct err *e)
{
    const struct model *m = p->m;
    const struct need n = needs(b);
    int rc;

    if ((rc = check(m, b, e)) < 0 || (rc = reserve(p, &n, e)) < 0)
        return rc;
    p->block.m = p->m;
    p->block.products = BLOCK_FREE;
    p->block.B = b->B;
    memcpy(p->block.cs, p->cs, sizeof p->cs);
    p->block.runs = p->runs;
    p->block.n = make_runs(p, b);
    p->block.capture = capture;
    embed(p, b);
    for (size_t l = 0; l < m->arch.L; l++) {
        const struct block_acts a = acts(p, l);

        block_forward(&p->block, l, &a);
    }
    block_norm(m, p->hidden, NULL, NULL, pass_residual(p, m->arch.L), m->norm,
               m->norm_b, b->B);
    p->block.capture = NULL;
    *hidden = p->hidden;
    return check_hidden(p, e);
}

const float *pass_residual(const struct pass *p, size_t l)
{
    const size_t i = p->mode == PASS_TRAIN ? l : l % 2;

    return p->x + i * p->block.B * p->m->arch.C;
}

/* ---- backward ---------------------------------------------------------------------- */

void pass_backward(struct pass *p, const struct batch *b, const float *dh, float *grads)
{
    const struct model *m = p->m;
    const size_t C = m->arch.C, L = m->arch.L;
    const int learned = m->position != MODEL_NONE;

    assert(p->mode == PASS_TRAIN && b->B == p->block.B);
    block_norm(m, p->hidden, p->back.r, p->back.mean, pass_residual(p, L), m->norm,
               m->norm_b, b->B);
    memset(p->dx, 0, b->B * C * sizeof *p->dx);
    block_norm_backward(m, p->dx, dh, pass_residual(p, L), p->back.r, p->back.mean,
                        m->norm, m->norm_b, b->B, grads);
    for (size_t l = L; l-- > 0;) {
        const struct block_acts a = acts(p, l);

        block_backward(&p->block, &p->back, l, &a, p->dx, grads);
    }
    embed_backward(m->kern, grads + m->embed, learned ? grads + m->position : NULL,
                   p->dx, b->ids, learned ? b->pos : NULL, b->B, C,
                   m->arch.embed_scale);
}
