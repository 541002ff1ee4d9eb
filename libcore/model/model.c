#include "model/model.h"

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "io/peft.h"
#include "model/adapter.h"
#include "model/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the kinds that layers have. */
static int frequencies(struct model *m, struct err *e)
{
    const struct arch *a = &m->arch;

    for (size_t l = 0; l < a->L && a->position == POS_ROPE; l++) {
        const size_t k = a->layer[l];

        if (m->freq[k])
            continue;
        if (!(m->freq[k] = calloc(a->R / 2, sizeof *m->freq[k])))
            return err_set(e, ERR_NOMEM, "%s: no memory", m->path);
        rope_freq(m->freq[k], a->R, &a->kind[k].rope);
    }
    return 0;
}

/* Floats of the block: all parameters, or room for the largest. */
static size_t block_size(const struct model *m)
{
    size_t n = 0;

    if (m->mode != MODEL_READ)
        return m->plan.size;
    for (size_t i = 0; i < m->plan.n; i++) {
        const size_t size = m->plan.param[i].rows * m->plan.param[i].cols;

        n = size > n ? size : n;
    }
    return n;
}

/* After arch is known: the plan, the block of zeros, the frequencies. */
static int prepare(struct model *m, const struct weights *w, struct err *e)
{
    int rc;

    if ((rc = model_layout(m, w, e)) < 0 || (rc = frequencies(m, e)) < 0 ||
        (m->encoder && (rc = frequencies(m->encoder, e)) < 0))
        return rc;
    m->own.used = block_size(m) * sizeof *m->params;
    if ((rc = arena_alloc(&m->own, m->path, e)) < 0)
        return rc;
    m->params = (float *)m->own.base;
    if (m->encoder)
        m->encoder->params = m->params;
    return 0;
}

/* An encoder alone is opened as such, and nothing else is. */
static int check_use(struct model *m, struct err *e)
{
    const char *family = m->arch.family->name;

    if (m->mode == MODEL_ENCODE && !m->arch.both)
        return err_set(e, ERR_FILE,
                       "%s: a %s model draws tokens; an encoder is expected, such as a "
                       "bert model",
                       m->path, family);
    if (m->mode != MODEL_ENCODE && m->arch.both)
        return err_set(e, ERR_FILE,
                       "%s: a %s model is an encoder: it reads texts and draws no "
                       "tokens",
                       m->path, family);
    if (m->mode == MODEL_ENCODE)
        m->mode = MODEL_COMPUTE;
    return 0;
}

static int open_weights(struct model *m, struct weights *w, struct err *e)
{
    int rc;

    if (weights_kind(w) == WEIGHTS_HF) {
        m->config = json_deep_copy(weights_config(w));
        m->dir = strdup(m->path);
        if (!m->config || !m->dir)
            return err_set(e, ERR_NOMEM, "%s: no memory", m->path);
    }
    if ((rc = arch_read(&m->arch, w, e)) < 0 || (rc = check_use(m, e)) < 0 ||
        (rc = prepare(m, w, e)) < 0)
        return rc;
    return m->mode == MODEL_READ ? model_attach(m, w, e) : model_load(m, w, e);
}

static int model_new(struct model **out, const char *path, struct kern *kern,
                     enum model_mode mode, struct err *e)
{
    struct model *m = calloc(1, sizeof *m);

    *out = NULL;
    if (!m || !(m->path = strdup(path))) {
        free(m);
        return err_set(e, ERR_NOMEM, "%s: no memory", path);
    }
    m->kern = kern;
    m->mode = mode;
    *out = m;
    return 0;
}

static int open_base(struct model **out, const char *path, struct kern *kern,
                     enum model_mode mode, struct err *e)
{
    struct weights *w;
    int rc = model_new(out, path, kern, mode, e);

    if (rc < 0)
        return rc;
    if ((rc = weights_open(&w, path, e)) >= 0)
        rc = open_weights(*out, w, e);
    if ((*out)->weights != w)
        weights_close(w);
    if (rc < 0) {
        model_close(*out);
        *out = NULL;
    }
    return rc;
}

static int open_parts(struct model **out, struct peft_paths *p, struct kern *kern,
                      enum model_mode mode, struct err *e)
{
    int rc = open_base(out, p->base, kern, mode, e);

    if (rc < 0)
        return rc;
    (*out)->text = p->text;
    p->text = NULL;
    if (p->adapter && (rc = adapter_load(*out, p->adapter, e)) < 0) {
        model_close(*out);
        *out = NULL;
    }
    return rc;
}

int model_open_with(struct model **out, const char *path, const char *adapter,
                    struct kern *kern, enum model_mode mode, struct err *e)
{
    struct peft_paths p;
    int rc = peft_paths_find(&p, path, adapter, e);

