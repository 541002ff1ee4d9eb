/*
 * The walk over a model's parameters: the one place that says which there are, in which
 * order they lie, and what shape each has.
 */
#include "model/private.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 160 };

/* The name with the layer's number for '#'. */
static const char *expand(char out[NAME_MAX_BYTES], const char *name, size_t l)
{
    const char *hash = strchr(name, '#');

    if (!hash)
        return name;
    snprintf(out, NAME_MAX_BYTES, "%.*s%zu%s", (int)(hash - name), name, l, hash + 1);
    return out;
}

struct walk {
    struct model *m;               /* whose layers are walked */
    struct plan *plan;             /* of the whole */
    const struct arch_name *names; /* of m's tensors */
    size_t l;                      /* the layer */
    const struct weights *w;
    int strip; /* the family's prefix is left out, as published gpt2 does */
};

static int has(const struct weights *w, const char *name)
{
    return w && weights_kind(w) == WEIGHTS_HF && weights_find(w, name);
}

/* The name as files have it that leave out the family's prefix, or as it is. */
static const char *stored(const struct walk *w, const char *name)
{
    const char *prefix = w->m->arch.family->prefix;

    return w->strip && strncmp(name, prefix, strlen(prefix)) == 0
               ? name + strlen(prefix)
               : name;
}

static size_t add(const struct walk *w, enum arch_tensor t, size_t rows, size_t cols,
                  unsigned flags)
{
    const struct arch_name *n = &w->names[t];
    char hf[NAME_MAX_BYTES], also[NAME_MAX_BYTES], gguf[NAME_MAX_BYTES];

    if (!n->hf)
        return MODEL_NONE;
    const char *name = stored(w, expand(hf, n->hf, w->l));
    const char *other = n->also ? stored(w, expand(also, n->also, w->l)) : NULL;
    if (other && has(w->w, other))
        name = other;
    return plan_add(w->plan, rows, cols, flags | n->flags, name,
                    n->gguf ? expand(gguf, n->gguf, w->l) : NULL);
}

static size_t add_vector(const struct walk *w, enum arch_tensor t, size_t n)
{
    return add(w, t, 1, n, PLAN_VECTOR);
}

/* A bias, or a norm that only some models have. */
static size_t add_if(const struct walk *w, int there, enum arch_tensor t, size_t n)
{
    return there ? add_vector(w, t, n) : MODEL_NONE;
}

static void add_qkv(const struct walk *w, struct model_layer *y)
{
    const struct arch *a = &w->m->arch;
    const size_t q = a->H * a->D, kv = a->G * a->D;

    if (w->names[ARCH_QKV].hf) {
        y->qkv = add(w, ARCH_QKV, q + 2 * kv, a->C, 0);
        y->qkv_b = add_if(w, a->bias_qkv, ARCH_QKV_B, q + 2 * kv);
        return;
    }
    y->qkv = add(w, ARCH_Q, q, a->C, 0);
    add(w, ARCH_K, kv, a->C, PLAN_JOINED);
    add(w, ARCH_V, kv, a->C, PLAN_JOINED);
    y->qkv_b = add_if(w, a->bias_qkv, ARCH_Q_B, q);
    if (a->bias_qkv) {
        add(w, ARCH_K_B, 1, kv, PLAN_VECTOR | PLAN_JOINED);
        add(w, ARCH_V_B, 1, kv, PLAN_VECTOR | PLAN_JOINED);
    }
}

static void add_qk_norms(const struct walk *w, struct model_layer *y)
{
    const struct arch *a = &w->m->arch;
    const int wide = a->qk_norm == QK_WIDE, there = a->qk_norm != QK_PLAIN;

    y->q_norm = add_if(w, there, ARCH_Q_NORM, wide ? a->H * a->D : a->D);
    y->k_norm = add_if(w, there, ARCH_K_NORM, wide ? a->G * a->D : a->D);
}

/* Cross-attention: queries from the decoder, keys and values from the encoder's output.
 */
