#include "model/model.h"

#include "io/safetensors.h"

#include <assert.h>
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

static int put(struct st_writer *w, const struct plan_param *p, const float *x,
               float *turn, struct err *e)
{
    if (p->flags & PLAN_TRANSPOSED) {
        plan_transpose(turn, x, p->rows, p->cols);
        x = turn;
    }
    return st_writer_put(w, x, p->rows * p->cols, e);
}

static size_t largest(const struct plan *p)
{
    size_t n = 1;

    for (size_t i = 0; i < p->n; i++)
        if (p->param[i].rows * p->param[i].cols > n)
            n = p->param[i].rows * p->param[i].cols;
    return n;
}

static int write_block(const struct model *m, const float *block, enum dtype dtype,
                       const char *path, struct err *e)
{
    const struct plan *p = &m->plan;
    struct st_decl *decl = calloc(p->n, sizeof *decl);
    float *turn = malloc(largest(p) * sizeof *turn);
    struct st_writer *w = NULL;
    int rc = 0;

    if (!decl || !turn)
        rc = err_set(e, ERR_NOMEM, "%s: no memory to write it", path);
    for (size_t i = 0; rc >= 0 && i < p->n; i++)
        declare(&decl[i], &p->param[i], dtype);
    if (rc >= 0)
        rc = st_writer_open(&w, path, decl, p->n, e);
    for (size_t i = 0; rc >= 0 && i < p->n; i++)
        rc = put(w, &p->param[i], block + p->param[i].offset, turn, e);
    rc = st_writer_close(w, rc, e);
    free(decl);
    free(turn);
    return rc;
}

int model_write_block(const struct model *m, const float *block, const char *path,
                      struct err *e)
{
    return write_block(m, block, DTYPE_F32, path, e);
}

/* ---- the directory ----------------------------------------------------------------- */

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

static int write_config(const struct model *m, const struct checkpoint *c,
                        enum dtype dtype, struct err *e)
{
    json_t *config = config_of(m, dtype);
    char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
    const int rc =
        text ? checkpoint_file(c, "config.json", text, strlen(text), e)
             : err_set(e, ERR_NOMEM, "%s: no memory for config.json", c->path);

    free(text);
    json_decref(config);
    return rc;
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
    return 0;
}

int model_write(const struct model *m, const struct checkpoint *c,
                const struct model_save_opts *opts, struct err *e)
{
    const enum dtype dtype = opts ? opts->dtype : DTYPE_F32;
    char *path;
    int rc;

    assert(m->mode == MODEL_COMPUTE);
    if ((rc = write_config(m, c, dtype, e)) < 0 || (rc = copy_files(m, c, e)) < 0)
        return rc;
    if (!(path = checkpoint_join(c, "model.safetensors", e)))
        return e ? e->code : ERR_NOMEM;
    rc = write_block(m, m->params, dtype, path, e);
    free(path);
    return rc;
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
