#include "io/gguf_write.h"

#include "tensor/dims.h"

#include <stdlib.h>
#include <string.h>

/* What readers assume where 'general.alignment' is not said. */
enum { ALIGNMENT = 32, BUFFER = 1 << 18 };

/* ---- metadata ---------------------------------------------------------------------- */

void gguf_meta_release(struct gguf_meta *m)
{
    free(m->data);
    *m = (struct gguf_meta){0};
}

static void put(struct gguf_meta *m, const void *bytes, size_t n)
{
    if (m->failed)
        return;
    if (n > m->cap - m->n) {
        const size_t cap = 2 * (m->n + n) + 4096;
        char *p = realloc(m->data, cap);

        if (!p) {
            m->failed = 1;
            return;
        }
        m->data = p;
        m->cap = cap;
    }
    if (n > 0)
        memcpy(m->data + m->n, bytes, n);
    m->n += n;
}

static void put_u32(struct gguf_meta *m, uint32_t v)
{
    put(m, &v, sizeof v);
}

static void put_u64(struct gguf_meta *m, uint64_t v)
{
    put(m, &v, sizeof v);
}

void gguf_add_str(struct gguf_meta *m, const char *s, size_t n)
{
    put_u64(m, n);
    put(m, s, n);
}

void gguf_add_i32(struct gguf_meta *m, int32_t v)
{
    put(m, &v, sizeof v);
}

void gguf_add_f32(struct gguf_meta *m, float v)
{
    put(m, &v, sizeof v);
}

static void put_key(struct gguf_meta *m, const char *key, enum gguf_type type)
{
    gguf_add_str(m, key, strlen(key));
    put_u32(m, type);
    m->count++;
}

void gguf_put_str(struct gguf_meta *m, const char *key, const char *s, size_t n)
{
    put_key(m, key, GGUF_STRING);
    gguf_add_str(m, s, n);
}

void gguf_put_size(struct gguf_meta *m, const char *key, size_t v)
{
    put_key(m, key, v <= UINT32_MAX ? GGUF_U32 : GGUF_U64);
    if (v <= UINT32_MAX)
        put_u32(m, (uint32_t)v);
    else
        put_u64(m, v);
}

void gguf_put_f32(struct gguf_meta *m, const char *key, double v)
{
    put_key(m, key, GGUF_F32);
    gguf_add_f32(m, (float)v);
}

void gguf_put_f64(struct gguf_meta *m, const char *key, double v)
{
    put_key(m, key, GGUF_F64);
    put(m, &v, sizeof v);
}

void gguf_put_bool(struct gguf_meta *m, const char *key, int v)
{
    const char byte = v != 0;

    put_key(m, key, GGUF_BOOL);
    put(m, &byte, 1);
}

void gguf_put_array(struct gguf_meta *m, const char *key, enum gguf_type type,
                    uint64_t n)
{
    put_key(m, key, GGUF_ARRAY);
    put_u32(m, type);
    put_u64(m, n);
}

void gguf_put_bytes(struct gguf_meta *m, const char *key, const void *bytes, size_t n)
{
    gguf_put_array(m, key, GGUF_U8, n);
    put(m, bytes, n);
}

void gguf_put_kv(struct gguf_meta *m, const struct gguf_kv *kv)
{
    gguf_add_str(m, kv->key.s, kv->key.n);
    if (kv->is_array)
        put_u32(m, GGUF_ARRAY);
    put_u32(m, kv->type);
    if (kv->is_array)
        put_u64(m, kv->n);
    put(m, kv->data, kv->size);
    m->count++;
}

/* ---- the writer -------------------------------------------------------------------- */

struct slot {
    char *name;
    enum quant_type type;
    size_t count;
};

struct gguf_writer {
    int fd;
    char *where;
    struct slot *tensors;
    size_t n, at; /* tensors; the one being filled */
    size_t left;  /* values it still wants */
    size_t used;  /* of buf */
    unsigned char buf[BUFFER];
};

static int flush(struct gguf_writer *w, struct err *e)
{
    const size_t n = w->used;

    w->used = 0;
    return file_write_all(w->fd, w->buf, n, w->where, e);
}

/* Checks a declaration, keeps what the values will need, appends its line of the table;
 * *offset, where its values begin, moves behind them. */
