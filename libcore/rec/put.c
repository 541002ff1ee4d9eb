/*
 * Setters: values are packed (msgpack-c) into the record's edit buffer, and the field
 * points there from then on.
 */
#include "rec/record.h"

#include "base/hash.h"
#include "rec/buf.h"
#include "rec/private.h"
#include "rec/scan.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static int into_edit(void *data, const char *p, size_t n)
{
    struct rec_buf *buf = data;

    rec_buf_add(buf, p, n);
    return buf->oom ? -1 : 0;
}

/* The packer itself has no state but where its bytes go. */
static msgpack_packer packer(struct rec_buf *buf)
{
    return (msgpack_packer){.data = buf, .callback = into_edit};
}

#define PACK(r, call, ...)                                                             \
    do {                                                                               \
        msgpack_packer pk = packer(&(r)->edit);                                        \
        (void)call(&pk, ##__VA_ARGS__); /* a failure is edit.oom */                    \
    } while (0)

void rec_put_nil(struct rec *r)
{
    PACK(r, msgpack_pack_nil);
}

void rec_put_bool(struct rec *r, int v)
{
    if (v)
        PACK(r, msgpack_pack_true);
    else
        PACK(r, msgpack_pack_false);
}

void rec_put_int(struct rec *r, int64_t v)
{
    PACK(r, msgpack_pack_int64, v);
}

void rec_put_uint(struct rec *r, uint64_t v)
{
    PACK(r, msgpack_pack_uint64, v);
}

void rec_put_f32(struct rec *r, float v)
{
    PACK(r, msgpack_pack_float, v);
}

void rec_put_f64(struct rec *r, double v)
{
    PACK(r, msgpack_pack_double, v);
}

void rec_put_text(struct rec *r, const char *s, size_t n)
{
    PACK(r, msgpack_pack_str, n);
    rec_buf_add(&r->edit, s, n);
}

void rec_put_str(struct rec *r, const char *s)
{
    rec_put_text(r, s, strlen(s));
}

void rec_put_bin(struct rec *r, const void *p, size_t n)
{
    PACK(r, msgpack_pack_bin, n);
    rec_buf_add(&r->edit, p, n);
}

void rec_put_ext(struct rec *r, int type, const void *p, size_t n)
{
    PACK(r, msgpack_pack_ext, n, (int8_t)type);
    rec_buf_add(&r->edit, p, n);
}

void rec_put_array(struct rec *r, size_t n)
{
    PACK(r, msgpack_pack_array, n);
}

void rec_put_map(struct rec *r, size_t n)
{
    PACK(r, msgpack_pack_map, n);
}

void rec_put_value(struct rec *r, struct rec_value v)
{
    if (v.at)
        rec_buf_add(&r->edit, v.at, v.size);
    else
        rec_put_nil(r);
}

static void put_key(struct rec *r, const char *key)
{
    rec_put_bin(r, key, strlen(key));
}

/* msgpack-numpy's order and types: keys are bin, type is str. */
static void tensor_head(struct rec *r, enum rec_dtype dtype, size_t rank,
                        const size_t *shape)
{
    rec_put_map(r, 5);
    put_key(r, "nd");
    rec_put_bool(r, 1);
    put_key(r, "type");
    rec_put_str(r, rec_dtype_name(dtype));
    put_key(r, "kind");
    rec_put_bin(r, "", 0);
    put_key(r, "shape");
    rec_put_array(r, rank);
    for (size_t i = 0; i < rank; i++)
        rec_put_uint(r, shape[i]);
    put_key(r, "data");
}

void rec_put_tensor(struct rec *r, const struct rec_tensor *t)
{
    tensor_head(r, t->dtype, t->rank, t->shape);
    rec_put_bin(r, t->data, t->count * rec_dtype_size(t->dtype));
}

void rec_put_tensor_f32(struct rec *r, const float *v, size_t rank, const size_t *shape)
{
    size_t count = 1;

    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    tensor_head(r, REC_TENSOR_F4, rank, shape);
    rec_put_bin(r, v, count * sizeof *v); /* little-endian machines only */
}

/* ---- fields
 * --------------------------------------------------------------------------- */
void rec_begin(struct rec *r, const char *key)
{
    size_t i = rec_field_index(r, key);

    if (i == r->nfields) {
        if (rec_fields_reserve(r, i + 1) < 0) {
            r->edit.oom = 1;
            return;
        }
        const size_t token = r->edit.n, n = strlen(key);
        rec_put_text(r, key, n);
        r->field[i] = (struct rec_field){
            .token = token, .key = r->edit.n - n, .klen = n, .kedit = 1, .vedit = 1};
    }
    r->open_field = i;
    r->open_at = r->edit.n;
}

void rec_end(struct rec *r)
{
    const size_t size = r->edit.n - r->open_at;

    if (r->edit.oom)
        return;
    if (size == 0 || rec_value_span(r->edit.p + r->open_at, size) != size)
        abort(); /* not one whole value: a bug of the caller */
    struct rec_field *f = &r->field[r->open_field];
    f->val = r->open_at;
    f->vsize = size;
    f->vedit = 1;
    if (r->open_field == r->nfields)
        r->nfields++;
    r->changed = 1;
}

void rec_remove(struct rec *r, const char *key)
{
    const size_t i = rec_field_index(r, key);

    if (i == r->nfields)
        return;
    r->nfields--;
    memmove(&r->field[i], &r->field[i + 1], (r->nfields - i) * sizeof *r->field);
    r->changed = 1;
}

void rec_set_nil(struct rec *r, const char *key)
{
    rec_begin(r, key);
    rec_put_nil(r);
    rec_end(r);
}

void rec_set_bool(struct rec *r, const char *key, int v)
{
    rec_begin(r, key);
    rec_put_bool(r, v);
    rec_end(r);
}

void rec_set_int(struct rec *r, const char *key, int64_t v)
{
    rec_begin(r, key);
    rec_put_int(r, v);
    rec_end(r);
}

void rec_set_uint(struct rec *r, const char *key, uint64_t v)
{
    rec_begin(r, key);
    rec_put_uint(r, v);
    rec_end(r);
}

void rec_set_f64(struct rec *r, const char *key, double v)
{
    rec_begin(r, key);
    rec_put_f64(r, v);
    rec_end(r);
}

void rec_set_text(struct rec *r, const char *key, const char *s, size_t n)
{
    rec_begin(r, key);
    rec_put_text(r, s, n);
    rec_end(r);
}

void rec_set_str(struct rec *r, const char *key, const char *s)
{
    rec_set_text(r, key, s, strlen(s));
}

void rec_set_bin(struct rec *r, const char *key, const void *p, size_t n)
{
    rec_begin(r, key);
    rec_put_bin(r, p, n);
    rec_end(r);
}

void rec_set_i32s(struct rec *r, const char *key, const int32_t *v, size_t n)
{
    rec_begin(r, key);
    rec_put_array(r, n);
    for (size_t i = 0; i < n; i++)
        rec_put_int(r, v[i]);
    rec_end(r);
}

void rec_set_u32s(struct rec *r, const char *key, const uint32_t *v, size_t n)
{
    rec_begin(r, key);
    rec_put_array(r, n);
    for (size_t i = 0; i < n; i++)
        rec_put_uint(r, v[i]);
    rec_end(r);
}

void rec_set_f32s(struct rec *r, const char *key, const float *v, size_t n)
{
    rec_begin(r, key);
    rec_put_array(r, n);
    for (size_t i = 0; i < n; i++)
        rec_put_f32(r, v[i]);
    rec_end(r);
}

void rec_set_hash(struct rec *r, const char *key, uint64_t h)
{
    char hex[HASH_HEX];

    hash_hex(hex, h);
    rec_set_str(r, key, hex);
}

void rec_set_value(struct rec *r, const char *key, struct rec_value v)
{
    /* v may lie in r's own edit buffer, and rec_begin may move that. */
    const unsigned char *edit = r->edit.p;
    const int inside = edit && v.at >= edit && v.at < edit + r->edit.n;
    const size_t at = inside ? (size_t)(v.at - edit) : 0;

    rec_begin(r, key);
    if (inside)
        v.at = r->edit.p + at;
    rec_put_value(r, v);
    rec_end(r);
}

static void carry(struct rec *out, const struct rec *src, const char *key)
{
    const struct rec_value v = rec_find(src, key);

    if (v.at)
        rec_set_value(out, key, v);
}

void rec_make_error(struct rec *out, const struct rec *src, const char *tool,
                    const char *field, const struct err *e)
{
    rec_clear(out);
    rec_set_str(out, "kind", "error");
    if (src) {
        carry(out, src, "id");
        carry(out, src, "cand");
        out->header = src->header;
        out->source = src->source;
        out->number = src->number;
    }
    rec_set_str(out, "tool", tool);
    if (field)
        rec_set_str(out, "field", field);
    rec_set_str(out, "error", e->text);
}

void rec_append(struct rec_buf *out, const struct rec *r)
{
    if (!r->changed && r->raw) {
        rec_buf_add(out, r->raw, r->size);
        return;
    }
    msgpack_packer pk = packer(out);
    (void)msgpack_pack_map(&pk, r->nfields);
    for (size_t i = 0; i < r->nfields; i++) {
        const struct rec_field *f = &r->field[i];
        const struct rec_value v = rec_field_value(r, i);

        rec_buf_add(out, (f->kedit ? r->edit.p : r->raw) + f->token,
                    f->key + f->klen - f->token);
        rec_buf_add(out, v.at, v.size);
    }
}
