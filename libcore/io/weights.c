#include "io/weights.h"

#include "base/file.h"
#include "base/json.h"
#include "io/safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct weights {
    enum weights_kind kind;
    char *path, *config_path;
    json_t *config;
    struct safetensors st;
    struct gguf gguf;
    struct weights_tensor *tensors; /* sorted by name, as both readers have them */
    size_t n;
};

_Static_assert((int)WEIGHTS_RANK >= (int)SAFETENSORS_RANK &&
                   (int)WEIGHTS_RANK >= (int)GGUF_RANK,
               "every tensor of either format fits");

static void set_dims(struct weights_tensor *t, const size_t *dims, size_t rank,
                     size_t count)
{
    t->rank = rank;
    memcpy(t->dims, dims, rank * sizeof *dims);
    t->cols = rank ? dims[rank - 1] : 1;
    t->rows = t->cols ? count / t->cols : 0;
}

static int alloc_tensors(struct weights *w, size_t n, struct err *e)
{
    w->tensors = calloc(n + 1, sizeof *w->tensors);
    w->n = w->tensors ? n : 0;
    return w->tensors
               ? 0
               : err_set(e, ERR_NOMEM, "%s: no memory for %zu tensors", w->path, n);
}

static int list_safetensors(struct weights *w, struct err *e)
{
    const int rc = alloc_tensors(w, w->st.n, e);

    for (size_t i = 0; i < w->n; i++) {
        const struct st_entry *s = &w->st.entries[i];

        w->tensors[i] = (struct weights_tensor){
            .name = s->name,
            .type = dtype_name(s->dtype),
            .file = safetensors_where(&w->st, s),
            .is_float = s->dtype == DTYPE_F32 || s->dtype == DTYPE_F16 ||
                        s->dtype == DTYPE_BF16,
            .code = (int)s->dtype,
            .data = s->data,
        };
        set_dims(&w->tensors[i], s->dims, s->rank, s->count);
    }
    return rc;
}

static int list_gguf(struct weights *w, struct err *e)
{
    const int rc = alloc_tensors(w, w->gguf.ntensors, e);

    for (size_t i = 0; i < w->n; i++) {
        const struct gguf_tensor *s = &w->gguf.tensors[i];

        w->tensors[i] = (struct weights_tensor){
            .name = s->name,
            .type = quant_name(s->type),
            .file = w->path,
            .is_float = 1,
            .code = DTYPE_COUNT + (int)s->type,
            .data = s->data,
        };
        set_dims(&w->tensors[i], s->dims, s->rank, s->count);
    }
    return rc;
}

static int open_dir(struct weights *w, struct err *e)
{
    int rc;

    w->kind = WEIGHTS_HF;
    w->config_path = file_join(w->path, "config.json");
    if (!w->config_path)
        return err_set(e, ERR_NOMEM, "%s: no memory", w->path);
    if ((rc = json_read_file(&w->config, w->config_path, e)) < 0)
        return rc;
    if (!json_is_object(w->config))
        return err_set(e, ERR_FILE, "%s: not an object", w->config_path);
    if ((rc = safetensors_open(&w->st, w->path, e)) < 0)
        return rc;
    return list_safetensors(w, e);
}

static int open_gguf(struct weights *w, struct err *e)
{
    int rc;

    w->kind = WEIGHTS_GGUF;
    if (!(w->config_path = strdup(w->path)))
        return err_set(e, ERR_NOMEM, "%s: no memory", w->path);
    if ((rc = gguf_open(&w->gguf, w->path, e)) < 0)
        return rc;
    return list_gguf(w, e);
}

