#include "rec/value.h"

#include "rec/private.h"
#include "rec/scan.h"

#include <stdlib.h>
#include <string.h>

/* Bytes were walked by rec_scan_run or written by rec_put_*: a head is always whole. */
static enum rec_type token(struct rec_token *t, struct rec_value v)
{
    if (!v.at || rec_token_read(t, v.at, v.size) != 1) {
        *t = (struct rec_token){0};
        return REC_NONE;
    }
    return t->type;
}

enum rec_type rec_value_type(struct rec_value v)
{
    struct rec_token t;

    return token(&t, v);
}

const char *rec_type_name(enum rec_type t)
{
    static const char *const name[] = {
        [REC_NONE] = "absent",    [REC_NIL] = "null",    [REC_BOOL] = "a boolean",
        [REC_INT] = "an integer", [REC_F32] = "a float", [REC_F64] = "a float",
        [REC_STR] = "a string",   [REC_BIN] = "bytes",   [REC_EXT] = "an extension",
        [REC_ARRAY] = "an array", [REC_MAP] = "a map",
    };

    return name[t];
}

int rec_value_bool(int *out, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_BOOL)
        return -1;
    *out = t.u != 0;
    return 0;
}

int rec_value_int(int64_t *out, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_INT || (!t.negative && t.u > INT64_MAX))
        return -1;
    *out = (int64_t)t.u;
    return 0;
}

int rec_value_uint(uint64_t *out, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_INT || t.negative)
        return -1;
    *out = t.u;
    return 0;
}

int rec_value_f64(double *out, struct rec_value v)
{
    struct rec_token t;

    switch (token(&t, v)) {
    case REC_F32:
    case REC_F64: *out = t.f; return 0;
    case REC_INT: *out = t.negative ? (double)(int64_t)t.u : (double)t.u; return 0;
    default: return -1;
    }
}

int rec_value_str(struct rec_str *out, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_STR)
        return -1;
    *out = (struct rec_str){(const char *)t.data, t.n};
    return 0;
}

int rec_value_bin(const unsigned char **out, size_t *n, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_BIN)
        return -1;
    *out = t.data;
    *n = t.n;
    return 0;
}

int rec_value_ext(int *type, const unsigned char **out, size_t *n, struct rec_value v)
{
    struct rec_token t;

    if (token(&t, v) != REC_EXT)
        return -1;
    *type = t.ext;
    *out = t.data;
    *n = t.n;
    return 0;
}

size_t rec_value_count(struct rec_value v)
{
    struct rec_token t;
    const enum rec_type type = token(&t, v);

    return type == REC_ARRAY || type == REC_MAP ? t.n : 0;
}

void rec_iter_start(struct rec_iter *it, struct rec_value v)
{
    struct rec_token t;
    const enum rec_type type = token(&t, v);

    *it = (struct rec_iter){0};
    if (type == REC_ARRAY || type == REC_MAP)
        *it = (struct rec_iter){v.at + t.size, t.n, type == REC_MAP};
}

static struct rec_value step(struct rec_iter *it)
{
    const struct rec_value v = {it->at, rec_value_span(it->at, SIZE_MAX / 2)};

    it->at += v.size;
    return v;
}

int rec_iter_next(struct rec_iter *it, struct rec_value *key, struct rec_value *val)
{
    if (it->left == 0)
        return 0;
    it->left--;
    *key = (struct rec_value){0};
    if (it->map)
        *key = step(it);
    *val = step(it);
    return 1;
}

struct rec_value rec_value_member(struct rec_value v, const char *key)
{
    struct rec_value m;

    rec_value_members(&m, v, &key, 1);
    return m;
}

void rec_value_members(struct rec_value *out, struct rec_value v,
                       const char *const *key, size_t n)
{
    struct rec_iter it;
    struct rec_value k, m;
    struct rec_str name;

    memset(out, 0, n * sizeof *out);
    if (rec_value_type(v) != REC_MAP)
        return;
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &m);) {
        if (rec_value_str(&name, k) < 0)
            continue;
        for (size_t i = 0; i < n; i++)
            if (!out[i].at && rec_str_is(name, key[i]))
                out[i] = m;
    }
}

