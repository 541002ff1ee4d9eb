/*
 * A model as one GGUF file.
 *
 * Which type a tensor gets is what llama.cpp's own converter and quantiser decide, so
 * that its kernels find what they know: vectors, norms, biases and tables of positions,
 * learned or relative, stay float32; a matrix whose rows are no whole blocks becomes F16; and in a Q4_0 file the
 * output matrix (or the embedding that stands for it) gets a finer type.  There it is
 * Q6_K, which we do not write; ours is Q8_0, as there where Q6_K does not fit.
 */
#include "model/private.h"

#include "io/gguf_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* general.file_type of a file whose matrices are of this type; -1: we write none. */
static const int file_type[QUANT_TYPES] = {
    [QUANT_F32] = 0,   [QUANT_F16] = 1,   [QUANT_BF16] = 32, [QUANT_Q8_0] = 7,
    [QUANT_Q4_0] = 2,  [QUANT_Q4_1] = -1, [QUANT_Q5_0] = -1, [QUANT_Q5_1] = -1,
    [QUANT_Q4_K] = -1, [QUANT_Q5_K] = -1, [QUANT_Q6_K] = -1,
};

/* ---- metadata ---------------------------------------------------------------------- */

static void put_text(struct gguf_meta *out, const char *key, const char *text)
{
    gguf_put_str(out, key, text, strlen(text));
}

