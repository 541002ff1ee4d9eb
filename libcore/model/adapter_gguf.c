/*
 * Adapters as GGUF files: general.type "adapter", adapter.type "lora", and for each adapted
 * weight NAME of the base the tensors
 *
 *     NAME.lora_a  (r, inputs)
 *     NAME.lora_b  (outputs, r)      rows in the order of the base's file
 *
 * y = W x + s B (A x) with s = adapter.lora.alpha / r, r being the tensor's own; an alpha
 * of 0, or none, means s = 1.  So ranks may differ from one module to another; what else
 * PEFT's scales can be (rsLoRA, alpha_pattern) is one alpha, or is multiplied into B.
 */
#include "base/json.h"
#include "io/gguf_write.h"
#include "io/peft.h"
#include "io/weights.h"
#include "kern/finite.h"
#include "model/adapter_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------- */

/* The alpha that gives the first part its scale. */
static double alpha_of(const struct adapter *a)
{
    return (double)(float)((double)a->part[0].scale * (double)a->part[0].r);
}

/* By what B is multiplied so that alpha / r is the part's scale. */
static float fold_of(const struct adapter_part *t, double alpha)
{
    const double fold = alpha == 0 ? t->scale : t->scale * (double)t->r / alpha;

    return fabs(fold - 1) < 1e-6 ? 1 : (float)fold;
}

/* The part whose B is p, or NULL. */
static const struct adapter_part *part_of_b(const struct adapter *a,
                                            const struct plan_param *p)
{
    for (size_t i = 0; i < a->parts; i++)
        if (a->part[i].B == p->offset)
            return &a->part[i];
    return NULL;
}

static int put_param(struct gguf_writer *w, const struct model *m,
                     const struct plan_param *p, double alpha, struct err *e)
{
    const struct adapter *a = m->adapter;
    const struct adapter_part *t = part_of_b(a, p);
    const float fold = t ? fold_of(t, alpha) : 1, *x = a->params + p->offset;
    const size_t n = p->rows * p->cols;
    float *folded;

    if (fold == 1)
        return model_gguf_put(w, m, p, x, e);
    if (!(folded = malloc(n * sizeof *folded)))
        return err_set(e, ERR_NOMEM, "%s: no memory for '%s'", m->path, p->name);
    for (size_t i = 0; i < n; i++)
        folded[i] = fold * x[i];
    const int rc = all_finite(kern_isa(m->kern), folded, n)
                       ? model_gguf_put(w, m, p, folded, e)
                       : err_set(e, ERR_NUMERIC,
                                 "%s: '%s' times its scale is too large for float32",
                                 m->path, p->name);
    free(folded);
    return rc;
}

static void put_meta(struct gguf_meta *out, const struct model *m, enum quant_type type)
{
    model_gguf_general(out, m, "adapter", &m->adapter->plan, type);
    gguf_put_size(out, "general.base_model.count", 1);
    model_gguf_name(out, "general.base_model.0.name", m);
    gguf_put_str(out, "adapter.type", "lora", 4);
    gguf_put_f32(out, "adapter.lora.alpha", alpha_of(m->adapter));
}