static void add_cross(const struct walk *w, struct model_layer *y)
{
    const struct arch *a = &w->m->arch;
    const size_t q = a->H * a->D, kv = a->G * a->D;
    const int after = a->placement == NORM_OUTSIDE, bias = a->norm == NORM_LAYER;

    y->xln = add_if(w, !after, ARCH_XLN, a->C);
    y->xln_b = add_if(w, !after && bias, ARCH_XLN_B, a->C);
    y->xq = add(w, ARCH_XQ, q, a->C, 0);
    y->xq_b = add_if(w, a->bias_qkv, ARCH_XQ_B, q);
    y->xkv = add(w, ARCH_XK, kv, a->C, 0);
    add(w, ARCH_XV, kv, a->C, PLAN_JOINED);
    y->xkv_b = add_if(w, a->bias_qkv, ARCH_XK_B, kv);
    if (a->bias_qkv)
        add(w, ARCH_XV_B, 1, kv, PLAN_VECTOR | PLAN_JOINED);
    y->xo = add(w, ARCH_XO, a->C, q, 0);
    y->xo_b = add_if(w, a->bias_o, ARCH_XO_B, a->C);
    y->xpost = add_if(w, after, ARCH_XLN, a->C);
    y->xpost_b = add_if(w, after && bias, ARCH_XLN_B, a->C);
}

static void add_up(const struct walk *w, struct model_layer *y)
{
    const struct arch *a = &w->m->arch;
    const int gated = a->mlp == MLP_GATED, apart = w->names[ARCH_GATE].hf != NULL;
    const size_t rows = gated && !apart ? 2 * a->F : a->F;
    const enum arch_tensor one =
        !gated && w->names[ARCH_PLAIN].hf ? ARCH_PLAIN : ARCH_UP;

    if (!gated || !apart) {
        y->up = add(w, one, rows, a->C, 0);
        y->up_b = add_if(w, a->bias_mlp, ARCH_UP_B, rows);
        return;
    }
    y->up = add(w, ARCH_GATE, a->F, a->C, 0);
    add(w, ARCH_UP, a->F, a->C, PLAN_JOINED);
    y->up_b = add_if(w, a->bias_mlp, ARCH_GATE_B, a->F);
    if (a->bias_mlp)
        add(w, ARCH_UP_B, 1, a->F, PLAN_VECTOR | PLAN_JOINED);
}

/* `end` is last: everything before it is the layer's, or an earlier one's. */
static void add_layer(const struct walk *w, struct model_layer *y)
{
    const struct arch *a = &w->m->arch;
    const int before = a->placement == NORM_BEFORE || a->placement == NORM_AROUND;
    const int after = a->placement != NORM_BEFORE;
    const int centred = a->norm == NORM_LAYER;

    y->ln1 = add_if(w, before, ARCH_LN1, a->C);
    y->ln1_b = add_if(w, before && centred, ARCH_LN1_B, a->C);
    add_qkv(w, y);
    add_qk_norms(w, y);
    y->o = add(w, ARCH_O, a->C, a->H * a->D, 0);
    y->o_b = add_if(w, a->bias_o, ARCH_O_B, a->C);
    y->post1 = add_if(w, after, ARCH_POST1, a->C);
    y->post1_b = add_if(w, after && centred, ARCH_POST1_B, a->C);
    if (a->encoder.L)
        add_cross(w, y);
    y->ln2 = add_if(w, before, ARCH_LN2, a->C);
    y->ln2_b = add_if(w, before && centred, ARCH_LN2_B, a->C);
    add_up(w, y);
    y->down = add(w, ARCH_DOWN, a->C, a->F, 0);
    y->down_b = add_if(w, a->bias_mlp, ARCH_DOWN_B, a->C);
    y->post2 = add_if(w, after, ARCH_POST2, a->C);
    y->post2_b = add_if(w, after && centred, ARCH_POST2_B, a->C);
    y->end = w->plan->size;
}

