/*
 * Parameters from a file into the block.
 *
 * For sampling, a layer is read to a stage that the next layer takes over, its matrices
 * are packed, and the rest goes to its place in the block; the head, which may be the
 * embedding too, goes through it in pieces.  What is float32 in the file is packed from where
 * it lies.  At no time is a model in memory twice, and
 * pages that nothing will read are never touched (the kernel's clearing them is most of
 * what a start costs).
 */
#include "base/hash.h"
#include "kern/finite.h"
#include "model/adapter.h"
#include "model/private.h"
#include "tensor/dims.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- one parameter ----------------------------------------------------------------- */

struct loader {
    struct model *m;
    const struct weights *w;
    struct hasher *hash;
    float *turn;                /* scratch for transposed matrices */
    size_t packed;              /* bytes of m->pack taken */
    struct model *const *stack; /* whose layer l is packed next; NULL ends them */
    size_t l;
    struct arena room; /* of the stage */
    float *stage;      /* the block's floats from..to-1, while that layer is read */
    size_t from, to;
    struct model_matrix matrix[MATRIX_KINDS]; /* of that layer, to be packed */
    size_t matrices;
    int in_pieces[MATRIX_KINDS]; /* may it be packed parameter by parameter? */
};

/* Where the parameter at that offset of the block is read to. */
static float *place(const struct loader *ld, size_t offset)
{
    if (offset >= ld->from && offset < ld->to)
        return ld->stage + (offset - ld->from);
    return ld->m->params + offset;
}

static const char *file_name(const struct loader *ld, const struct plan_param *p)
{
    return weights_kind(ld->w) == WEIGHTS_GGUF ? p->gguf : p->name;
}

static int read_reordered(struct loader *ld, const struct plan_param *p,
                          const struct weights_tensor *t, float *out, struct err *e)
{
    const int turned = (p->flags & PLAN_TRANSPOSED) != 0;
    const size_t rows = turned ? p->cols : p->rows, cols = turned ? p->rows : p->cols;
    float *turn = realloc(ld->turn, rows * cols * sizeof *turn);

    if (!turn)
        return err_set(e, ERR_NOMEM, "%s: no memory for '%s'", t->file, t->name);
    ld->turn = turn;
    weights_read(t, 0, rows, turn, cols, ld->m->kern);
    plan_import(&ld->m->plan, p, out, turn);
    return 0;
}

static void subtract_one(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] -= 1;
}

/* The tensor of a parameter, of the right shape. */
static int find_tensor(const struct weights_tensor **t, const struct loader *ld,
                       const struct plan_param *p, struct err *e)
{
    const int turned =
        weights_kind(ld->w) != WEIGHTS_GGUF && p->flags & PLAN_TRANSPOSED;

    return weights_matrix(t, ld->w, file_name(ld, p), turned ? p->cols : p->rows,
                          turned ? p->rows : p->cols, e);
}

/* What is read is looked at twice.  The hash goes from end to end and takes longest: the first
 * task; the others look for what is not a finite number, LOOK_RUN floats each. */
enum { LOOK_RUN = 1 << 15 };

struct look {
    struct hasher *hash; /* NULL: none is wanted */
    const float *x;
    size_t n;
    enum isa isa;
    atomic_int strange; /* one that is not finite was seen */
};

static void look_task(void *arg, size_t i, size_t worker)
{
    struct look *k = arg;
    const size_t from = (i - 1) * LOOK_RUN;

    (void)worker;
    if (i > 0) {
        if (!all_finite(k->isa, k->x + from, least(k->n - from, LOOK_RUN)))
            k->strange = 1;
    } else if (k->hash) {
        hasher_add(k->hash, k->x, k->n * sizeof *k->x);
    }
}

/* Adds n values of a tensor to the hash, and refuses what is not a finite number. */
static int look_through(const struct loader *ld, const struct weights_tensor *t,
                        const float *x, size_t n, struct err *e)
{
    const struct kern *kern = ld->m->kern;
    struct look k = {.hash = ld->hash, .x = x, .n = n, .isa = kern_isa(kern)};

    par_for(n < 4096 ? NULL : kern_par(kern), 1 + ceil_div(n, LOOK_RUN), look_task, &k);
    return k.strange
               ? err_set(e, ERR_NUMERIC, "%s: '%s' holds what is not a finite number",
                         t->file, t->name)
               : 0;
}

