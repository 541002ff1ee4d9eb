/*
 * Parameters from a file into the block.
 *
 * For sampling, a layer is read to a stage that the next layer takes over, its matrices
 * are packed, and the rest goes to its place in the block; the head, which may be the
 * embedding too, goes through it some rows at a time.  What is float32 in the file is packed
 * from where it lies.  At no time is a model in memory twice, and pages that nothing will read
 * are never touched (the kernel's clearing them is most of what a start costs).
 */
#include "base/hash.h"
#include "model/adapter.h"
#include "model/load_pieces.h"
#include "model/private.h"
#include "tensor/dims.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- one parameter ----------------------------------------------------------------- */

struct loader {
    struct model *m;
    const struct weights *w;
    struct hasher *hash;  /* NULL: none is wanted */
    struct pieces pieces; /* to be read */
    float *turn;          /* scratch for transposed matrices */
    size_t packed;        /* bytes of m->pack taken */
    struct arena room;    /* of the stage */
    float *stage;         /* the block's floats from..to-1, while that layer is read */
    size_t from, to;
    struct model_matrix matrix[MATRIX_KINDS]; /* of that layer, to be packed */
    struct gemm_weight *weight[MATRIX_KINDS]; /* as these */
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

/* The whole of a tensor to ld->turn, from there to `out`. */
static int read_reordered(struct loader *ld, const struct plan_param *p,
                          const struct weights_tensor *t, float *out, struct err *e)
{
    float *turn = realloc(ld->turn, t->rows * t->cols * sizeof *turn);
    struct pieces all = {0};

    if (!turn)
        return err_set(e, ERR_NOMEM, "%s: no memory for '%s'", t->file, t->name);
    ld->turn = turn;
    int rc = pieces_add(
        &all, &(struct piece){.t = t, .to = turn, .rows = t->rows, .cols = t->cols}, e);
    if (rc >= 0 && (rc = pieces_run(&all, ld->m->kern, NULL, e)) >= 0)
        plan_import(&ld->m->plan, p, out, turn);
    pieces_release(&all);
    return rc;
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

/* The matrix of the layer on the stage that a parameter is some rows of, or ld->matrices. */
static size_t matrix_of(const struct loader *ld, const struct plan_param *p)
{
    size_t i = 0;

    while (i < ld->matrices &&
           (p->offset < ld->matrix[i].at ||
            p->offset >= ld->matrix[i].at + ld->matrix[i].N * ld->matrix[i].K))
        i++;
    return i;
}

/* A parameter's values for `out`, and for the matrix that it is rows of.  What is packed is taken
 * from the file where it lies there as float32, in our order. */
static int add_param(struct loader *ld, const struct plan_param *p, float *out,
                     struct err *e)
{
    const int gguf = weights_kind(ld->w) == WEIGHTS_GGUF;
    const int reordered = !gguf && plan_reordered(p);
    const size_t i = matrix_of(ld, p);
    struct piece x = {.to = out, .rows = p->rows, .cols = p->cols};
    int rc = 0;

    if (i < ld->matrices && ld->in_pieces[i]) {
        x.w = ld->weight[i];
        x.at = (p->offset - ld->matrix[i].at) / ld->matrix[i].K;
    }
    if (p->flags & PLAN_FROZEN && !weights_find(ld->w, file_name(ld, p))) {
        memset(out, 0, p->rows * p->cols * sizeof *out);
        x.there = out;
        return pieces_add(&ld->pieces, &x, e);
    }
    if ((rc = find_tensor(&x.t, ld, p, e)) < 0)
        return rc;
    x.head_dim = gguf && p->flags & PLAN_QK ? ld->m->arch.D : 0;
    x.less = gguf && p->flags & PLAN_PLUS_ONE ? 1 : 0;
    if (reordered) {
        x.there = out;
        rc = read_reordered(ld, p, x.t, out, e);
    } else if (x.w && !x.head_dim && x.less == 0) {
        x.there = weights_floats(x.t);
    }
    return rc < 0 ? rc : pieces_add(&ld->pieces, &x, e);
}

static int run_pieces(struct loader *ld, struct err *e)
{
    return pieces_run(&ld->pieces, ld->m->kern, ld->hash, e);
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

/* Memory of m->pack for a matrix; NULL: it is borrowed. */
static void *take_packed(struct loader *ld, const struct model_matrix *x)
{
    const size_t bytes = packed_bytes(ld, x->at, x->N, x->K);
    void *mem = bytes ? ld->m->pack.base + ld->packed : NULL;

    ld->packed += bytes;
    return mem;
}

/* Begins a matrix that is packed in pieces. */
static void pack_begin(struct loader *ld, struct gemm_weight *w,
                       const struct model_matrix *x)
{
    gemm_pack_begin(w, take_packed(ld, x), x->N, x->K,
                    packed_type(ld, x->at, x->N * x->K));
}

/* A matrix whose parameters are all in their places. */
static int pack_whole(struct loader *ld, struct gemm_weight *w,
                      const struct model_matrix *x, struct err *e)
{
    return gemm_pack(w, ld->m->kern, take_packed(ld, x), place(ld, x->at), x->K, x->N,
                     x->K, packed_type(ld, x->at, x->N * x->K), e);
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

        if (p->offset >= ld->from && p->offset < ld->to &&
            matrix_of(ld, p) == ld->matrices)
            memcpy(ld->m->params + p->offset, place(ld, p->offset),
                   p->rows * p->cols * sizeof *ld->m->params);
    }
    ld->from = ld->to = ld->matrices = 0;
}

/* The matrices of m's layer l; those whose parameters all begin with a panel are begun. */
static void begin_matrices(struct loader *ld, struct model *m, size_t l)
{
    const struct plan *plan = &ld->m->plan;

    ld->matrices = model_matrices(ld->matrix, m, l);
    for (size_t i = 0; i < ld->matrices; i++) {
        ld->weight[i] = packed_at(&m->packed[l], ld->matrix[i].kind);
        ld->in_pieces[i] = 1;
    }
    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_param *p = &plan->param[i];
        const size_t x = matrix_of(ld, p);

        if (x < ld->matrices &&
            (p->offset - ld->matrix[x].at) % (GEMM_PIECE * ld->matrix[x].K) != 0)
            ld->in_pieces[x] = 0;
    }
    for (size_t i = 0; i < ld->matrices; i++)
        if (ld->in_pieces[i])
            pack_begin(ld, ld->weight[i], &ld->matrix[i]);
}

/* Parameters from the i-th on to the end of m's layer l; returns the number behind. */
static int load_layer(struct loader *ld, struct model *m, size_t l, size_t *i,
                      struct err *e)
{
    const struct plan *plan = &ld->m->plan;
    int rc = stage_begin(ld, plan->param[*i].offset, m->layer[l].end, e);