/* What lies between embedding and head. */
static int add_stack(struct walk *w, struct err *e)
{
    struct model *m = w->m;
    const struct arch *a = &m->arch;
    const int end = a->placement != NORM_OUTSIDE, bias = a->norm == NORM_LAYER;

    m->layer = calloc(a->L, sizeof *m->layer);
    if (!m->layer)
        return err_set(e, ERR_NOMEM, "%s: no memory for %zu layers", m->path, a->L);
    m->position = MODEL_NONE;
    if (a->position == POS_LEARNED)
        m->position = add(w, ARCH_POSITION, a->context + a->position_offset, a->C, 0) +
                      a->position_offset * a->C;
    m->types = a->types ? add(w, ARCH_TYPE, a->types, a->C, 0) : MODEL_NONE;
    m->embed_norm = add_if(w, a->embed_norm, ARCH_EMBED_NORM, a->C);
    m->embed_norm_b = add_if(w, a->embed_norm && bias, ARCH_EMBED_NORM_B, a->C);
    m->relative = a->position == POS_RELATIVE
                      ? add(w, ARCH_RELATIVE, a->buckets, a->H, 0)
                      : MODEL_NONE;
    for (w->l = 0; w->l < a->L; w->l++)
        add_layer(w, &m->layer[w->l]);
    m->norm = add_if(w, end, ARCH_NORM, a->C);
    m->norm_b = add_if(w, end && bias, ARCH_NORM_B, a->C);
    return 0;
}

/* The encoder: a stack of its own over the same embedding. */
static int add_encoder(struct walk w, struct err *e)
{
    struct model *n = calloc(1, sizeof *n);

    if (!n)
        return err_set(e, ERR_NOMEM, "%s: no memory for its encoder", w.m->path);
    w.m->encoder = n;
    n->arch = arch_encoder(&w.m->arch);
    n->kern = w.m->kern;
    n->mode = w.m->mode;
    n->path = w.m->path;
    n->embed = w.m->embed;
    n->head = n->head_b = MODEL_NONE;
    w.names = w.m->arch.family->encoder;
    w.m = n;
    return add_stack(&w, e);
}

size_t model_matrices(struct model_matrix out[MATRIX_KINDS], const struct model *m,
                      size_t l)
{
    const struct arch *a = &m->arch;
    const struct model_layer *y = &m->layer[l];
    const size_t C = a->C, q = a->H * a->D, kv = 2 * a->G * a->D;
    const size_t up = a->mlp == MLP_GATED ? 2 * a->F : a->F;
    size_t n = 0;

    out[n++] = (struct model_matrix){MATRIX_QKV, y->qkv, q + kv, C};
    out[n++] = (struct model_matrix){MATRIX_O, y->o, C, q};
    if (a->encoder.L) {
        out[n++] = (struct model_matrix){MATRIX_XQ, y->xq, q, C};
        out[n++] = (struct model_matrix){MATRIX_XKV, y->xkv, kv, C};
        out[n++] = (struct model_matrix){MATRIX_XO, y->xo, C, q};
    }
    out[n++] = (struct model_matrix){MATRIX_UP, y->up, up, C};
    out[n++] = (struct model_matrix){MATRIX_DOWN, y->down, C, a->F};
    return n;
}

int model_each_matrix(const struct model *m,
                      int (*fn)(void *ctx, const struct model_matrix *x), void *ctx)
{
    const struct model *stack[] = {m->encoder, m};
    struct model_matrix x[MATRIX_KINDS];
    int rc = 0;

    for (size_t s = 0; s < 2; s++)
        for (size_t l = 0; stack[s] && l < stack[s]->arch.L; l++)
            for (size_t i = 0, n = model_matrices(x, stack[s], l); i < n; i++)
                if ((rc = fn(ctx, &x[i])) != 0)
                    return rc;
    return rc;
}

int model_layout(struct model *m, const struct weights *weights, struct err *e)
{
    const struct arch *a = &m->arch;
    const char *first = a->family->names[ARCH_EMBED].hf;
    struct walk w = {.m = m, .plan = &m->plan, .names = a->family->names, .w = weights};
    int rc;

    w.strip = !has(weights, first) && has(weights, first + strlen(a->family->prefix));

    m->plan.head = a->D;
    m->embed = add(&w, ARCH_EMBED, a->V, a->C, 0);
    if ((a->encoder.L && (rc = add_encoder(w, e)) < 0) || (rc = add_stack(&w, e)) < 0)
        return rc;
    m->head = a->tied ? m->embed : add(&w, ARCH_HEAD, a->V, a->C, 0);
    m->head_b = a->bias_out ? add(&w, ARCH_HEAD_B, 1, a->V, PLAN_FROZEN) : MODEL_NONE;
    return plan_done(&m->plan, m->path, e);
}