/* The matrix of the layer on the stage that a parameter is some rows of, or NULL. */
static const struct model_matrix *matrix_of(const struct loader *ld,
                                            const struct plan_param *p)
{
    for (size_t i = 0; i < ld->matrices; i++) {
        const struct model_matrix *x = &ld->matrix[i];

        if (p->offset >= x->at && p->offset < x->at + x->N * x->K)
            return x;
    }
    return NULL;
}

/* The layer on the stage is that which is packed next. */
static void find_matrices(struct loader *ld)
{
    const struct plan *plan = &ld->m->plan;

    ld->matrices = model_matrices(ld->matrix, *ld->stack, ld->l);
    for (size_t i = 0; i < ld->matrices; i++)
        ld->in_pieces[i] = 1;
    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];
        const struct model_matrix *x = matrix_of(ld, p);

        if (x && (p->offset - x->at) % (GEMM_PIECE * x->K) != 0)
            ld->in_pieces[x - ld->matrix] = 0;
    }
}

/* The values of a parameter that is packed from the file, or NULL. */
static const float *in_file(const struct loader *ld, const struct plan_param *p)
{
    const int gguf = weights_kind(ld->w) == WEIGHTS_GGUF;
    const struct model_matrix *x = matrix_of(ld, p);
    const struct weights_tensor *t;

    if (!x || !ld->in_pieces[x - ld->matrix] ||
        (gguf && p->flags & (PLAN_QK | PLAN_PLUS_ONE)) || (!gguf && plan_reordered(p)))
        return NULL;
    t = weights_find(ld->w, file_name(ld, p));
    return t ? weights_floats(t) : NULL;
}

static int load_param(struct loader *ld, const struct plan_param *p, float *out,
                      struct err *e)
{
    const int gguf = weights_kind(ld->w) == WEIGHTS_GGUF;
    const struct weights_tensor *t;

    if (p->flags & PLAN_FROZEN && !weights_find(ld->w, file_name(ld, p))) {
        memset(out, 0, p->rows * p->cols * sizeof *out);
        if (ld->hash)
            hasher_add(ld->hash, out, p->rows * p->cols * sizeof *out);
        return 0;
    }
    int rc = find_tensor(&t, ld, p, e);

    if (rc < 0)
        return rc;
    const float *there = in_file(ld, p);
    if (there)
        return look_through(ld, t, there, p->rows * p->cols, e);
    if (!gguf && plan_reordered(p))
        rc = read_reordered(ld, p, t, out, e);
    else if (gguf && p->flags & PLAN_QK)
        weights_read_qk(t, ld->m->arch.D, out, p->cols, ld->m->kern);
    else
        weights_read(t, 0, p->rows, out, p->cols, ld->m->kern);
    if (rc < 0)
        return rc;
    if (gguf && p->flags & PLAN_PLUS_ONE)
        subtract_one(out, p->rows * p->cols);
    return look_through(ld, t, out, p->rows * p->cols, e);
}

/* ---- packing ----------------------------------------------------------------------- */

/* What the matrix of n numbers at an offset of the block is packed as: bfloat16 where that is
 * asked for, and where the file holds nothing else, for then it loses nothing. */
static enum kern_dtype packed_type(const struct loader *ld, size_t at, size_t n)
{
    const struct plan *plan = &ld->m->plan;

    if (kern_dtype(ld->m->kern) == KERN_BF16)
        return KERN_BF16;
    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];
        const struct weights_tensor *t;

        if (p->offset < at || p->offset >= at + n)
            continue;
        t = weights_find(ld->w, file_name(ld, p));
        if (!t || strcmp(t->type, "BF16") != 0)
            return KERN_F32;
    }
    return KERN_BF16;
}

