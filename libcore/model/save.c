#include "model/model.h"

#include "base/json.h"
#include "io/safetensors.h"
#include "io/weights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ----------------------------------------------------------------------- */

static void declare(struct st_decl *d, const struct plan_param *p, enum dtype dtype)
{
    const int turned = (p->flags & PLAN_TRANSPOSED) != 0;

    *d = (struct st_decl){.name = p->name, .dtype = dtype, .rank = 2};
    d->dims[0] = turned ? p->cols : p->rows;
    d->dims[1] = turned ? p->rows : p->cols;
    if (p->flags & PLAN_VECTOR) {
        d->rank = 1;
        d->dims[0] = p->cols;
    }
}

static int put(struct st_writer *w, const struct plan *plan, const struct plan_param *p,
               const float *x, float *turn, struct err *e)
{
    if (plan_reordered(p)) {
        plan_export(plan, p, turn, x);
        x = turn;
    }
    return st_writer_put(w, x, p->rows * p->cols, e);
}

/* Values of the largest parameter that is turned on its way. */
static size_t largest_turned(const struct plan *p)
{
    size_t n = 1;

    for (size_t i = 0; i < p->n; i++)
        if (plan_reordered(&p->param[i]) && p->param[i].rows * p->param[i].cols > n)
            n = p->param[i].rows * p->param[i].cols;
    return n;
}

/* Some of a plan's parameters, to one file. */
struct part {
    const struct model *m;
    const struct plan *plan;
    const float *block; /* laid out like the plan; NULL: the model's own values */
    enum dtype dtype;
    size_t from, to; /* parameters */
    int over;        /* the file is there */
};

static int put_part(struct st_writer *w, const struct part *b, float *turn,
                    struct err *e)
{
    int rc = 0;

    for (size_t i = b->from; rc >= 0 && i < b->to; i++) {
        const struct plan_param *p = &b->plan->param[i];
        const float *x = b->block ? b->block + p->offset : NULL;

        if (x || (rc = model_fetch(&x, b->m, p, e)) >= 0)
            rc = put(w, b->plan, p, x, turn, e);
    }
    return rc;
}

static int write_part(const struct part *b, const char *path, struct err *e)
{
    const struct plan *p = b->plan;
    const size_t n = b->to - b->from;
    struct st_decl *decl = calloc(n, sizeof *decl);
    float *turn = malloc(largest_turned(p) * sizeof *turn);
    struct st_writer *w = NULL;
    int rc = 0;

    if (!decl || !turn)
        rc = err_set(e, ERR_NOMEM, "%s: no memory to write it", path);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        declare(&decl[i], &p->param[b->from + i], b->dtype);
    if (rc >= 0)
        rc = (b->over ? st_writer_over : st_writer_open)(&w, path, decl, n, e);
    if (rc >= 0)
        rc = put_part(w, b, turn, e);
    rc = st_writer_close(w, rc, e);
    free(decl);
    free(turn);
    return rc;
}

int model_write_block(const struct model *m, const float *block, const char *path,
                      struct err *e)
{
    const struct plan *p = model_trained(m);

    return write_part(
        &(struct part){
            .m = m, .plan = p, .block = block, .dtype = DTYPE_F32, .to = p->n},
        path, e);
}

/* ---- shards ------------------------------------------------------------------------ */

enum { NAME_MAX_BYTES = 64 };

static size_t bytes_of(const struct plan_param *p, enum dtype dtype)
{
    return p->rows * p->cols * dtype_size(dtype);
}

/* The end of the file that begins with parameter `from`. */
static size_t part_end(const struct plan *p, size_t from, enum dtype dtype, size_t most)
{
    size_t to = from, bytes = 0;

    do
        bytes += bytes_of(&p->param[to++], dtype);
    while (to < p->n && (!most || bytes_of(&p->param[to], dtype) + bytes <= most));
    return to;
}

static size_t count_parts(const struct plan *p, const struct model_save_opts *o)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; n++)
        i = part_end(p, i, o->dtype, o->shard);
    return n;
}

static void part_name(char out[NAME_MAX_BYTES], size_t k, size_t n)
{
    if (n == 1)
        snprintf(out, NAME_MAX_BYTES, MODEL_FILE);
    else
        snprintf(out, NAME_MAX_BYTES, "model-%05zu-of-%05zu.safetensors", k + 1, n);
}

/* {"metadata": {"total_size": bytes}, "weight_map": {name: file}}; NULL: no memory. */
static json_t *index_of(const struct plan *p, const struct model_save_opts *o, size_t n)
{
    json_t *map = json_object();
    size_t total = 0, k = 0;
    int bad = !map;

    for (size_t i = 0; i < p->n && !bad; k++) {
        const size_t to = part_end(p, i, o->dtype, o->shard);
        char file[NAME_MAX_BYTES];

        part_name(file, k, n);
        for (; i < to && !bad; i++) {
            total += bytes_of(&p->param[i], o->dtype);
            bad = json_object_set_new(map, p->param[i].name, json_string(file));
        }
    }
    if (!bad)
        return json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)total,
                         "weight_map", map);
    json_decref(map);
    return NULL;
}

/* ---- the directory ----------------------------------------------------------------- */

