#include "rec/record.h"

#include "rec/buf.h"
#include "rec/private.h"
#include "rec/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rec_release(struct rec *r)
{
    free(r->field);
    rec_buf_release(&r->edit);
    rec_buf_release(&r->own);
    *r = (struct rec){0};
}

void rec_clear(struct rec *r)
{
    rec_buf_clear(&r->edit);
    rec_buf_clear(&r->own);
    *r = (struct rec){
        .field = r->field, .fields_cap = r->fields_cap, .edit = r->edit, .own = r->own};
}

int rec_copy(struct rec *dst, const struct rec *src, struct err *e)
{
    rec_clear(dst);
    rec_buf_add(&dst->own, src->raw, src->size);
    rec_buf_add(&dst->edit, src->edit.p, src->edit.n);
    if (dst->own.oom || dst->edit.oom || src->edit.oom ||
        rec_fields_reserve(dst, src->nfields) < 0)
        return err_set(e, ERR_NOMEM, "no memory for a record of %zu bytes", src->size);
    if (src->nfields)
        memcpy(dst->field, src->field, src->nfields * sizeof *src->field);
    dst->raw = dst->own.p;
    dst->size = src->size;
    dst->nfields = src->nfields;
    dst->changed = src->changed;
    dst->source = src->source;
    dst->number = src->number;
    dst->offset = src->offset;
    dst->header = src->header;
    return 0;
}

int rec_parse(struct rec *r, const void *data, size_t n, struct err *e)
{
    struct rec_scan s;
    const char *why;

    rec_clear(r);
    rec_scan_start(&s);
    switch (rec_scan_run(&s, r, data, n, n)) {
    case SCAN_DONE: break;
    case SCAN_MORE: return err_set(e, ERR_RECORD, "bytes end inside the record");
    case SCAN_BAD: return err_set(e, ERR_RECORD, "%s", s.why);
    case SCAN_NOMEM: return err_set(e, ERR_NOMEM, "no memory for its fields");
    }
    if (s.pos != n)
        return err_set(e, ERR_RECORD, "%zu bytes behind the record", n - s.pos);
    if ((why = rec_scan_keys(r, data)))
        return err_set(e, ERR_RECORD, "%s", why);
    r->raw = data;
    r->size = n;
    return 0;
}

int rec_fault(const struct rec *r, enum errcode code, struct err *e, const char *field,
              const char *fmt, ...)
{
    char text[ERR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, code, "%s%srecord %zu: %s%s%s%s", r->source ? r->source : "",
                   r->source ? ": " : "", r->number, field ? "field '" : "",
                   field ? field : "", field ? "': " : "", text);
}

/* ---- finding
 * ------------------------------------------------------------------------- */
const char *rec_field_key(const struct rec *r, size_t i, size_t *n)
{
    const struct rec_field *f = &r->field[i];

    *n = f->klen;
    return (const char *)(f->kedit ? r->edit.p : r->raw) + f->key;
}

struct rec_value rec_field_value(const struct rec *r, size_t i)
{
    const struct rec_field *f = &r->field[i];

    return (struct rec_value){(f->vedit ? r->edit.p : r->raw) + f->val, f->vsize};
}

size_t rec_field_index(const struct rec *r, const char *key)
{
    const size_t n = strlen(key);
    size_t klen, i;

    for (i = 0; i < r->nfields; i++) {
        if (r->field[i].klen != n)
            continue;
        const char *k = rec_field_key(r, i, &klen);
        if (memcmp(k, key, n) == 0)
            break;
    }
    return i;
}

struct rec_value rec_find(const struct rec *r, const char *key)
{
    const size_t i = rec_field_index(r, key);

    return i < r->nfields ? rec_field_value(r, i) : (struct rec_value){0};
}

struct rec_str rec_kind(const struct rec *r)
{
    struct rec_str s;

    if (rec_value_str(&s, rec_find(r, "kind")) < 0)
        s = (struct rec_str){"", 0};
    return s;
}

struct rec_str rec_dtype_of(const struct rec *r)
{
    struct rec_str dtype = {0};
    struct rec_iter it;
    struct rec_value k, pg;

    if (!r->header)
        return dtype;
    for (rec_iter_start(&it, rec_find(&r->header->rec, "pg"));
         rec_iter_next(&it, &k, &pg);)
        if (rec_value_str(&dtype, rec_value_member(pg, "dtype")) == 0)
            return dtype;
    return (struct rec_str){0};
}

int rec_is(const struct rec *r, const char *kind)
{
    return rec_str_is(rec_kind(r), kind);
}

/* ---- typed getters
 * ------------------------------------------------------------------- */