static size_t packed_bytes(const struct loader *ld, size_t at, size_t N, size_t K)
{
    return gemm_pack_bytes(ld->m->kern, N, K, packed_type(ld, at, N * K));
}

/* Some from the stage, some from the file. */
static void pack_pieces(const struct loader *ld, const struct gemm_weight *w,
                        const struct model_matrix *x)
{
    const struct plan *plan = &ld->m->plan;

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];

        if (matrix_of(ld, p) != x)
            continue;
        const float *there = in_file(ld, p);
        gemm_pack_rows(w, ld->m->kern, there ? there : place(ld, p->offset), x->K,
                       (p->offset - x->at) / x->K, p->rows);
    }
}

static int pack(struct loader *ld, struct gemm_weight *w, const struct model_matrix *x,
                struct err *e)
{
    const struct model *m = ld->m;
    const enum kern_dtype type = packed_type(ld, x->at, x->N * x->K);
    const size_t bytes = gemm_pack_bytes(m->kern, x->N, x->K, type);
    void *mem = bytes ? m->pack.base + ld->packed : NULL;
    int rc = 0;

    if (ld->matrices > 0 && ld->in_pieces[x - ld->matrix]) {
        gemm_pack_begin(w, mem, x->N, x->K, type);
        pack_pieces(ld, w, x);
    } else {
        rc = gemm_pack(w, m->kern, mem, place(ld, x->at), x->K, x->N, x->K, type, e);
    }
    ld->packed += rc < 0 ? 0 : bytes;
    return rc;
}

/* Where a layer's matrix goes when it is packed. */
static struct gemm_weight *packed_at(struct model_packed *p, enum model_kind kind)
{
    static const size_t offset[MATRIX_KINDS] = {
        [MATRIX_QKV] = offsetof(struct model_packed, qkv),
        [MATRIX_O] = offsetof(struct model_packed, o),
        [MATRIX_XQ] = offsetof(struct model_packed, xq),
        [MATRIX_XKV] = offsetof(struct model_packed, xkv),
        [MATRIX_XO] = offsetof(struct model_packed, xo),
        [MATRIX_UP] = offsetof(struct model_packed, up),
        [MATRIX_DOWN] = offsetof(struct model_packed, down),
    };

    return (struct gemm_weight *)((char *)p + offset[kind]);
}

/* Begins a stage for the block's floats from..to-1. */
static int stage_begin(struct loader *ld, size_t from, size_t to, struct err *e)
{
    const size_t bytes = (to - from) * sizeof *ld->stage;

    if (bytes > ld->room.size) {
        arena_release(&ld->room);
        ld->room.used = bytes;
        const int rc = arena_alloc(&ld->room, ld->m->path, e);
        if (rc < 0)
            return rc;
        ld->stage = arena_take(&ld->room, 1, bytes);
    }
    ld->from = from;
    ld->to = to;
    return 0;
}

/* Ends it: what lies in none of the matrices that were packed goes to the block. */
static void stage_end(struct loader *ld)
{
    const struct plan *plan = &ld->m->plan;

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];

        if (p->offset >= ld->from && p->offset < ld->to && !matrix_of(ld, p))
            memcpy(ld->m->params + p->offset, place(ld, p->offset),
                   p->rows * p->cols * sizeof *ld->m->params);
    }
    ld->from = ld->to = ld->matrices = 0;
}

static int pack_layer(struct loader *ld, struct err *e)
{
    struct model_matrix x[MATRIX_KINDS];
    const size_t n = model_matrices(x, *ld->stack, ld->l);

    for (size_t i = 0; i < n; i++) {
        struct model_packed *to = &(*ld->stack)->packed[ld->l];
        const int rc = pack(ld, packed_at(to, x[i].kind),
                            ld->matrices ? &ld->matrix[i] : &x[i], e);

        if (rc < 0)
            return rc;
    }
    stage_end(ld);
    return 0;
}

/* The head, which is used in the order in which it lies: panels of a piece at a time. */
enum { HEAD_PIECE = 8 * GEMM_PIECE };

