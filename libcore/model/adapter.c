#include "model/adapter.h"

#include "base/hash.h"
#include "model/adapter_private.h"
#include "nn/linear.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- modules -------------------------------------------------------------------------- */

void adapter_module(char out[ADAPTER_NAME], const struct model *m,
                    const struct plan_param *p)
{
    const char *prefix = m->arch.family->prefix;
    const char *end = strrchr(p->name, '.');
    const int strip = end && strcmp(end, ".weight") == 0;
    const int lacks = strncmp(p->name, prefix, strlen(prefix)) != 0;

    snprintf(out, ADAPTER_NAME, "%s%.*s", lacks ? prefix : "",
             (int)(strip ? (size_t)(end - p->name) : strlen(p->name)), p->name);
}

/* Parameters of the plan that are rows of the matrix x: param[*from .. *to). */
static void modules_of(const struct plan *p, const struct model_matrix *x, size_t *from,
                       size_t *to)
{
    size_t i = 0;

    while (i < p->n && p->param[i].offset < x->at)
        i++;
    *from = i;
    while (i < p->n && p->param[i].offset < x->at + x->N * x->K)
        i++;
    *to = i;
}

struct listing {
    const struct model *m;
    int (*fn)(void *ctx, const char *module, size_t param);
    void *ctx;
};

static int list_matrix(void *ctx, const struct model_matrix *x)
{
    const struct listing *l = ctx;
    char module[ADAPTER_NAME];
    size_t from, to;
    int rc = 0;

    modules_of(&l->m->plan, x, &from, &to);
    for (size_t i = from; i < to && rc == 0; i++) {
        adapter_module(module, l->m, &l->m->plan.param[i]);
        rc = l->fn(l->ctx, module, i);
    }
    return rc;
}

int adapter_modules(const struct model *m,
                    int (*fn)(void *ctx, const char *module, size_t param), void *ctx)
{
    struct listing l = {m, fn, ctx};

    return model_each_matrix(m, list_matrix, &l);
}

/* ---- layout --------------------------------------------------------------------------- */

struct builder {
    struct model *m;
    struct adapter *a;
    adapter_choose *choose;
    void *ctx;
    struct err *e;
};

/* A or B of a module whose weight is `of`: `which` is its letter. */
static size_t add_param(struct adapter *a, const char *module,
                        const struct plan_param *of, char which, size_t rows,
                        size_t cols, unsigned flags)
{
    char name[ADAPTER_NAME + 64], gguf[ADAPTER_NAME + 16];

    snprintf(name, sizeof name, "base_model.model.%s.lora_%c.weight", module, which);
    snprintf(gguf, sizeof gguf, "%s.lora_%c", of->gguf ? of->gguf : "",
             which - 'A' + 'a');
    return plan_add(&a->plan, rows, cols, flags, name, of->gguf ? gguf : NULL);
}

/* The parts of a site that are chosen, with their A one behind the other. */
static int add_parts(struct builder *b, struct adapter_site *s,
                     const struct model_matrix *x)
{
    const struct plan *plan = &b->m->plan;
    char module[ADAPTER_NAME];
    size_t from, to, r;
    double scale;

    modules_of(plan, x, &from, &to);
    for (size_t i = from; i < to; i++) {
        const struct plan_param *p = &plan->param[i];

        adapter_module(module, b->m, p);
        const struct adapter_target t = {module, p->gguf, p->rows, x->K, x->kind};
        const int rc = b->choose(b->ctx, &t, &r, &scale, b->e);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (!isfinite((float)scale))
            return err_set(b->e, ERR_NUMERIC,
                           "%s: the adapter's scale for '%s' is %g, a finite number "
                           "expected",
                           b->m->path, module, scale);
        const size_t at =
            add_param(b->a, module, p, 'A', r, x->K, s->n ? PLAN_JOINED : 0);
        if (!s->n)
            s->A = at;
        b->a->part[b->a->parts++] =
            (struct adapter_part){.param = i,
                                  .row0 = (p->offset - x->at) / x->K,
                                  .rows = p->rows,
                                  .r = r,
                                  .col = s->R,
                                  .scale = (float)scale};
        s->R += r;
        s->n++;
    }
    return 0;
}