int rec_str_is(struct rec_str t, const char *s)
{
    return t.n == strlen(s) && memcmp(t.n ? t.s : "", s, t.n) == 0;
}

char *rec_str_copy(struct rec_str t)
{
    char *s = malloc(t.n + 1);

    if (!s)
        return NULL;
    if (t.n)
        memcpy(s, t.s, t.n);
    s[t.n] = '\0';
    return s;
}

/* Bytes of the well-formed sequence at s (RFC 3629), or 0. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    const unsigned char c = s[0];
    const size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (n == 0 || n > left || c > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
        (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

int rec_utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end;

    if (n == 0) /* s may be NULL */
        return 1;
    for (end = p + n; p < end;) {
        uint64_t eight;

        if (end - p >= 8) {
            memcpy(&eight, p, 8);
            if (!(eight & 0x8080808080808080u)) {
                p += 8;
                continue;
            }
        }
        const size_t k = utf8_length(p, (size_t)(end - p));
        if (k == 0)
            return 0;
        p += k;
    }
    return 1;
}

/* ---- tensors
 * --------------------------------------------------------------------------- */
static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [REC_TENSOR_F4] = {"<f4", 4},
    [REC_TENSOR_F2] = {"<f2", 2},
    [REC_TENSOR_I4] = {"<i4", 4},
    [REC_TENSOR_U1] = {"|u1", 1},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

size_t rec_dtype_size(enum rec_dtype t)
{
    return dtypes[t].size;
}

const char *rec_dtype_name(enum rec_dtype t)
{
    return dtypes[t].name;
}

enum part { PART_ND, PART_TYPE, PART_KIND, PART_SHAPE, PART_DATA, PARTS };

static const struct {
    const char *key;
    size_t n;
} part_keys[PARTS] = {
    [PART_ND] = {"nd", 2},       [PART_TYPE] = {"type", 4}, [PART_KIND] = {"kind", 4},
    [PART_SHAPE] = {"shape", 5}, [PART_DATA] = {"data", 4},
};

/* Under bin keys, as msgpack-numpy writes them, or str ones. */
static void tensor_parts(struct rec_value part[PARTS], struct rec_value v)
{
    struct rec_iter it;
    struct rec_value k, m;
    struct rec_token t;

    memset(part, 0, PARTS * sizeof *part);
    if (rec_value_type(v) != REC_MAP)
        return;
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &m);) {
        const enum rec_type type = token(&t, k);

        if (type != REC_STR && type != REC_BIN)
            continue;
        for (size_t i = 0; i < PARTS; i++)
            if (t.n == part_keys[i].n && memcmp(t.data, part_keys[i].key, t.n) == 0)
                part[i] = m;
    }
}

static int parts_make_tensor(const struct rec_value part[PARTS])
{
    int nd;

    return rec_value_bool(&nd, part[PART_ND]) == 0 && nd;
}

int rec_value_is_tensor(struct rec_value v)
{
    struct rec_value part[PARTS];

    tensor_parts(part, v);
    return parts_make_tensor(part);
}

static int tensor_dtype(enum rec_dtype *out, struct rec_value type, struct err *e)
{
    struct rec_token t;

    token(&t, type);
    for (size_t i = 0; i < DTYPES; i++)
        if ((t.type == REC_STR || t.type == REC_BIN) && t.n == 3 &&
            memcmp(t.data, dtypes[i].name, 3) == 0) {
            *out = (enum rec_dtype)i;
            return 0;
        }
    return err_set(e, ERR_RECORD,
                   "a tensor of type '%.*s' is refused: <f4, <f2, <i4 and |u1 are read",
                   t.n < 16 && t.data ? (int)t.n : 0,
                   t.data ? (const char *)t.data : "");
}