int adapter_write_gguf(const struct model *m, enum quant_type type, int fd,
                       const char *where, struct err *e)
{
    const struct plan *plan = &m->adapter->plan;
    struct gguf_decl *decl = calloc(plan->n + 1, sizeof *decl);
    struct gguf_meta meta = {0};
    struct gguf_writer *w = NULL;
    int rc;

    put_meta(&meta, m, type);
    if (!arch_gguf_name(&m->arch))
        rc = err_set(e, ERR_FILE,
                     "%s: a %s model, and so its adapter, cannot be "
                     "written as GGUF",
                     m->path, m->arch.family->name);
    else if (!decl)
        rc = err_set(e, ERR_NOMEM, "%s: no memory to write it", where);
    else if ((rc = model_gguf_declare(decl, m, plan, type, e)) >= 0)
        rc = gguf_writer_open(&w, fd, where, &meta, decl, plan->n, e);
    for (size_t i = 0; rc >= 0 && i < plan->n; i++)
        rc = put_param(w, m, &plan->param[i], alpha_of(m->adapter), e);
    rc = gguf_writer_close(w, rc, e);
    gguf_meta_release(&meta);
    free(decl);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------- */

struct reading {
    const struct weights *w;
    double alpha; /* 0: none */
};

static int expect_str(const struct gguf *g, const char *key, const char *want,
                      struct err *e)
{
    struct gguf_str s = {"", 0};
    const int rc = gguf_get_str(&s, g, key, e);

    if (rc < 0 || (s.n == strlen(want) && memcmp(s.s, want, s.n) == 0))
        return rc < 0 ? rc : 0;
    return err_set(e, ERR_FILE, "%s: '%s' is '%.*s', expected '%s'", g->path, key,
                   (int)(s.n < 60 ? s.n : 60), s.s, want);
}

static int check_kind(struct reading *d, const struct model *m, struct err *e)
{
    const struct gguf *g = weights_gguf(d->w);
    const char *name = arch_gguf_name(&m->arch);
    int rc;

    if (!g)
        return err_set(e, ERR_FILE, "%s: not a file", weights_path(d->w));
    if (!name)
        return err_set(e, ERR_FILE, "%s: a %s model, which has no adapters in GGUF",
                       m->path, m->arch.family->name);
    if ((rc = expect_str(g, "general.type", "adapter", e)) < 0 ||
        (rc = expect_str(g, "adapter.type", "lora", e)) < 0 ||
        (rc = expect_str(g, "general.architecture", name, e)) < 0 ||
        (rc = gguf_get_double(&d->alpha, g, "adapter.lora.alpha", e)) < 0)
        return rc;
    if (gguf_find(g, "adapter.alora.invocation_tokens"))
        return err_set(
            e, ERR_FILE,
            "%s: 'adapter.alora.invocation_tokens': adapters that begin at a "
            "token are not supported",
            g->path);
    return 0;
}

/* "NAME.lora_a" and so on, which must be rows x cols. */
static int find_part(const struct weights_tensor **out, const struct weights *w,
                     const char *name, size_t rows, size_t cols, struct err *e)
{
    const struct weights_tensor *t = weights_find(w, name);

    if (!t)
        return err_set(e, ERR_FILE, "%s: no tensor '%s'", weights_path(w), name);
    if (t->rows != rows || t->cols != cols)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' is %zu x %zu, expected %zu x %zu for this model",
                       t->file, name, t->rows, t->cols, rows, cols);
    *out = t;
    return 0;
}

/* The modules whose A is in the file, with its rank; B must fit, so that an adapter takes
 * no more memory than its file has numbers. */
static int choose(void *ctx, const struct adapter_target *of, size_t *r, double *scale,
                  struct err *e)
{
    const struct reading *d = ctx;
    const struct weights_tensor *t;
    char name[ADAPTER_NAME + 16];
    int rc;

    if (!of->gguf)
        return 0;
    snprintf(name, sizeof name, "%s.lora_a", of->gguf);
    if (!(t = weights_find(d->w, name)))
        return 0;
    *r = t->rows;
    if (*r < 1 || *r > PEFT_RANK_MAX)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' has %zu rows, a rank of 1 to %d expected", t->file,
                       name, *r, PEFT_RANK_MAX);
    if ((rc = find_part(&t, d->w, name, *r, of->K, e)) < 0)
        return rc;
    snprintf(name, sizeof name, "%s.lora_b", of->gguf);
    if ((rc = find_part(&t, d->w, name, of->N, *r, e)) < 0)
        return rc;
    *scale = d->alpha == 0 ? 1 : d->alpha / (double)*r;
    return 1;
}