    *out = NULL;
    if (rc >= 0)
        rc = open_parts(out, &p, kern, mode, e);
    peft_paths_release(&p);
    return rc;
}

int model_open(struct model **out, const char *path, struct kern *kern,
               enum model_mode mode, struct err *e)
{
    return model_open_with(out, path, NULL, kern, mode, e);
}

/* What each stack has for itself. */
static void release_stack(struct model *m)
{
    for (size_t l = 0; m->packed && l < m->arch.L; l++) {
        struct model_packed *p = &m->packed[l];

        gemm_weight_release(&p->qkv);
        gemm_weight_release(&p->o);
        gemm_weight_release(&p->xq);
        gemm_weight_release(&p->xkv);
        gemm_weight_release(&p->xo);
        gemm_weight_release(&p->up);
        gemm_weight_release(&p->down);
    }
    free(m->packed);
    free(m->layer);
    for (size_t k = 0; k < ARCH_KINDS; k++)
        free(m->freq[k]);
}

void model_close(struct model *m)
{
    if (!m)
        return;
    adapter_drop(m);
    if (m->encoder)
        release_stack(m->encoder);
    free(m->encoder);
    release_stack(m);
    gemm_weight_release(&m->packed_head);
    plan_release(&m->plan);
    arena_release(&m->own);
    arena_release(&m->pack);
    json_decref(m->config);
    weights_close(m->weights);
    free(m->path);
    free(m->text);
    free(m->dir);
    free(m);
}

/* ---- without weights --------------------------------------------------------------- */

/* The directory of a file, in malloc'd memory. */
static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, (size_t)(slash - path) + (slash == path))
                 : strdup(".");
}

static void fill(struct model *m, uint64_t seed, double deviation)
{
    for (size_t i = 0; i < m->plan.n; i++) {
        const struct plan_param *p = &m->plan.param[i];
        const size_t n = strlen(p->name);
        const int bias = n > 5 && strcmp(p->name + n - 5, ".bias") == 0;
        float *x = m->params + p->offset;

        for (size_t j = 0; j < p->rows * p->cols; j++) {
            double two[2] = {0};

            if (p->flags & PLAN_FROZEN)
                x[j] = 0;
            else if (!(p->flags & PLAN_VECTOR)) {
                rng_normal2(two, seed, i, j);
                x[j] = (float)(deviation * two[0]);
            } else
                x[j] = bias ? 0 : 1 - m->arch.norm_offset; /* a norm's gain */
        }
    }
}

static int random_from(struct model *m, uint64_t seed, struct err *e)
{
    double deviation = 0.02;
    int rc;

    if ((rc = json_read_file(&m->config, m->path, e)) < 0 ||
        (rc = arch_from_config(&m->arch, m->config, m->path, e)) < 0 ||
        (rc = json_opt_double(&deviation, m->config, "initializer_range", m->path, e)) <
            0 ||
        (rc = prepare(m, NULL, e)) < 0)
        return rc;
    if (!(deviation >= 0 && deviation <= 1e3))
        return err_set(e, ERR_FILE, "%s: 'initializer_range': %g is not in 0..1000",
                       m->path, deviation);
    fill(m, seed, deviation);
    return model_rehash(m, e);
}

int model_random(struct model **out, const char *config, uint64_t seed,
                 struct kern *kern, struct err *e)
{
    int rc = model_new(out, config, kern, MODEL_COMPUTE, e);

    if (rc < 0)
        return rc;
    if (!((*out)->dir = dir_of(config)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", config);
    else
        rc = random_from(*out, seed, e);
    if (rc < 0) {
        model_close(*out);
        *out = NULL;
    }
    return rc;
}

size_t model_bytes(const struct model *m)
{
    return m->plan.size * sizeof *m->params;
}

int model_rehash(struct model *m, struct err *e)
{
    if (m->adapter)
        return adapter_rehash(m, e);
    return plan_hash(&m->plan, m->params, &m->hash, e);
}

const struct plan *model_trained(const struct model *m)
{
    return m->adapter ? &m->adapter->plan : &m->plan;
}

float *model_trained_params(const struct model *m)
{
    return m->adapter ? m->adapter->params : m->params;
}

void model_turns(const struct model *m, float *const cs[ARCH_KINDS], const int32_t *pos,
                 size_t N)
{
    for (size_t k = 0; k < ARCH_KINDS; k++)
        if (m->freq[k])
            rope_table(m->kern, cs[k], pos, N, m->freq[k], m->arch.R,
                       &m->arch.kind[k].rope);
}

size_t model_context(const struct model *m)
{
    return m->arch.context;
}

size_t model_lead(const struct model *m, size_t P)
{
    return m->encoder ? m->arch.starts : P;
}

size_t model_room(const struct model *m, size_t P)
{
    const size_t lead = model_lead(m, P), context = m->arch.context;

    return P <= context && lead < context ? context - lead : 0;
}