    if (rc < 0)
        return rc;
    begin_matrices(ld, m, l);
    for (; *i < plan->n && plan->param[*i].offset < ld->to && rc >= 0; ++*i)
        rc = add_param(ld, &plan->param[*i], place(ld, plan->param[*i].offset), e);
    if (rc < 0 || (rc = run_pieces(ld, e)) < 0)
        return rc;
    for (size_t x = 0; x < ld->matrices && rc >= 0; x++)
        if (!ld->in_pieces[x])
            rc = pack_whole(ld, ld->weight[x], &ld->matrix[x], e);
    stage_end(ld);
    return rc;
}

/* The head, which is used in the order in which it lies. */
enum { HEAD_ROWS = 16 * GEMM_PIECE };

static int load_head(struct loader *ld, const struct plan_param *p, struct err *e)
{
    const struct model_matrix x = {.at = p->offset, .N = p->rows, .K = p->cols};
    struct gemm_weight *w = &ld->m->packed_head;
    const struct weights_tensor *t;
    int rc = find_tensor(&t, ld, p, e);

    if (rc < 0 || (rc = stage_begin(ld, 0, HEAD_ROWS * x.K, e)) < 0)
        return rc;
    const float *there = weights_floats(t);
    pack_begin(ld, w, &x);
    for (size_t n = 0; n < x.N && rc >= 0; n += HEAD_ROWS) {
        const struct piece some = {.t = t,
                                   .there = there ? there + n * x.K : NULL,
                                   .to = ld->stage,
                                   .row = n,
                                   .rows = least(x.N - n, HEAD_ROWS),
                                   .cols = x.K,
                                   .w = w,
                                   .at = n};

        if ((rc = pieces_add(&ld->pieces, &some, e)) >= 0)
            rc = run_pieces(ld, e);
    }
    ld->from = ld->to = 0;
    return rc;
}

/* Weights that are borrowed, not packed, stay in the block. */
int model_is_packed(const struct model *m)
{
    return m->packed && gemm_pack_bytes(m->kern, m->arch.V, m->arch.C, KERN_F32) > 0;
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
 * norm, the head.  What stands in front of a layer is read with it. */
static int load_packed(struct loader *ld, struct err *e)
{
    struct model *m = ld->m, *const stacks[] = {m->encoder, m};
    size_t s = m->encoder ? 0 : 1, l = 0, i = 0;
    int rc = 0;

    use_small_pages(m);
    while (i < m->plan.n && rc >= 0) {
        const struct plan_param *p = &m->plan.param[i];

        if (p->offset == m->head) {
            rc = load_head(ld, p, e);
            i++;
        } else if (p->offset > 0 && s < 2) {
            rc = load_layer(ld, stacks[s], l, &i, e);
            if (++l == stacks[s]->arch.L) {
                s++;
                l = 0;
            }
        } else {
            if ((rc = add_param(ld, p, m->params + p->offset, e)) >= 0)
                rc = run_pieces(ld, e);
            i++;
        }
    }
    return rc;
}

/* Weights that are borrowed. */
static int pack_block(struct loader *ld, struct model *m, struct err *e)
{
    int rc = 0;

    for (size_t l = 0; m && l < m->arch.L && rc >= 0; l++) {
        struct model_matrix x[MATRIX_KINDS];
        const size_t n = model_matrices(x, m, l);

        for (size_t i = 0; i < n && rc >= 0; i++)
            rc = pack_whole(ld, packed_at(&m->packed[l], x[i].kind), &x[i], e);
    }
    return rc;
}

static int load_block(struct loader *ld, struct err *e)
{
    struct model *m = ld->m;
    const struct model_matrix head = {.at = m->head, .N = m->arch.V, .K = m->arch.C};
    int rc = 0;

    for (size_t i = 0; i < m->plan.n && rc >= 0; i++)
        rc = add_param(ld, &m->plan.param[i], m->params + m->plan.param[i].offset, e);
    if (rc < 0 || (rc = run_pieces(ld, e)) < 0 || m->mode != MODEL_SAMPLE)
        return rc;
    if ((rc = pack_block(ld, m->encoder, e)) < 0 || (rc = pack_block(ld, m, e)) < 0)
        return rc;
    return pack_whole(ld, &m->packed_head, &head, e);
}

static void loader_release(struct loader *ld)
{
    hasher_free(ld->hash);
    pieces_release(&ld->pieces);
    free(ld->turn);
    arena_release(&ld->room);
}

int model_load(struct model *m, const struct weights *w, struct err *e)
{
    struct loader ld = {.m = m, .w = w, .hash = hasher_new()};
    int rc = ld.hash ? refuse_strangers(m, w, e)
                     : err_set(e, ERR_NOMEM, "%s: no memory", m->path);

    if (rc >= 0 && m->mode == MODEL_SAMPLE)
        rc = pack_alloc(&ld, e);
    if (rc >= 0)
        rc = (model_is_packed(m) ? load_packed : load_block)(&ld, e);
    if (rc >= 0)
        m->hash = hasher_value(ld.hash);
    if (model_is_packed(m) && m->arch.tied)
        m->table = &m->packed_head;
    if (m->encoder)
        m->encoder->table = m->table;
    loader_release(&ld);
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

    if (m->mode == MODEL_READ && (rc = add_param(&ld, p, m->params, e)) >= 0)
        rc = run_pieces(&ld, e);
    if (rc >= 0 && m->mode == MODEL_READ && m->adapter)
        rc = adapter_merge(m, p->offset, m->params, p->rows, p->cols, e);
    *out = m->mode == MODEL_READ ? m->params : m->params + p->offset;
    loader_release(&ld);
    return rc;
}