static int read_param(const struct model *m, const struct plan_param *p,
                      const struct weights *w, struct err *e)
{
    const struct weights_tensor *t = NULL;
    float *out = m->adapter->params + p->offset;
    const int rc = find_part(&t, w, p->gguf, p->rows, p->cols, e);

    if (rc < 0)
        return rc;
    weights_read(t, p->flags & PLAN_QK ? m->arch.D : 0, 0, p->rows, out,
                 kern_isa(m->kern));
    if (!all_finite(kern_isa(m->kern), out, p->rows * p->cols))
        return err_set(e, ERR_NUMERIC, "%s: '%s' holds what is not a finite number",
                       t->file, t->name);
    return 0;
}

static int is_known(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->param[i].gguf, name) == 0)
            return 1;
    return 0;
}

/* All of the plan's are there: so more than those are strangers, and one of them is
 * named. */
static int refuse_strangers(const struct model *m, const struct weights *w,
                            struct err *e)
{
    const struct plan *p = &m->adapter->plan;

    for (size_t i = 0; weights_count(w) > p->n && i < weights_count(w); i++)
        if (!is_known(p, weights_at(w, i)->name))
            return err_set(e, ERR_FILE,
                           "%s: tensor '%s' has no place in an adapter of the %s model "
                           "%s",
                           weights_path(w), weights_at(w, i)->name,
                           m->arch.family->name, m->path);
    return p->n ? 0 : err_set(e, ERR_FILE, "%s: holds no tensors", weights_path(w));
}

/* rank_pattern of modules whose rank is not the first one's; without an alpha their
 * alpha_pattern, too. */
static int put_patterns(json_t *config, const struct model *m, const struct reading *d)
{
    const struct adapter *a = m->adapter;
    json_t *ranks = json_object_get(config, "rank_pattern");
    json_t *alphas = json_object_get(config, "alpha_pattern");
    int rc = 0;

    for (size_t i = 0; i < a->parts; i++) {
        const json_int_t r = (json_int_t)a->part[i].r;
        char module[ADAPTER_NAME];

        if (a->part[i].r == a->part[0].r)
            continue;
        adapter_module(module, m, &m->plan.param[a->part[i].param]);
        rc |= json_object_set_new(ranks, module, json_integer(r));
        if (d->alpha == 0)
            rc |= json_object_set_new(alphas, module, json_integer(r));
    }
    return rc;
}

/* The adapter_config.json that says the same. */
static int configure(struct model *m, const struct reading *d, struct err *e)
{
    struct adapter *a = m->adapter;
    json_t *targets = adapter_targets(m);
    const struct peft_new n = {.base = m->path,
                               .r = a->part[0].r,
                               .alpha = d->alpha == 0 ? (double)a->part[0].r : d->alpha,
                               .transposed = adapter_transposed(m),
                               .encoder = m->encoder != NULL,
                               .targets = targets};

    a->config = targets ? peft_config(&n) : NULL;
    json_decref(targets);
    return a->config && put_patterns(a->config, m, d) == 0
               ? 0
               : err_set(e, ERR_NOMEM, "%s: no memory for an adapter", m->path);
}

static int load(struct model *m, struct reading *d, struct err *e)
{
    int rc;

    if ((rc = check_kind(d, m, e)) < 0 || (rc = adapter_build(m, choose, d, e)) < 0)
        return rc;
    for (size_t i = 0; rc >= 0 && i < m->adapter->plan.n; i++)
        rc = read_param(m, &m->adapter->plan.param[i], d->w, e);
    if (rc < 0 || (rc = refuse_strangers(m, d->w, e)) < 0 ||
        (rc = configure(m, d, e)) < 0)
        return rc;
    return adapter_ready(m, e);
}

int adapter_load_gguf(struct model *m, const char *path, struct err *e)
{
    struct weights *w;
    int rc = weights_open(&w, path, e);

    if (rc >= 0)
        rc = load(m, &(struct reading){.w = w}, e);
    weights_close(w);
    return rc;
}