static int tensor_shape(struct rec_tensor *out, struct rec_value shape, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, m;
    uint64_t d;

    if (rec_value_type(shape) != REC_ARRAY || rec_value_count(shape) > REC_RANK)
        return err_set(e, ERR_RECORD, "a tensor's shape is not an array of at most %d",
                       REC_RANK);
    out->rank = 0;
    out->count = 1;
    for (rec_iter_start(&it, shape); rec_iter_next(&it, &k, &m);) {
        if (rec_value_uint(&d, m) < 0 || d > SIZE_MAX / 8 ||
            __builtin_mul_overflow(out->count, (size_t)d, &out->count) ||
            out->count > SIZE_MAX / 8)
            return err_set(e, ERR_RECORD, "a tensor's shape is not one");
        out->shape[out->rank++] = (size_t)d;
    }
    return 0;
}

int rec_value_tensor(struct rec_tensor *out, struct rec_value v, struct err *e)
{
    struct rec_value part[PARTS];
    size_t n;
    int rc;

    *out = (struct rec_tensor){0};
    tensor_parts(part, v);
    if (!parts_make_tensor(part))
        return err_set(e, ERR_RECORD, "%s, not a tensor",
                       rec_type_name(rec_value_type(v)));
    if (part[PART_KIND].at && rec_value_count(part[PART_KIND]))
        return err_set(e, ERR_RECORD, "a tensor of structured type is refused");
    if ((rc = tensor_dtype(&out->dtype, part[PART_TYPE], e)) < 0 ||
        (rc = tensor_shape(out, part[PART_SHAPE], e)) < 0)
        return rc;
    if (rec_value_bin(&out->data, &n, part[PART_DATA]) < 0)
        return err_set(e, ERR_RECORD, "a tensor's data is %s, not bytes",
                       rec_type_name(rec_value_type(part[PART_DATA])));
    if (n != out->count * rec_dtype_size(out->dtype))
        return err_set(e, ERR_RECORD,
                       "a tensor has %zu bytes of data, its shape and type ask for %zu",
                       n, out->count * rec_dtype_size(out->dtype));
    return 0;
}

/* IEEE 754 half to single: exact. */
static float half(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exp = h >> 10 & 31u, frac = h & 1023u;
    uint32_t bits;
    float f;

    if (exp == 0) { /* zero or subnormal: frac * 2^-24 */
        f = (float)frac * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exp == 31 ? 0x7f800000u : (exp + 112) << 23) | frac << 13;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t rec_half_of(uint32_t single)
{
    const uint32_t sign = single >> 16 & 0x8000u, frac = single & 0x7fffffu;
    const int exp = (int)(single >> 23 & 255u) - 112;
    uint32_t h, rest;

    if (exp >= 143) /* infinity or NaN */
        return (uint16_t)(sign | 0x7c00u | (frac ? 0x200u | frac >> 13 : 0));
    if (exp < -10)
        return (uint16_t)sign;
    if (exp <= 0) { /* subnormal: the implicit bit becomes a real one */
        const unsigned shift = (unsigned)(14 - exp);
        h = (frac | 0x800000u) >> shift;
        rest = (frac | 0x800000u) << (32 - shift);
    } else {
        h = (uint32_t)exp << 10 | frac >> 13;
        rest = frac << 19;
    }
    h += rest > 0x80000000u || (rest == 0x80000000u && (h & 1)); /* may carry: right */
    return (uint16_t)(sign | (h > 0x7c00u ? 0x7c00u : h));
}

static uint32_t little32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void rec_tensor_f32(float *out, const struct rec_tensor *t)
{
    const unsigned char *p = t->data;
    const size_t n = t->count;

    switch (t->dtype) {
    case REC_TENSOR_F4: /* little-endian, like every machine we run on */
        if (n)
            memcpy(out, p, n * sizeof *out);
        break;
    case REC_TENSOR_F2:
        for (size_t i = 0; i < n; i++)
            out[i] = half((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
        break;
    case REC_TENSOR_I4:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(int32_t)little32(p + 4 * i);
        break;
    case REC_TENSOR_U1:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)p[i];
        break;
    }
}