static int mistyped(const struct rec *r, const char *key, struct rec_value v,
                    const char *want, struct err *e)
{
    return rec_fault(r, ERR_RECORD, e, key, "%s, expected %s",
                     rec_type_name(rec_value_type(v)), want);
}

static int absent(struct rec_value v)
{
    return rec_value_type(v) <= REC_NIL;
}

/* What rec_get_x makes of rec_opt_x's answer. */
static int needed(const struct rec *r, const char *key, int rc, const char *want,
                  struct err *e)
{
    if (rc == 0)
        return rec_fault(r, ERR_RECORD, e, key, "missing, expected %s", want);
    return rc < 0 ? rc : 0;
}

int rec_opt_str(const struct rec *r, const char *key, struct rec_str *out,
                struct err *e)
{
    const struct rec_value v = rec_find(r, key);
    struct rec_str s;

    if (absent(v))
        return 0;
    if (rec_value_str(&s, v) < 0)
        return mistyped(r, key, v, "a string", e);
    if (!rec_utf8_valid(s.s, s.n))
        return rec_fault(r, ERR_RECORD, e, key, "not valid UTF-8");
    *out = s;
    return 1;
}

int rec_opt_uint(const struct rec *r, const char *key, uint64_t *out, struct err *e)
{
    const struct rec_value v = rec_find(r, key);

    if (absent(v))
        return 0;
    if (rec_value_uint(out, v) < 0)
        return rec_value_type(v) == REC_INT
                   ? rec_fault(r, ERR_RECORD, e, key, "negative")
                   : mistyped(r, key, v, "an integer", e);
    return 1;
}

int rec_opt_f64(const struct rec *r, const char *key, double *out, struct err *e)
{
    const struct rec_value v = rec_find(r, key);

    if (absent(v))
        return 0;
    if (rec_value_f64(out, v) < 0)
        return mistyped(r, key, v, "a number", e);
    return 1;
}

int rec_opt_bin(const struct rec *r, const char *key, const unsigned char **out,
                size_t *n, struct err *e)
{
    const struct rec_value v = rec_find(r, key);

    if (absent(v))
        return 0;
    if (rec_value_bin(out, n, v) < 0)
        return mistyped(r, key, v, "bytes", e);
    return 1;
}

int rec_get_str(const struct rec *r, const char *key, struct rec_str *out,
                struct err *e)
{
    return needed(r, key, rec_opt_str(r, key, out, e), "a string", e);
}

int rec_get_uint(const struct rec *r, const char *key, uint64_t *out, struct err *e)
{
    return needed(r, key, rec_opt_uint(r, key, out, e), "an integer", e);
}

int rec_get_f64(const struct rec *r, const char *key, double *out, struct err *e)
{
    return needed(r, key, rec_opt_f64(r, key, out, e), "a number", e);
}

int rec_opt_tensor(const struct rec *r, const char *key, struct rec_tensor *t,
                   struct err *e)
{
    const struct rec_value v = rec_find(r, key);
    struct err why = {0};

    if (absent(v))
        return 0;
    if (rec_value_tensor(t, v, &why) < 0)
        return rec_fault(r, ERR_RECORD, e, key, "%s", why.text);
    return 1;
}

/* ---- arrays of numbers
 * --------------------------------------------------------------- */
enum number { NUM_I32, NUM_U32, NUM_F32 };

static const char *const number_name[] = {
    [NUM_I32] = "a 32-bit integer",
    [NUM_U32] = "an unsigned 32-bit integer",
    [NUM_F32] = "a number",
};

static uint32_t big_endian32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One element into 4 bytes at out; -1 if it does not fit the type. */
static int element(void *out, struct rec_value v, enum number type)
{
    int64_t i;
    double d;

    if (type == NUM_F32) {
        if (rec_value_f64(&d, v) < 0)
            return -1;
        const float f = (float)d;
        memcpy(out, &f, sizeof f);
        return 0;
    }
    if (rec_value_int(&i, v) < 0 || i > (type == NUM_I32 ? INT32_MAX : UINT32_MAX) ||
        i < (type == NUM_I32 ? INT32_MIN : 0))
        return -1;
    const uint32_t u = (uint32_t)i;
    memcpy(out, &u, sizeof u);
    return 0;
}

/* The same for what nearly all arrays consist of, single floats, or integers from 0 that fit
 * either type: returns the bytes it takes at p, or 0 if it is another: then element(). */
static inline size_t usual_float(void *out, const unsigned char *p)
{
    const uint32_t u = p[0] == 0xca ? big_endian32(p + 1) : 0;

    memcpy(out, &u, sizeof u);
    return p[0] == 0xca ? 5 : 0;
}

