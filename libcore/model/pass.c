#include "model/pass.h"

#include "base/arena.h"
#include "kern/finite.h"
#include "model/block.h"
#include "model/kept.h"
#include "model/private.h"
#include "tensor/dims.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a batch asks of memory. */
struct need {
    size_t B;     /* rows */
    size_t slots; /* of the stores: rows of each sequence in whole panels */
    size_t seqs;
    size_t keys;   /* most keys a row sees */
    size_t shared; /* prefix rows, once for every sequence that sees them */
    /* of the encoder's batch */
    size_t E, source_slots, sources;
    size_t looked; /* rows of it, once for every sequence that looks at them */
};

/* An encoder's pass is one of its own, run first. */
struct pass {
    struct model *m;
    struct pass *encoder; /* NULL: the model has none */
    enum pass_mode mode;
    struct need has;
    struct arena arena;
    struct kept kept;
    float *raw;            /* (B, C) embedded, where that is normed */
    float *hidden;         /* (B, C) */
    float *cs[ARCH_KINDS]; /* (B, R) */
    float *k, *v, *norms;  /* stores of one layer: all sequences */
    float *xk, *xv,
        *xnorms;            /* those of cross-attention: all sequences of the encoder */
    struct block_run *runs; /* (seqs) */
    struct block_run *sources; /* (sources) */
    struct attn_bias bias;
    struct block block;
    struct block_back back;
    float *dx; /* (B, C) */
};

/* ---- memory ------------------------------------------------------------------------ */

/* 1 if the way back is wanted. */
static int trains(const struct pass *p)
{
    return p->mode != PASS_SCORE;
}

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
    w->dpart = after || c->embed_norm || c->branch_scale != 1
                   ? arena_take(a, n->B * c->C, f)
                   : NULL;
    w->dh = arena_take(a, n->B * c->C, f);
    w->dact = arena_take(a, mlp_dact_floats(p->m, n->B), f);
    w->dup = arena_take(a, mlp_dup_floats(p->m, n->B), f);
    w->datt = arena_take(a, n->B * c->H * c->D, f);
    w->dqkv = arena_take(a, n->B * block_qkv_width(p->m), f);
    w->dpre = arena_take(a, 2 * greatest(n->shared, n->looked) * c->G * c->D, f);
    w->dbias = arena_take(a, n->seqs * c->H * c->buckets, f);
    w->dxkv = arena_take(a, n->E * 2 * c->G * c->D, f);
    w->dsource = arena_take(a, n->E * c->C, f);
    p->dx = arena_take(a, n->B * c->C, f);
}

/* The encoder's keys and values. */
static void carve_sources(struct pass *p, struct arena *a, const struct need *n)
{
    const struct arch *c = &p->m->arch;
    const struct attn_shape s = block_attn_shape(p->m, 0);
    const enum attn_keep keep = block_keep(p->m, 0, CAPTURE_CROSS);
    const size_t f = sizeof(float);

    p->xk = arena_take(a, attn_store_k(&s, n->source_slots, keep), f);
    p->xv = arena_take(a, attn_store_v(&s, n->source_slots, keep), f);
    p->xnorms = trains(p) ? NULL : arena_take(a, c->H * n->source_slots, f);
    p->sources = arena_take(a, n->sources, sizeof *p->sources);
}