static int declare(struct gguf_writer *w, struct gguf_meta *table,
                   const struct gguf_decl *d, uint64_t *offset, struct err *e)
{
    struct slot *t = &w->tensors[w->n];

    *t = (struct slot){.name = strdup(d->name), .type = d->type, .count = 1};
    w->n++;
    if (!t->name)
        return err_set(e, ERR_NOMEM, "%s: no memory", w->where);
    if (d->rank < 1 || d->rank > GGUF_RANK ||
        d->dims[d->rank - 1] % quant_block(d->type) || !quant_can_narrow(d->type))
        return err_set(e, ERR_USAGE, "%s: '%s' cannot be written as %s", w->where,
                       d->name, quant_name(d->type));
    gguf_add_str(table, d->name, strlen(d->name));
    put_u32(table, (uint32_t)d->rank);
    for (size_t i = d->rank; i-- > 0;) {
        put_u64(table, d->dims[i]);
        if (__builtin_mul_overflow(t->count, d->dims[i], &t->count) ||
            t->count > SIZE_MAX / 16)
            return err_set(e, ERR_USAGE, "%s: the shape of '%s' overflows", w->where,
                           d->name);
    }
    put_u32(table, quant_gguf_number(d->type));
    put_u64(table, *offset);
    *offset += round_up(quant_bytes(t->type, t->count), ALIGNMENT);
    return 0;
}

static int write_head(struct gguf_writer *w, const struct gguf_meta *meta,
                      const struct gguf_meta *table, struct err *e)
{
    static const char zeros[ALIGNMENT];
    struct gguf_meta head = {0};
    int rc;

    put(&head, "GGUF", 4);
    put_u32(&head, 3);
    put_u64(&head, w->n);
    put_u64(&head, meta->count);
    const size_t size = head.n + meta->n + table->n;
    if (head.failed || meta->failed || table->failed)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for its metadata", w->where);
    else if ((rc = file_write_all(w->fd, head.data, head.n, w->where, e)) == 0 &&
             (rc = file_write_all(w->fd, meta->data, meta->n, w->where, e)) == 0 &&
             (rc = file_write_all(w->fd, table->data, table->n, w->where, e)) == 0)
        rc =
            file_write_all(w->fd, zeros, round_up(size, ALIGNMENT) - size, w->where, e);
    gguf_meta_release(&head);
    return rc;
}

/* Ends the tensor that is full, and those that want nothing: their padding. */
static void settle(struct gguf_writer *w)
{
    while (w->at < w->n && w->left == 0) {
        const struct slot *t = &w->tensors[w->at];
        const size_t bytes = quant_bytes(t->type, t->count);
        const size_t pad = round_up(bytes, ALIGNMENT) - bytes;

        memset(w->buf + w->used, 0, pad); /* put leaves room for it */
        w->used += pad;
        if (++w->at < w->n)
            w->left = w->tensors[w->at].count;
    }
}

int gguf_writer_open(struct gguf_writer **out, int fd, const char *where,
                     const struct gguf_meta *meta, const struct gguf_decl *decl,
                     size_t n, struct err *e)
{
    struct gguf_writer *w = calloc(1, sizeof *w);
    struct gguf_meta table = {0};
    uint64_t offset = 0;
    int rc = 0;

    *out = NULL;
    if (!w || !(w->where = strdup(where)) ||
        !(w->tensors = calloc(n + 1, sizeof *w->tensors)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", where);
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = declare(w, &table, &decl[i], &offset, e);
    if (rc >= 0) {
        w->fd = fd;
        rc = write_head(w, meta, &table, e);
    }
    gguf_meta_release(&table);
    if (rc < 0)
        return gguf_writer_close(w, rc, e);
    w->left = n ? w->tensors[0].count : 0;
    settle(w);
    *out = w;
    return 0;
}

int gguf_writer_put(struct gguf_writer *w, const float *x, size_t n, struct err *e)
{
    while (n > 0) {
        const struct slot *t = &w->tensors[w->at];
        int rc;

        if (n > w->left || n % quant_block(t->type))
            return err_set(e, ERR_USAGE, "%s: values that no tensor wants", w->where);
        const size_t room = (BUFFER - ALIGNMENT - w->used) / quant_block_bytes(t->type);
        size_t k = room * quant_block(t->type);
        k = k < n ? k : n;
        if (quant_narrow(w->buf + w->used, x, t->type, k) > 0)
            return err_set(e, ERR_NUMERIC, "%s: '%s' has values that %s cannot hold",
                           w->where, t->name, quant_name(t->type));
        w->used += quant_bytes(t->type, k);
        w->left -= k;
        x += k;
        n -= k;
        settle(w);
        if (w->used > BUFFER / 2 && (rc = flush(w, e)) < 0)
            return rc;
    }
    return 0;
}

int gguf_writer_close(struct gguf_writer *w, int rc, struct err *e)
{
    if (!w)
        return rc;
    if (rc >= 0 && w->at < w->n)
        rc = err_set(e, ERR_USAGE, "%s: '%s' lacks %zu values", w->where,
                     w->tensors[w->at].name, w->left);
    if (rc >= 0) {
        const int end = flush(w, e);
        rc = end < 0 ? end : rc;
    }
    for (size_t i = 0; i < w->n; i++)
        free(w->tensors[i].name);
    free(w->tensors);
    free(w->where);
    free(w);
    return rc;
}