static int load_head(struct loader *ld, const struct plan_param *p, struct err *e)
{
    struct model *m = ld->m;
    struct gemm_weight *w = &m->packed_head;
    const size_t N = p->rows, K = p->cols;
    const enum kern_dtype type = packed_type(ld, p->offset, N * K);
    const struct weights_tensor *t;
    int rc = find_tensor(&t, ld, p, e);

    if (rc < 0 || (rc = stage_begin(ld, 0, HEAD_PIECE * K, e)) < 0)
        return rc;
    const float *there = weights_floats(t);
    gemm_pack_begin(w, m->pack.base + ld->packed, N, K, type);
    ld->packed += gemm_pack_bytes(m->kern, N, K, type);
    for (size_t n = 0; n < N; n += HEAD_PIECE) {
        const size_t rows = N - n < HEAD_PIECE ? N - n : HEAD_PIECE;

        const float *x = there ? there + n * K : ld->stage;

        if (!there)
            weights_read(t, n, n + rows, ld->stage, K, m->kern);
        if ((rc = look_through(ld, t, x, rows * K, e)) < 0)
            return rc;
        gemm_pack_rows(w, m->kern, x, K, n, rows);
    }
    ld->from = ld->to = 0;
    return 0;
}

/* Weights that are borrowed, not packed, stay in the block. */
int model_is_packed(const struct model *m)
{
    return m->packed && gemm_pack_bytes(m->kern, m->arch.V, m->arch.C, KERN_F32) > 0;
}

static int stage_layer(struct loader *ld, size_t from, size_t to, struct err *e)
{
    const int rc = stage_begin(ld, from, to, e);

    if (rc >= 0)
        find_matrices(ld);
    return rc;
}

/* Parameters up to `offset` are read: packs the layers that end there, and begins the
 * stage of the one behind. */
static int pack_layers(struct loader *ld, size_t offset, struct err *e)
{
    int rc = 0;

    while (*ld->stack && rc >= 0) {
        const size_t end = (*ld->stack)->layer[ld->l].end;

        if (end > offset)
            return model_is_packed(ld->m) && !ld->to && offset > 0
                       ? stage_layer(ld, offset, end, e)
                       : 0;
        rc = pack_layer(ld, e);
        if (++ld->l == (*ld->stack)->arch.L) {
            ld->stack++;
            ld->l = 0;
        }
    }
    return rc;
}

/* Room for the packed matrices of a stack, counted into *bytes. */
static int pack_stack(const struct loader *ld, struct model *m, size_t *bytes,
                      struct err *e)
{
    struct model_matrix x[MATRIX_KINDS];

    if (!m)
        return 0;
    m->packed = calloc(m->arch.L, sizeof *m->packed);
    if (!m->packed)
        return err_set(e, ERR_NOMEM, "%s: no memory for %zu layers", m->path,
                       m->arch.L);
    for (size_t l = 0; l < m->arch.L; l++)
        for (size_t i = 0, n = model_matrices(x, m, l); i < n; i++)
            *bytes += packed_bytes(ld, x[i].at, x[i].N, x[i].K);
    return 0;
}

/* Behind the embedding, or without one, what is kept of a block are islands: in huge pages
 * each of them would take two megabytes. */
static void use_small_pages(const struct model *m)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t table = m->arch.tied ? 0 : m->arch.V * m->arch.C;
    char *from = (char *)round_up((size_t)(m->params + table), page);
    char *to = (char *)((size_t)(m->params + m->plan.size) / page * page);

    if (to > from)
        madvise(from, (size_t)(to - from), MADV_NOHUGEPAGE);
}

static int pack_alloc(const struct loader *ld, struct err *e)
{
    struct model *m = ld->m;
    int rc;

    m->pack.used = packed_bytes(ld, m->head, m->arch.V, m->arch.C);
    if ((rc = pack_stack(ld, m->encoder, &m->pack.used, e)) < 0 ||
        (rc = pack_stack(ld, m, &m->pack.used, e)) < 0)
        return rc;
    return arena_alloc(&m->pack, m->path, e);
}

/* ---- all --------------------------------------------------------------------------- */

static int ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);

    return n >= k && strcmp(s + n - k, end) == 0;
}