static void carve(struct pass *p, struct arena *a, const struct need *n)
{
    const struct model *m = p->m;
    const struct arch *c = &m->arch;
    const struct attn_shape s = block_attn_shape(m, 0);
    const enum attn_keep keep = block_keep(m, 0, CAPTURE_SELF);
    const int train = trains(p);
    const size_t f = sizeof(float);

    if (train)
        carve_backward(p, a, n);
    kept_carve(&p->kept, m, p->mode, n->B, n->E, p->back.dup, a);
    p->raw = c->embed_norm ? arena_take(a, n->B * c->C, f) : NULL;
    p->hidden = arena_take(a, n->B * c->C, f);
    for (size_t k = 0; k < ARCH_KINDS; k++)
        p->cs[k] = m->freq[k] ? arena_take(a, n->B * c->R, f) : NULL;
    p->k = arena_take(a, attn_store_k(&s, n->slots, keep), f);
    p->v = arena_take(a, attn_store_v(&s, n->slots, keep), f);
    p->norms = train ? NULL : arena_take(a, c->H * n->slots, f);
    p->runs = arena_take(a, n->seqs, sizeof *p->runs);
    p->block.attn = arena_take(a, n->seqs, sizeof *p->block.attn);
    p->block.h = arena_take(a, block_h_floats(m, n->B), f);
    p->block.turned =
        c->qk_norm != QK_PLAIN ? arena_take(a, n->B * block_qkv_width(m), f) : NULL;
    p->block.act = arena_take(a, mlp_act_floats(m, n->B), f);
    adapter_carve(&p->block.lora, m, a, greatest(n->B, n->E),
                  model_is_packed(m) ? ADAPTER_STEP : ADAPTER_TRAIN);
    p->block.attn_scratch = arena_take(a, block_attn_scratch(m, n->keys), f);
    block_bias_carve(&p->bias, m, a, n->keys);
    if (c->encoder.L)
        carve_sources(p, a, n);
}

static struct need larger(const struct need *a, const struct need *b)
{
    return (struct need){.B = greatest(a->B, b->B),
                         .slots = greatest(a->slots, b->slots),
                         .seqs = greatest(a->seqs, b->seqs),
                         .keys = greatest(a->keys, b->keys),
                         .shared = greatest(a->shared, b->shared),
                         .E = greatest(a->E, b->E),
                         .source_slots = greatest(a->source_slots, b->source_slots),
                         .sources = greatest(a->sources, b->sources),
                         .looked = greatest(a->looked, b->looked)};
}