/* Takes v, which is NULL if it could not be made. */
static int write_json(const struct checkpoint *c, const char *name, json_t *v,
                      struct err *e)
{
    char *text = v ? json_text(v, 2) : NULL;
    const int rc = text ? checkpoint_file(c, name, text, strlen(text), e)
                        : err_set(e, ERR_NOMEM, "%s: no memory for %s", c->path, name);

    free(text);
    json_decref(v);
    return rc;
}

static int write_parts(const struct model *m, const struct checkpoint *c,
                       const struct model_save_opts *o, struct err *e)
{
    const size_t n = count_parts(&m->plan, o);
    struct part b = {.m = m, .plan = &m->plan, .dtype = o->dtype};
    int rc = 0;

    for (size_t k = 0; k < n && rc >= 0; k++, b.from = b.to) {
        char name[NAME_MAX_BYTES], *path;

        part_name(name, k, n);
        b.to = part_end(&m->plan, b.from, o->dtype, o->shard);
        if (!(path = checkpoint_join(c, name, e)))
            return e ? e->code : ERR_NOMEM;
        if ((rc = checkpoint_reuse(c, name, e)) >= 0) {
            b.over = rc;
            rc = write_part(&b, path, e);
        }
        free(path);
    }
    if (rc < 0 || n == 1)
        return rc;
    return write_json(c, "model.safetensors.index.json", index_of(&m->plan, o, n), e);
}

static json_t *config_of(const struct model *m, enum dtype dtype)
{
    const char *name = dtype == DTYPE_F16    ? "float16"
                       : dtype == DTYPE_BF16 ? "bfloat16"
                                             : "float32";
    json_t *c = m->config ? json_deep_copy(m->config) : arch_config(&m->arch);
    const char *key = json_object_get(c, "dtype") ? "dtype" : "torch_dtype";

    if (c && json_object_set_new(c, key, json_string(name)) == 0)
        return c;
    json_decref(c);
    return NULL;
}

static int copy_files(const struct model *m, const struct checkpoint *c, struct err *e)
{
    static const char *const names[] = {
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "tokenizer.model",
        "chat_template.jinja",
        "chat_template.json",
    };

    for (size_t i = 0; m->dir && i < sizeof names / sizeof *names; i++) {
        const int rc = checkpoint_copy(c, m->dir, names[i], e);

        if (rc < 0)
            return rc;
    }
    const int rc =
        m->dir ? checkpoint_copy_all(c, m->dir, "additional_chat_templates", e) : 0;
    return rc < 0 ? rc : 0;
}

int model_write(const struct model *m, const struct checkpoint *c,
                const struct model_save_opts *opts, struct err *e)
{
    const struct model_save_opts o = opts ? *opts : (struct model_save_opts){DTYPE_F32};
    int rc;

    assert(m->mode != MODEL_SAMPLE);
    if ((rc = write_json(c, "config.json", config_of(m, o.dtype), e)) < 0 ||
        (rc = copy_files(m, c, e)) < 0)
        return rc;
    return write_parts(m, c, &o, e);
}

int model_save(const struct model *m, const char *dir, enum checkpoint_mode mode,
               const struct model_save_opts *opts, struct err *e)
{
    struct checkpoint c = {0};
    int rc = checkpoint_begin(&c, dir, mode, e);

    if (rc >= 0)
        rc = model_write(m, &c, opts, e);
    if (rc >= 0)
        rc = checkpoint_commit(&c, e);
    checkpoint_abort(&c);
    return rc;
}

/* ---- the type that loses nothing --------------------------------------------------- */

/* 1 if every value of p is one of `dtype`'s, 0 if not. */
static int fits(const struct model *m, const struct plan_param *p, enum dtype dtype,
                struct err *e)
{
    const float *x;
    int rc = model_fetch(&x, m, p, e), same = 1;

    for (size_t i = 0; rc >= 0 && same && i < p->rows * p->cols; i++) {
        uint16_t half;
        float back;

        (void)dtype_narrow(&half, &x[i], dtype, 1);
        (void)dtype_widen(&back, &half, dtype, 1);
        same = back == x[i];
    }
    return rc < 0 ? rc : same;
}

static const struct weights_tensor *stored(const struct model *m,
                                           const struct plan_param *p)
{
    const int gguf = weights_kind(m->weights) == WEIGHTS_GGUF;

    return weights_find(m->weights, gguf ? p->gguf : p->name);
}

int model_own_dtype(enum dtype *out, const struct model *m, struct err *e)
{
    static const enum dtype halves[] = {DTYPE_F16, DTYPE_BF16};

    *out = DTYPE_F32;
    for (size_t k = 0; k < 2; k++) {
        int rc = 1;

        for (size_t i = 0; rc > 0 && i < m->plan.n; i++) {
            const struct plan_param *p = &m->plan.param[i];
            const struct weights_tensor *t = stored(m, p);

            if (t && (i == 0 || !m->adapter) &&
                strcmp(t->type, dtype_name(halves[k])) == 0)
                continue;
            rc = i > 0 ? fits(m, p, halves[k], e) : 0;
        }
        if (rc < 0)
            return rc;
        if (rc)
            *out = halves[k];
    }
    return 0;
}