void model_gguf_name(struct gguf_meta *out, const char *key, const struct model *m)
{
    const char *path = m->path;
    size_t end = strlen(path), begin;

    while (end > 0 && path[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/';)
        begin--;
    if (end == begin || path[begin] == '.')
        put_text(out, key, m->arch.family->name);
    else
        gguf_put_str(out, key, path + begin, end - begin);
}

/* "135M": at least two digits. */
static void put_size(struct gguf_meta *out, size_t parameters)
{
    static const char letters[] = "KMBT";
    double n = (double)parameters / 1e3;
    char text[32];
    int k = 0;

    for (; n >= 1e3 && letters[k + 1]; k++)
        n /= 1e3;
    snprintf(text, sizeof text, n < 9.95 ? "%.1f%c" : "%.0f%c", n, letters[k]);
    put_text(out, "general.size_label", text);
}

/* What the writer says anew, and what is true of files in parts only. */
static int is_ours(const struct gguf_kv *kv)
{
    static const char *const keys[] = {
        "general.alignment", "general.file_type", "general.quantization_version",
        "split.no",          "split.count",       "split.tensors.count",
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (kv->key.n == strlen(keys[i]) && memcmp(kv->key.s, keys[i], kv->key.n) == 0)
            return 1;
    return 0;
}

static void put_file_type(struct gguf_meta *out, enum quant_type type)
{
    gguf_put_size(out, "general.file_type", (size_t)file_type[type]);
    gguf_put_size(out, "general.quantization_version", 2);
}

void model_gguf_general(struct gguf_meta *out, const struct model *m, const char *what,
                        const struct plan *plan, enum quant_type type)
{
    const char *name = arch_gguf_name(&m->arch);

    if (name)
        put_text(out, "general.architecture", name);
    put_text(out, "general.type", what);
    put_size(out, plan_count(plan));
    put_file_type(out, type);
}

int model_gguf_meta(const struct model *m, enum quant_type type, struct gguf_meta *out,
                    struct err *e)
{
    const struct gguf *g = m->weights ? weights_gguf(m->weights) : NULL;

    for (size_t i = 0; g && i < g->nkv; i++)
        if (!is_ours(&g->kv[i]))
            gguf_put_kv(out, &g->kv[i]);
    if (g) {
        put_file_type(out, type);
        return 0;
    }
    model_gguf_general(out, m, "model", &m->plan, type);
    model_gguf_name(out, "general.name", m);
    return arch_to_gguf(&m->arch, out, m->path, e);
}

/* ---- tensors ----------------------------------------------------------------------- */

static int is_tensor(const struct model *m, const struct plan_param *p,
                     enum arch_tensor t)
{
    const struct family *f = m->arch.family;
    const char *name = f->names[t].gguf;
    const char *other = f->encoder ? f->encoder[t].gguf : NULL;

    return (name && strcmp(p->gguf, name) == 0) ||
           (other && strcmp(p->gguf, other) == 0);
}

static int is_output(const struct model *m, const struct plan_param *p)
{
    return is_tensor(m, p, ARCH_HEAD) || (m->arch.tied && is_tensor(m, p, ARCH_EMBED));
}

static enum quant_type type_of(const struct model *m, const struct plan_param *p,
                               enum quant_type type)
{
    if (p->flags & PLAN_VECTOR || is_tensor(m, p, ARCH_POSITION) ||
        is_tensor(m, p, ARCH_RELATIVE))
        return QUANT_F32;
    if (p->cols % quant_block(type))
        return QUANT_F16;
    return type == QUANT_Q4_0 && is_output(m, p) ? QUANT_Q8_0 : type;
}

int model_gguf_declare(struct gguf_decl *d, const struct model *m,
                       const struct plan *plan, enum quant_type type, struct err *e)
{
    for (size_t i = 0; i < plan->n; i++, d++) {
        const struct plan_param *p = &plan->param[i];

        if (!p->gguf)
            return err_set(e, ERR_FILE, "%s: '%s' has no name in GGUF", m->path,
                           p->name);
        *d = (struct gguf_decl){p->gguf, type_of(m, p, type), 2, {p->rows, p->cols}};
        if (p->flags & PLAN_VECTOR) {
            d->rank = 1;
            d->dims[0] = p->cols;
        }
    }
    return 0;
}

/* The row order of q and k in llama files: file row gguf_qk_row(r, D) is row r.  A bias
 * has rows of one value. */
static void permute(float *out, const float *x, const struct plan_param *p, size_t D)
{
    const int vector = (p->flags & PLAN_VECTOR) != 0;
    const size_t rows = vector ? p->cols : p->rows, cols = vector ? 1 : p->cols;

    for (size_t r = 0; r < rows; r++)
        memcpy(out + gguf_qk_row(r, D) * cols, x + r * cols, cols * sizeof *x);
}

int model_gguf_put(struct gguf_writer *w, const struct model *m,
                   const struct plan_param *p, const float *x, struct err *e)
{
    const size_t n = p->rows * p->cols;
    float *changed;

    if (!(p->flags & (PLAN_QK | PLAN_PLUS_ONE)))
        return gguf_writer_put(w, x, n, e);
    if (!(changed = malloc(n * sizeof *changed)))
        return err_set(e, ERR_NOMEM, "%s: no memory for '%s'", m->path, p->name);
    if (p->flags & PLAN_QK)
        permute(changed, x, p, m->arch.D);
    for (size_t i = 0; p->flags & PLAN_PLUS_ONE && i < n; i++)
        changed[i] = x[i] + 1;
    const int rc = gguf_writer_put(w, changed, n, e);
    free(changed);
    return rc;
}

static int put_tensor(struct gguf_writer *w, const struct model *m,
                      const struct plan_param *p, struct err *e)
{
    const float *x;
    const int rc = model_fetch(&x, m, p, e);

    return rc < 0 ? rc : model_gguf_put(w, m, p, x, e);
}

/* Divisors of frequencies, behind the parameters. */
static size_t declare_divisors(struct gguf_decl *d, const struct model *m, double *by)
{
    size_t i = 0, n;

    for (; (n = arch_gguf_divisors(&d[i].name, by, &m->arch, i)) > 0; i++) {
        d[i].type = QUANT_F32;
        d[i].rank = 1;
        d[i].dims[0] = n;
    }
    return i;
}

static int put_divisors(struct gguf_writer *w, const struct model *m, double *by,
                        struct err *e)
{
    const char *name;
    int rc = 0;

    for (size_t i = 0, n;
         rc >= 0 && (n = arch_gguf_divisors(&name, by, &m->arch, i)) > 0; i++)
        for (size_t k = 0; k < n && rc >= 0; k++) {
            const float x = (float)by[k];

            rc = gguf_writer_put(w, &x, 1, e);
        }
    return rc;
}

int model_write_gguf(const struct model *m, enum quant_type type,
                     const struct gguf_meta *meta, int fd, const char *where,
                     struct err *e)
{
    struct gguf_decl *decl = calloc(m->plan.n + ARCH_GGUF_DIVISORS, sizeof *decl);
    double *by = calloc(m->arch.R / 2 + 1, sizeof *by);
    struct gguf_writer *w = NULL;
    size_t ndivisors = 0;
    int rc;

    if (!decl || !by)
        rc = err_set(e, ERR_NOMEM, "%s: no memory to write it", where);
    else if ((rc = model_gguf_declare(decl, m, &m->plan, type, e)) >= 0)
        ndivisors = declare_divisors(decl + m->plan.n, m, by);
    if (rc >= 0)
        rc = gguf_writer_open(&w, fd, where, meta, decl, m->plan.n + ndivisors, e);
    for (size_t i = 0; rc >= 0 && i < m->plan.n; i++)
        rc = put_tensor(w, m, &m->plan.param[i], e);
    if (rc >= 0)
        rc = put_divisors(w, m, by, e);
    rc = gguf_writer_close(w, rc, e);
    free(decl);
    free(by);
    return rc;
}