static int add_site(void *ctx, const struct model_matrix *x)
{
    struct builder *b = ctx;
    struct adapter *a = b->a;
    struct adapter_site s = {.at = x->at, .N = x->N, .K = x->K, .part = a->parts};
    char module[ADAPTER_NAME];
    const int rc = add_parts(b, &s, x);

    if (rc < 0 || s.n == 0)
        return rc;
    for (size_t i = s.part; i < s.part + s.n; i++) {
        struct adapter_part *t = &a->part[i];
        const struct plan_param *p = &b->m->plan.param[t->param];

        adapter_module(module, b->m, p);
        t->B = add_param(a, module, p, 'B', t->rows, t->r,
                         p->flags & (PLAN_BY_HEAD | PLAN_QK));
        a->rows = t->rows > a->rows ? t->rows : a->rows;
    }
    a->width = s.R > a->width ? s.R : a->width;
    assert(a->sites == 0 || a->site[a->sites - 1].at < s.at);
    a->site[a->sites++] = s;
    return 0;
}

static void give(struct model *m, struct adapter *a)
{
    m->adapter = a;
    if (m->encoder)
        m->encoder->adapter = a;
}

int adapter_build(struct model *m, adapter_choose *choose, void *ctx, struct err *e)
{
    struct adapter *a = calloc(1, sizeof *a);
    struct builder b = {m, a, choose, ctx, e};
    int rc;

    adapter_drop(m);
    if (!a)
        return err_set(e, ERR_NOMEM, "%s: no memory for an adapter", m->path);
    a->base_hash = m->hash;
    give(m, a);
    a->plan.head = m->plan.head;
    a->site = calloc(m->plan.n, sizeof *a->site);
    a->part = calloc(m->plan.n, sizeof *a->part);
    if (!a->site || !a->part)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for an adapter", m->path);
    else if ((rc = model_each_matrix(m, add_site, &b)) >= 0 &&
             (rc = plan_done(&a->plan, m->path, e)) >= 0) {
        a->own.used = a->plan.size * sizeof *a->params;
        rc = arena_alloc(&a->own, "an adapter", e);
        a->params = (float *)a->own.base;
    }
    if (rc < 0)
        adapter_drop(m);
    return rc;
}

void adapter_drop(struct model *m)
{
    struct adapter *a = m->adapter;

    if (!a)
        return;
    m->hash = a->base_hash;
    give(m, NULL);
    for (size_t i = 0; i < a->sites; i++)
        gemm_weight_release(&a->site[i].packed);
    for (size_t i = 0; i < a->parts; i++)
        gemm_weight_release(&a->part[i].packed);
    free(a->site);
    free(a->part);
    plan_release(&a->plan);
    arena_release(&a->own);
    arena_release(&a->pack);
    json_decref(a->config);
    free(a);
}

void adapter_switch(struct model *m, enum adapter_state state)
{
    m->adapter->state = state;
}

/* ---- hash and packing ----------------------------------------------------------------- */

int adapter_rehash(struct model *m, struct err *e)
{
    const struct adapter *a = m->adapter;
    struct hasher *h = hasher_new();
    uint64_t own;
    int rc;

    if (!h)
        return err_set(e, ERR_NOMEM, "no memory for a hash");
    if ((rc = plan_hash(&a->plan, a->params, &own, e)) >= 0) {
        hasher_add(h, &a->base_hash, sizeof a->base_hash);
        hasher_add(h, &own, sizeof own);
        for (size_t i = 0; i < a->parts; i++) {
            const uint64_t place[] = {a->part[i].param, a->part[i].r};

            hasher_add(h, place, sizeof place);
            hasher_add(h, &a->part[i].scale, sizeof a->part[i].scale);
        }
        m->hash = hasher_value(h);
    }
    hasher_free(h);
    return rc;
}