static int is_head(const struct arch_name *n, const char *name)
{
    return strcmp(name, n->hf) == 0 || (n->also && strcmp(name, n->also) == 0);
}

static int is_known(const struct model *m, const struct weights *w, const char *name)
{
    const struct family *f = m->arch.family;
    const int gguf = weights_kind(w) == WEIGHTS_GGUF;

    for (size_t i = 0; i < m->plan.n; i++) {
        const struct plan_param *p = &m->plan.param[i];

        if (strcmp(gguf ? p->gguf : p->name, name) == 0)
            return 1;
    }
    for (const char *const *s = f->skip; *s; s++)
        if (ends_with(name, *s))
            return 1;
    return m->arch.tied && is_head(&f->names[ARCH_HEAD], name);
}

/* A tensor that no parameter takes would change what the model computes. */
static int refuse_strangers(const struct model *m, const struct weights *w,
                            struct err *e)
{
    for (size_t i = 0; i < weights_count(w); i++) {
        const struct weights_tensor *t = weights_at(w, i);

        if (!is_known(m, w, t->name))
            return err_set(e, ERR_FILE,
                           "%s: tensor '%s' has no place in a %s model of this "
                           "configuration",
                           t->file, t->name, m->arch.family->name);
    }
    return 0;
}

/* Parameters lie in the plan's order: the embedding, an encoder, layer by layer, the
 * norm, the head. */
static int load_all(struct loader *ld, struct model *m, struct err *e)
{
    const int packing = m->mode == MODEL_SAMPLE;
    int rc = 0;

    if (packing && (rc = pack_alloc(ld, e)) < 0)
        return rc;
    if (model_is_packed(m))
        use_small_pages(m);
    for (size_t i = 0; i < m->plan.n; i++) {
        const struct plan_param *p = &m->plan.param[i];

        if (packing && (rc = pack_layers(ld, p->offset, e)) < 0)
            return rc;
        rc = p->offset == m->head && model_is_packed(m)
                 ? load_head(ld, p, e)
                 : load_param(ld, p, place(ld, p->offset), e);
        if (rc < 0)
            return rc;
    }
    if (packing && (rc = pack_layers(ld, SIZE_MAX, e)) >= 0 && !model_is_packed(m))
        rc = pack(ld, &m->packed_head,
                  &(struct model_matrix){.at = m->head, .N = m->arch.V, .K = m->arch.C},
                  e);
    return rc;
}

int model_load(struct model *m, const struct weights *w, struct err *e)
{
    struct model *const stacks[] = {m->encoder, m, NULL};
    struct loader ld = {.m = m,
                        .w = w,
                        .hash = hasher_new(),
                        .stack = m->encoder ? stacks : stacks + 1};
    int rc = ld.hash ? refuse_strangers(m, w, e)
                     : err_set(e, ERR_NOMEM, "%s: no memory", m->path);

    if (rc >= 0)
        rc = load_all(&ld, m, e);
    if (rc >= 0)
        m->hash = hasher_value(ld.hash);
    if (model_is_packed(m) && m->arch.tied)
        m->table = &m->packed_head;
    if (m->encoder)
        m->encoder->table = m->table;
    hasher_free(ld.hash);
    free(ld.turn);
    arena_release(&ld.room);
    return rc;
}

/* ---- one at a time ----------------------------------------------------------------- */

int model_attach(struct model *m, struct weights *w, struct err *e)
{
    const int rc = refuse_strangers(m, w, e);

    if (rc >= 0)
        m->weights = w;
    return rc;
}

int model_fetch(const float **out, const struct model *m, const struct plan_param *p,
                struct err *e)
{
    struct loader ld = {.m = (struct model *)m, .w = m->weights};
    int rc = 0;

    if (m->mode == MODEL_READ)
        rc = load_param(&ld, p, m->params, e);
    if (rc >= 0 && m->mode == MODEL_READ && m->adapter)
        rc = adapter_merge(m, p->offset, m->params, p->rows, p->cols, e);
    *out = m->mode == MODEL_READ ? m->params : m->params + p->offset;
    free(ld.turn);
    return rc;
}