static int reserve(struct pass *p, const struct need *n, struct err *e)
{
    struct need *has = &p->has;
    const struct need both = larger(n, has);
    struct arena a = {0};

    if (memcmp(&both, has, sizeof both) == 0)
        return 0;
    *has = both;
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
static struct need guess(const struct model *m, size_t rows)
{
    struct need n = {
        .B = rows, .slots = rows + 16 * 64, .seqs = 64, .keys = rows, .shared = rows};

    if (m->encoder) {
        n.E = n.looked = n.B;
        n.source_slots = n.slots;
        n.sources = n.seqs;
    }
    return n;
}

int pass_new(struct pass **out, struct model *m, size_t max_rows, enum pass_mode mode,
             struct err *e)
{
    struct pass *p = calloc(1, sizeof *p);
    const struct need n = guess(m, max_rows);
    int rc = 0;

    assert(!model_is_packed(m) || mode == PASS_SCORE);
    *out = NULL;
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a pass");
    p->m = m;
    p->mode = mode;
    if (m->encoder)
        rc = pass_new(&p->encoder, m->encoder, max_rows, mode, e);
    if (rc < 0 || (max_rows && (rc = reserve(p, &n, e)) < 0))
        pass_free(p);
    else
        *out = p;
    return rc;
}

void pass_free(struct pass *p)
{
    if (!p)
        return;
    pass_free(p->encoder);
    arena_release(&p->arena);
    free(p);
}

size_t pass_bytes(const struct model *m, size_t rows, enum pass_mode mode)
{
    struct pass p = {.m = (struct model *)m, .mode = mode};
    const struct need n = guess(m, rows);
    struct arena a = {0};

    carve(&p, &a, &n);
    return a.used + (m->encoder ? pass_bytes(m->encoder, rows, mode) : 0);
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

/* Slots of the sequences before i. */
static size_t slots_of(const struct batch *b, size_t i)
{
    size_t slot = 0;

    for (size_t j = 0; j < i; j++)
        slot += attn_store_cap(b->seqs[j].rows);
    return slot;
}

static struct need needs(const struct batch *b)
{
    struct need n = {.B = b->B, .seqs = b->n, .slots = slots_of(b, b->n)};

    for (size_t i = 0; i < b->n; i++) {
        const struct batch_seq *s = &b->seqs[i];

        n.keys = greatest(n.keys, s->pre + s->rows);
        n.shared += s->pre;
        if (b->source) {
            const size_t looked = b->source->seqs[s->source].rows;

            n.keys = greatest(n.keys, looked);
            n.looked += looked;
        }
    }
    if (b->source) {
        n.E = b->source->B;
        n.sources = b->source->n;
        n.source_slots = slots_of(b->source, b->source->n);
    }
    return n;
}

/* Memory that all sequences of a batch share out. */
struct stores {
    float *k, *v, *norms;
    enum attn_keep keep;
};

/* The store of sequence i; it holds all heads, one after the other. */
static struct block_store store(const struct pass *p, const struct stores *of,
                                const struct batch *b, size_t i)
{
    const struct arch *c = &p->m->arch;
    const struct attn_shape s = block_attn_shape(p->m, 0);
    const size_t slot = slots_of(b, i);

    return (struct block_store){
        .kv = {.k = of->k + attn_store_k(&s, slot, of->keep),
               .v = of->v + attn_store_v(&s, slot, of->keep),
               .cap = attn_store_cap(b->seqs[i].rows),
               .keep = of->keep},
        .norms = of->norms ? of->norms + slot * c->H : NULL,
    };
}

/* The encoder's output as the layers of p look at it. */
static void make_source(struct pass *p, const struct batch *b, const float *hidden)
{
    const struct stores cross = {p->xk, p->xv, p->xnorms,
                                 block_keep(p->m, 0, CAPTURE_CROSS)};

    for (size_t i = 0; i < b->n; i++)
        p->sources[i] = (struct block_run){.row0 = b->seqs[i].row0,
                                           .n = b->seqs[i].rows,
                                           .own = store(p, &cross, b, i)};
    p->block.source = (struct block_source){hidden, b->B, p->sources, b->n};
}

/* Sequences without rows of their own do nothing. */
static size_t make_runs(struct pass *p, const struct batch *b)
{
    const struct stores self = {p->k, p->v, p->norms,
                                block_keep(p->m, 0, CAPTURE_SELF)};
    size_t n = 0;

    p->block.prefixes = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct batch_seq *s = &b->seqs[i];
        struct block_run r = {.row0 = s->row0,
                              .n = s->rows,
                              .at = s->pre,
                              .pre = s->pre,
                              .pre0 = s->pre0,
                              .own = store(p, &self, b, i)};

        if (s->rows == 0)
            continue;
        if (s->pre) {
            r.prefix = store(p, &self, b, (size_t)s->prefix);
            p->block.prefixes = 1;
        }
        if (p->encoder) {
            r.src = b->source->seqs[s->source].rows;
            r.src0 = b->source->seqs[s->source].row0;
            r.source = p->sources[s->source].own;
        }
        p->runs[n++] = r;
    }
    return n;
}

/* ---- forward ----------------------------------------------------------------------- */

static int check_hidden(const struct pass *p, struct err *e)
{
    return all_finite(kern_isa(p->m->kern), p->hidden, p->block.B * p->m->arch.C)
               ? 0
               : err_set(e, ERR_NUMERIC, "%s: hidden states are not finite numbers",
                         p->m->path);
}

static void layer_forward(struct pass *p, size_t l)
{
    const struct block_acts a = kept_acts(&p->kept, l);

    block_forward_attention(&p->block, l, &a);
    kept_close(&p->kept, l, KEPT_ATTENTION, p->block.B, p->block.source.E);
    block_forward_mlp(&p->block, l, &a);
    kept_close(&p->kept, l, KEPT_MLP, p->block.B, p->block.source.E);
}

int pass_forward(struct pass *p, const struct batch *b, struct capture *capture,
                 const float **hidden, struct err *e)
{
    const struct model *m = p->m;
    const struct need n = needs(b);
    const float *source;
    int rc;

    if ((rc = check(m, b, e)) < 0 || (rc = reserve(p, &n, e)) < 0)
        return rc;
    if (p->encoder) {
        if ((rc = pass_forward(p->encoder, b->source, NULL, &source, e)) < 0)
            return rc;
        make_source(p, b->source, source);
    }
    p->block.m = p->m;
    p->block.products = model_is_packed(m) ? BLOCK_ROWS : BLOCK_FREE;
    p->block.B = b->B;
    memcpy(p->block.cs, p->cs, sizeof p->cs);
    p->block.bias = block_bias_fill(&p->bias, m);
    p->block.runs = p->runs;
    p->block.n = make_runs(p, b);
    p->block.capture = capture;
    block_embed(m, kept_residual(&p->kept, 0), p->raw, b->ids, b->pos, b->B);
    model_turns(m, p->cs, b->pos, b->B);
    for (size_t l = 0; l < m->arch.L; l++)
        layer_forward(p, l);
    block_norm(m, p->hidden, NULL, NULL, pass_residual(p, m->arch.L), m->norm,
               m->norm_b, b->B);
    p->block.capture = NULL;
    *hidden = p->hidden;
    return check_hidden(p, e);
}

const struct pass *pass_encoder(const struct pass *p)
{
    return p->encoder;
}

const float *pass_hidden(const struct pass *p)
{
    return p->hidden;
}

const float *pass_residual(const struct pass *p, size_t l)
{
    return kept_residual(&p->kept, l);
}

/* ---- backward ---------------------------------------------------------------------- */

struct clearing {
    const struct model *m;
    float *grads;
    size_t from; /* cleared up to here */
};

static void clear_up_to(struct clearing *c, size_t to)
{
    par_zero(kern_par(c->m->kern), c->grads + c->from, to - c->from);
}

static int clear_before(void *ctx, const struct model_matrix *x)
{
    struct clearing *c = ctx;

    assert(x->at >= c->from); /* as they lie */
    clear_up_to(c, x->at);
    c->from = x->at + x->N * x->K;
    return 0;
}

void pass_clear(const struct model *m, float *grads)
{
    struct clearing c = {m, grads, 0};

    if (!m->adapter)
        model_each_matrix(m, clear_before, &c);
    clear_up_to(&c, model_trained(m)->size);
}

static void layer_backward(struct pass *p, size_t l, float *grads)
{
    const struct block_acts a = kept_acts(&p->kept, l);

    if (p->mode == PASS_RECOMPUTE && l + 1 < p->m->arch.L)
        layer_forward(p, l);
    kept_open(&p->kept, l, KEPT_MLP, p->block.B, p->block.source.E);
    block_backward_mlp(&p->block, &p->back, l, &a, p->dx, grads);
    kept_open(&p->kept, l, KEPT_ATTENTION, p->block.B, p->block.source.E);
    block_backward_attention(&p->block, &p->back, l, &a, p->dx, grads);
}

void pass_backward(struct pass *p, const struct batch *b, const float *dh, float *grads,
                   enum pass_sum sum)
{
    const struct model *m = p->m;
    const size_t C = m->arch.C, L = m->arch.L;
    float *base = m->adapter ? NULL : grads; /* its own parameters' */

    assert(trains(p) && b->B == p->block.B);
    p->block.lora.grads = m->adapter ? grads : NULL;
    p->back.beta = sum == PASS_FIRST ? 0 : 1;
    if (p->encoder)
        memset(p->back.dsource, 0, p->block.source.E * C * sizeof *p->back.dsource);
    block_norm(m, p->hidden, p->back.r, p->back.mean, pass_residual(p, L), m->norm,
               m->norm_b, b->B);
    memset(p->dx, 0, b->B * C * sizeof *p->dx);
    block_norm_backward(m, p->dx, dh, pass_residual(p, L), p->back.r, p->back.mean,
                        m->norm, m->norm_b, b->B, base);
    for (size_t l = L; l-- > 0;)
        layer_backward(p, l, base);
    if (base)
        block_embed_backward(m, &p->back, p->dx, p->raw, b->ids, b->pos, b->B, base);
    if (p->encoder)
        pass_backward(p->encoder, b->source, p->back.dsource, grads, sum);
}