/* Room for packed matrices, or the matrices into it: the same walk twice. */
static int pack_all(struct model *m, struct err *e)
{
    struct adapter *a = m->adapter;
    struct arena *mem = &a->pack;

    for (size_t i = 0; i < a->sites; i++) {
        struct adapter_site *s = &a->site[i];
        void *at = arena_take(mem, gemm_pack_bytes(m->kern, s->R, s->K, KERN_F32), 1);
        int rc = 0;

        if (mem->base)
            rc = gemm_pack(&s->packed, m->kern, at, a->params + s->A, s->K, s->R, s->K,
                           KERN_F32, e);
        for (size_t j = s->part; rc >= 0 && j < s->part + s->n; j++) {
            struct adapter_part *t = &a->part[j];

            at = arena_take(mem, gemm_pack_bytes(m->kern, t->rows, t->r, KERN_F32), 1);
            if (mem->base)
                rc = gemm_pack(&t->packed, m->kern, at, a->params + t->B, t->r, t->rows,
                               t->r, KERN_F32, e);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int adapter_ready(struct model *m, struct err *e)
{
    int rc = 0;

    if (m->mode == MODEL_READ)
        return 0;
    if (m->mode == MODEL_SAMPLE && (rc = pack_all(m, e)) >= 0 &&
        (rc = arena_alloc(&m->adapter->pack, "an adapter", e)) >= 0)
        rc = pack_all(m, e);
    return rc < 0 ? rc : adapter_rehash(m, e);
}

/* ---- forward -------------------------------------------------------------------------- */

enum { ROWS_MAX = 2048 };

void adapter_carve(struct adapter_work *w, const struct model *m, struct arena *a,
                   size_t rows, enum adapter_way way)
{
    const struct adapter *ad = m->adapter;
    const size_t f = sizeof(float);

    *w = (struct adapter_work){.rows = rows < ROWS_MAX ? rows : ROWS_MAX};
    if (!ad)
        return;
    w->u = arena_take(a, w->rows * ad->width, f);
    if (way == ADAPTER_TRAIN)
        w->du = arena_take(a, w->rows * ad->width, f);
    else
        w->t = arena_take(a, w->rows * ad->rows, f);
}

/* The site of the matrix at `at`, or the one whose part it is; NULL: not adapted. */
static const struct adapter_site *find_site(const struct adapter *a, size_t at)
{
    size_t from = 0, to = a->sites;

    while (from < to) {
        const size_t mid = (from + to) / 2;
        const struct adapter_site *s = &a->site[mid];

        if (at < s->at)
            to = mid;
        else if (at >= s->at + s->N * s->K)
            from = mid + 1;
        else
            return s;
    }
    return NULL;
}

static const struct adapter_site *site_at(const struct model *m, size_t at)
{
    const struct adapter *a = m->adapter;

    return a && a->state == ADAPTER_ON ? find_site(a, at) : NULL;
}

/* Columns of u (M, R) times the scale of their part. */
static void scale_parts(const struct adapter *a, const struct adapter_site *s, float *u,
                        size_t M)
{
    for (size_t i = s->part; i < s->part + s->n; i++) {
        const struct adapter_part *t = &a->part[i];

        for (size_t row = 0; t->scale != 1 && row < M; row++)
            for (size_t c = t->col; c < t->col + t->r; c++)
                u[row * s->R + c] *= t->scale;
    }
}

static void project(const struct model *m, const struct adapter_site *s, float *u,
                    const float *x, size_t K, size_t M)
{
    gemm_nt(m->kern, u, s->R, x, K, m->adapter->params + s->A, K, M, s->R, K, 0);
    scale_parts(m->adapter, s, u, M);
}

/* Rows from `from` on that the scratch takes at once. */
static size_t some_rows(const struct adapter_work *w, size_t M, size_t from)
{
    return M - from < w->rows ? M - from : w->rows;
}

void adapter_forward(const struct model *m, const struct adapter_work *w, size_t at,
                     float *y, size_t N, const float *x, size_t K, size_t M)
{
    const struct adapter_site *s = site_at(m, at);
    const struct adapter *a = m->adapter;

    if (!s)
        return;
    for (size_t from = 0, n; from < M; from += n) {
        n = some_rows(w, M, from);
        project(m, s, w->u, x + from * K, K, n);
        for (size_t i = s->part; i < s->part + s->n; i++) {
            const struct adapter_part *t = &a->part[i];

            gemm_nt(m->kern, y + from * N + t->row0, N, w->u + t->col, s->R,
                    a->params + t->B, t->r, n, t->rows, t->r, 1);
        }
    }
}

int adapter_changes(const struct model *m, size_t at)
{
    return site_at(m, at) != NULL;
}

void adapter_forward_rows(const struct model *m, const struct adapter_work *w,
                          size_t at, float *y, size_t N, const float *x, size_t K,
                          size_t M)
{
    const struct adapter_site *s = site_at(m, at);
    const struct adapter *a = m->adapter;

    if (!s)
        return;
    for (size_t from = 0, n; from < M; from += n) {
        n = some_rows(w, M, from);
        gemm_rows(m->kern, w->u, s->R, x + from * K, K, n, &s->packed);
        scale_parts(a, s, w->u, n);
        for (size_t i = s->part; i < s->part + s->n; i++) {
            const struct adapter_part *t = &a->part[i];

            gemm_rows(m->kern, w->t, t->rows, w->u + t->col, s->R, n, &t->packed);
            add_rows(m->kern, y + from * N + t->row0, N, w->t, t->rows, n, t->rows);
        }
    }
}

/* ---- backward ------------------------------------------------------------------------- */

/* With u = s A x (made again) and du = s dy B:
 *     dB += dy^T u,   dA += du^T x,   dx += du A  */
void adapter_backward(const struct model *m, const struct adapter_work *w, size_t at,
                      float *dx, const float *dy, size_t N, const float *x, size_t K,
                      size_t M)
{
    const struct adapter_site *s = site_at(m, at);
    const struct adapter *a = m->adapter;
    struct kern *k = m->kern;

    if (!s)
        return;
    for (size_t from = 0, n; from < M; from += n) {
        n = some_rows(w, M, from);
        const float *dyn = dy + from * N;

        if (w->grads)
            project(m, s, w->u, x + from * K, K, n);
        for (size_t i = s->part; i < s->part + s->n; i++) {
            const struct adapter_part *t = &a->part[i];

            gemm_nn(k, w->du + t->col, s->R, dyn + t->row0, N, a->params + t->B, t->r,
                    n, t->rows, t->r, 0);
            if (w->grads)
                gemm_tn(k, w->grads + t->B, t->r, dyn + t->row0, N, w->u + t->col, s->R,
                        n, t->rows, t->r, 1);
        }
        scale_parts(a, s, w->du, n);
        if (w->grads)
            gemm_tn(k, w->grads + s->A, K, w->du, s->R, x + from * K, K, n, s->R, K, 1);
        gemm_nn(k, dx + from * K, K, w->du, s->R, a->params + s->A, K, n, s->R, K, 1);
    }
}

/* ---- merged --------------------------------------------------------------------------- */

int adapter_merge(const struct model *m, size_t at, float *W, size_t N, size_t K,
                  struct err *e)
{
    const struct adapter_site *s = site_at(m, at);
    const struct adapter *a = m->adapter;
    float *B;

    if (!s)
        return 0;
    const size_t first = (at - s->at) / K; /* row of the site's matrix that is W's 0 */
    if (!(B = malloc(a->rows * a->width * sizeof *B)))
        return err_set(e, ERR_NOMEM, "%s: no memory to merge an adapter", m->path);
    for (size_t i = s->part; i < s->part + s->n; i++) {
        const struct adapter_part *t = &a->part[i];

        if (t->row0 < first || t->row0 + t->rows > first + N)
            continue;
        for (size_t j = 0; j < t->rows * t->r; j++)
            B[j] = t->scale * a->params[t->B + j];
        gemm_nn(m->kern, W + (t->row0 - first) * K, K, B, t->r,
                a->params + s->A + t->col * K, K, t->rows, t->r, K, 1);
    }
    free(B);
    return 0;
}