int weights_open(struct weights **out, const char *path, struct err *e)
{
    struct weights *w = calloc(1, sizeof *w);
    struct stat st;
    int rc;

    *out = NULL;
    if (!w || !(w->path = strdup(path)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", path);
    else
        rc = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? open_dir(w, e)
                                                         : open_gguf(w, e);
    if (rc < 0)
        weights_close(w);
    else
        *out = w;
    return rc;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    json_decref(w->config);
    safetensors_close(&w->st);
    gguf_close(&w->gguf);
    free(w->tensors);
    free(w->config_path);
    free(w->path);
    free(w);
}

enum weights_kind weights_kind(const struct weights *w)
{
    return w->kind;
}

const char *weights_path(const struct weights *w)
{
    return w->path;
}

const json_t *weights_config(const struct weights *w)
{
    return w->config;
}

const struct gguf *weights_gguf(const struct weights *w)
{
    return w->kind == WEIGHTS_GGUF ? &w->gguf : NULL;
}

const char *weights_config_path(const struct weights *w)
{
    return w->config_path;
}

size_t weights_count(const struct weights *w)
{
    return w->n;
}

const struct weights_tensor *weights_at(const struct weights *w, size_t i)
{
    return &w->tensors[i];
}

static int name_order(const void *a, const void *b)
{
    return strcmp(((const struct weights_tensor *)a)->name,
                  ((const struct weights_tensor *)b)->name);
}

const struct weights_tensor *weights_find(const struct weights *w, const char *name)
{
    const struct weights_tensor key = {.name = name};

    return w->n ? bsearch(&key, w->tensors, w->n, sizeof key, name_order) : NULL;
}

int weights_matrix(const struct weights_tensor **out, const struct weights *w,
                   const char *name, size_t rows, size_t cols, struct err *e)
{
    const struct weights_tensor *t = weights_find(w, name);

    if (!t)
        return err_set(e, ERR_FILE, "%s: no tensor '%s', expected one of %zu x %zu",
                       w->path, name, rows, cols);
    if (!t->is_float)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' is of type %s, expected F32, F16 or BF16", t->file,
                       name, t->type);
    if (t->rows != rows || t->cols != cols)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' is %zu x %zu, expected %zu x %zu from %s", t->file,
                       name, t->rows, t->cols, rows, cols, w->config_path);
    *out = t;
    return 0;
}

/* ---- reading
 * --------------------------------------------------------------------------
 */

/* Row r of t to y. */
static void read_row(enum isa isa, float *y, const struct weights_tensor *t, size_t r)
{
    if (t->code < DTYPE_COUNT) {
        const enum dtype d = (enum dtype)t->code;

        (void)dtype_widen(y, t->data + r * t->cols * dtype_size(d), d, t->cols);
    } else {
        const enum quant_type q = (enum quant_type)(t->code - DTYPE_COUNT);

        quant_widen(isa, y, t->data + r * quant_bytes(q, t->cols), q, t->cols);
    }
}

const float *weights_floats(const struct weights_tensor *t)
{
    const int whole = t->code == DTYPE_F32 || t->code == DTYPE_COUNT + QUANT_F32;

    return whole && (uintptr_t)t->data % _Alignof(float) == 0
               ? (const float *)(const void *)t->data
               : NULL;
}

/* One value of a vector. */
static float read_value(enum isa isa, const struct weights_tensor *t, size_t i)
{
    float block[256];

    if (t->code < DTYPE_COUNT) {
        const enum dtype d = (enum dtype)t->code;

        (void)dtype_widen(block, t->data + i * dtype_size(d), d, 1);
        return block[0];
    }
    const enum quant_type q = (enum quant_type)(t->code - DTYPE_COUNT);
    quant_widen(isa, block, t->data + quant_bytes(q, i), q, quant_block(q));
    return block[i % quant_block(q)];
}

void weights_read(const struct weights_tensor *t, size_t head_dim, size_t r0, size_t r1,
                  float *out, enum isa isa)
{
    if (head_dim && t->rows == 1)
        for (size_t i = 0; i < t->cols; i++)
            out[i] = read_value(isa, t, gguf_qk_row(i, head_dim));
    else
        for (size_t r = r0; r < r1; r++)
            read_row(isa, out + (r - r0) * t->cols, t,
                     head_dim ? gguf_qk_row(r, head_dim) : r);
}