static inline size_t usual_integer(void *out, const unsigned char *p)
{
    uint32_t u = p[0];
    size_t size = u < 0x80;

    switch (p[0]) {
    case 0xcc:
        u = p[1];
        size = 2;
        break;
    case 0xcd:
        u = (uint32_t)p[1] << 8 | p[2];
        size = 3;
        break;
    case 0xce:
        u = big_endian32(p + 1);
        size = u <= INT32_MAX ? 5 : 0;
        break;
    default: break;
    }
    memcpy(out, &u, sizeof u);
    return size;
}

static int from_array(const struct rec *r, const char *key, struct rec_value v,
                      unsigned char *out, enum number type, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, x;

    rec_iter_start(&it, v);
    for (size_t i = 0; it.left; i++) {
        unsigned char *to = out + 4 * i;
        const size_t size =
            type == NUM_F32 ? usual_float(to, it.at) : usual_integer(to, it.at);

        if (size) {
            it.at += size;
            it.left--;
        } else if (rec_iter_next(&it, &k, &x) && element(to, x, type) < 0) {
            return rec_fault(r, ERR_RECORD, e, key, "element %zu is %s, expected %s", i,
                             rec_type_name(rec_value_type(x)), number_name[type]);
        }
    }
    return 1;
}

/* A tensor of one dimension: i4 for integers, f4 or f2 for floats. */
static int from_tensor(const struct rec *r, const char *key, const struct rec_tensor *t,
                       unsigned char *out, enum number type, struct err *e)
{
    const int floats = t->dtype == REC_TENSOR_F4 || t->dtype == REC_TENSOR_F2;

    if (t->rank != 1 || floats != (type == NUM_F32) || t->dtype == REC_TENSOR_U1)
        return rec_fault(r, ERR_RECORD, e, key,
                         "a tensor of %zu dimensions of %s, expected one of %s",
                         t->rank, rec_dtype_name(t->dtype), number_name[type]);
    if (type == NUM_F32) {
        rec_tensor_f32((float *)(void *)out, t);
        return 1;
    }
    memcpy(out, t->data,
           4 * t->count); /* little-endian, like every machine we run on */
    for (size_t i = 0; type == NUM_U32 && i < t->count; i++)
        if (out[4 * i + 3] & 0x80)
            return rec_fault(r, ERR_RECORD, e, key, "element %zu is negative", i);
    return 1;
}

static int numbers(const struct rec *r, const char *key, struct rec_buf *buf, size_t *n,
                   enum number type, struct err *e)
{
    const struct rec_value v = rec_find(r, key);
    const int array = rec_value_type(v) == REC_ARRAY;
    struct rec_tensor t;
    int rc;

    if (absent(v))
        return 0;
    if (!array && !rec_value_is_tensor(v))
        return mistyped(r, key, v, "an array of numbers", e);
    if (!array && (rc = rec_opt_tensor(r, key, &t, e)) < 0)
        return rc;
    *n = array ? rec_value_count(v) : t.count;
    rec_buf_clear(buf);
    unsigned char *out = rec_buf_room(buf, 4 * *n + 1);
    if (!out)
        return rec_fault(r, ERR_NOMEM, e, key, "no memory for %zu numbers", *n);
    return array ? from_array(r, key, v, out, type, e)
                 : from_tensor(r, key, &t, out, type, e);
}

int rec_opt_i32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const int32_t **out, size_t *n, struct err *e)
{
    const int rc = numbers(r, key, buf, n, NUM_I32, e);

    if (rc > 0)
        *out = (const int32_t *)(const void *)buf->p;
    return rc;
}

int rec_opt_u32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const uint32_t **out, size_t *n, struct err *e)
{
    const int rc = numbers(r, key, buf, n, NUM_U32, e);

    if (rc > 0)
        *out = (const uint32_t *)(const void *)buf->p;
    return rc;
}

int rec_opt_f32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const float **out, size_t *n, struct err *e)
{
    const int rc = numbers(r, key, buf, n, NUM_F32, e);

    if (rc > 0)
        *out = (const float *)(const void *)buf->p;
    return rc;
}

int rec_get_i32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const int32_t **out, size_t *n, struct err *e)
{
    return needed(r, key, rec_opt_i32s(r, key, buf, out, n, e), "an array of integers",
                  e);
}

int rec_get_f32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const float **out, size_t *n, struct err *e)
{
    return needed(r, key, rec_opt_f32s(r, key, buf, out, n, e), "an array of numbers",
                  e);
}
