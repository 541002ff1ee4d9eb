#include "rec/json.h"

#include "base/base64.h"
#include "rec/buf.h"
#include "rec/private.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The text becomes a jansson tree, the tree msgpack bytes in r->edit. */
struct reading {
    struct rec r;
    struct rec_buf bytes; /* of base64 and tensors, while they are made */
    struct err *e;
};

static int put(struct reading *q, const json_t *j, int single, int depth);

static int wrong(struct reading *q, const char *tag, const char *want)
{
    return err_set(q->e, ERR_RECORD, "'%s' is not %s", tag, want);
}

/* ---- floats
 * --------------------------------------------------------------------------- */
static void put_bits(struct reading *q, uint64_t bits, int single)
{
    unsigned char b[9] = {single ? 0xca : 0xcb};
    const size_t n = single ? 4 : 8;

    for (size_t i = 0; i < n; i++)
        b[1 + i] = (unsigned char)(bits >> 8 * (n - 1 - i));
    rec_buf_add(&q->r.edit, b, n + 1);
}

/* A number, or the text of one that is not finite, as the bits of its type. */
static int float_of(uint64_t *bits, const json_t *j, int single)
{
    const char *s = json_string_value(j);
    uint32_t b32;
    char *end;

    if (json_is_number(j)) {
        const double d = json_number_value(j);
        const float f = (float)d;

        memcpy(bits, &d, sizeof d);
        memcpy(&b32, &f, sizeof f);
        *bits = single ? b32 : *bits;
        return 0;
    }
    if (!s)
        return -1;
    if (strcmp(s, "nan") == 0)
        *bits = single ? 0x7fc00000u : 0x7ff8000000000000u;
    else if (strcmp(s, "inf") == 0)
        *bits = single ? 0x7f800000u : 0x7ff0000000000000u;
    else if (strcmp(s, "-inf") == 0)
        *bits = single ? 0xff800000u : 0xfff0000000000000u;
    else if (strncmp(s, "0x", 2) == 0) {
        errno = 0;
        *bits = strtoull(s + 2, &end, 16);
        return errno || *end || end == s + 2 || (single && *bits > UINT32_MAX) ? -1 : 0;
    } else
        return -1;
    return 0;
}

static int put_float(struct reading *q, const json_t *j, int single)
{
    uint64_t bits;

    if (float_of(&bits, j, single) < 0)
        return wrong(q, single ? "$f32" : "$f64",
                     "a number, \"nan\", \"inf\", \"-inf\" or \"0x...\"");
    put_bits(q, bits, single);
    return 0;
}

static int put_floats(struct reading *q, const json_t *j, int single)
{
    size_t i;
    const json_t *x;
    int rc;

    if (!json_is_array(j))
        return put_float(q, j, single);
    rec_put_array(&q->r, json_array_size(j));
    json_array_foreach(j, i, x) if ((rc = put_float(q, x, single)) < 0) return rc;
    return 0;
}

static int put_f32(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    (void)obj, (void)depth;
    return put_floats(q, j, 1);
}

static int put_f64(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    (void)obj, (void)depth;
    return put_floats(q, j, 0);
}

/* ---- integers, bytes
 * -------------------------------------------------------------------- */
static int put_int(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    const char *s = json_string_value(j);
    char *end = NULL;

    (void)obj, (void)depth;
    if (json_is_integer(j)) {
        rec_put_int(&q->r, json_integer_value(j));
        return 0;
    }
    if (!s || !*s || strspn(s + (*s == '-'), "0123456789") != strlen(s + (*s == '-')))
        return wrong(q, "$int", "the digits of an integer");
    errno = 0;
    if (*s == '-')
        rec_put_int(&q->r, strtoll(s, &end, 10));
    else
        rec_put_uint(&q->r, strtoull(s, &end, 10));
    return errno || *end ? wrong(q, "$int", "an integer of 64 bits") : 0;
}

static int bytes_of(struct reading *q, const char *tag, const json_t *j)
{
    const size_t n = json_string_length(j);

    rec_buf_clear(&q->bytes);
    unsigned char *to = rec_buf_room(&q->bytes, base64_room(n));
    const int64_t got =
        to && json_is_string(j) ? base64_get(to, json_string_value(j), n) : -1;

    if (got < 0 && !q->bytes.oom)
        return wrong(q, tag, "base64");
    q->bytes.n = got > 0 ? (size_t)got : 0;
    return 0;
}

static int put_bin(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    const int rc = bytes_of(q, "$bin", j);

    (void)obj, (void)depth;
    if (rc == 0)
        rec_put_bin(&q->r, q->bytes.p, q->bytes.n);
    return rc;
}

static int put_str(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    const int rc = bytes_of(q, "$str", j);

    (void)obj, (void)depth;
    if (rc == 0)
        rec_put_text(&q->r, (const char *)q->bytes.p, q->bytes.n);
    return rc;
}

static int put_ext(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    const json_t *type = json_array_get(j, 0);
    const json_int_t t = json_integer_value(type);

    (void)obj, (void)depth;
    if (json_array_size(j) != 2 || !json_is_integer(type) || t < -128 || t > 127 ||
        bytes_of(q, "$ext", json_array_get(j, 1)) < 0)
        return wrong(q, "$ext", "[type, \"base64\"]");
    rec_put_ext(&q->r, (int)t, q->bytes.p, q->bytes.n);
    return 0;
}

/* ---- tensors
 * ---------------------------------------------------------------------------- */
static int put_half(struct rec_buf *out, const json_t *j)
{
    const char *s = json_string_value(j);
    char *end;
    uint64_t bits;
    uint32_t b;
    uint16_t h;

    if (s && strncmp(s, "0x", 2) == 0) {
        errno = 0;
        bits = strtoull(s + 2, &end, 16);
        if (errno || *end || end == s + 2 || bits > UINT16_MAX)
            return -1;
        h = (uint16_t)bits;
    } else {
        if (float_of(&bits, j, 1) < 0)
            return -1;
        b = (uint32_t)bits;
        h = rec_half_of(b);
    }
    const unsigned char p[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
    rec_buf_add(out, p, 2);
    return 0;
}

static int put_element(struct rec_buf *out, const json_t *j, enum rec_dtype t)
{
    const json_int_t i = json_integer_value(j);
    const int floats = t == REC_TENSOR_F4;
    uint64_t bits = (uint32_t)i;

    if (t == REC_TENSOR_F2)
        return put_half(out, j);
    if (floats && float_of(&bits, j, 1) < 0)
        return -1;
    if (!floats && (!json_is_integer(j) || i < (t == REC_TENSOR_I4 ? INT32_MIN : 0) ||
                    i > (t == REC_TENSOR_I4 ? INT32_MAX : UINT8_MAX)))
        return -1;
    const unsigned char p[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                (unsigned char)(bits >> 16),
                                (unsigned char)(bits >> 24)};
    rec_buf_add(out, p, rec_dtype_size(t));
    return 0;
}

static int elements(struct rec_buf *out, const struct rec_tensor *t, const json_t *j,
                    size_t axis)
{
    size_t i;
    const json_t *x;

    if (axis == t->rank)
        return put_element(out, j, t->dtype);
    if (!json_is_array(j) || json_array_size(j) != t->shape[axis])
        return -1;
    json_array_foreach(j, i, x) if (elements(out, t, x, axis + 1) < 0) return -1;
    return 0;
}

static int shape_of(struct rec_tensor *t, const json_t *shape, const json_t *type)
{
    const char *name = json_string_value(type);
    size_t i;
    const json_t *x;

    *t = (struct rec_tensor){.count = 1};
    if (!json_is_array(shape) || json_array_size(shape) > REC_RANK || !name)
        return -1;
    json_array_foreach(shape, i, x)
    {
        const json_int_t d = json_integer_value(x);
        if (!json_is_integer(x) || d < 0 || d > INT32_MAX ||
            __builtin_mul_overflow(t->count, (size_t)d, &t->count))
            return -1;
        t->shape[t->rank++] = (size_t)d;
    }
    for (int k = REC_TENSOR_F4; k <= REC_TENSOR_U1; k++)
        if (strcmp(name, rec_dtype_name((enum rec_dtype)k)) == 0) {
            t->dtype = (enum rec_dtype)k;
            return 0;
        }
    return -1;
}

static int put_tensor(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    const json_t *data = json_object_get(obj, "data");
    struct rec_tensor t;

    (void)depth;
    if (shape_of(&t, j, json_object_get(obj, "type")) < 0)
        return wrong(q, "$nd", "a shape with a type of <f4, <f2, <i4, |u1");
    rec_buf_clear(&q->bytes);
    if (t.count == 0 ? json_array_size(data) != 0 || !json_is_array(data)
                     : elements(&q->bytes, &t, data, 0) < 0)
        return wrong(q, "$nd", "a tensor: its data do not fit shape and type");
    t.data = q->bytes.p;
    rec_put_tensor(&q->r, &t);
    return 0;
}

/* ---- containers
 * ------------------------------------------------------------------------- */
static int put_pairs(struct reading *q, const json_t *j, const json_t *obj, int depth)
{
    size_t i;
    const json_t *x;
    int rc;

    (void)obj;
    if (!json_is_array(j))
        return wrong(q, "$map", "an array of [key, value]");
    rec_put_map(&q->r, json_array_size(j));
    json_array_foreach(j, i, x)
    {
        if (json_array_size(x) != 2)
            return wrong(q, "$map", "an array of [key, value]");
        if ((rc = put(q, json_array_get(x, 0), 0, depth)) < 0 ||
            (rc = put(q, json_array_get(x, 1), 0, depth)) < 0)
            return rc;
    }
    return 0;
}

static const struct {
    const char *name;
    size_t members;
    int (*put)(struct reading *q, const json_t *j, const json_t *obj, int depth);
} tags[] = {
    {"$f32", 1, put_f32},   {"$f64", 1, put_f64},   {"$int", 1, put_int},
    {"$bin", 1, put_bin},   {"$str", 1, put_str},   {"$ext", 1, put_ext},
    {"$nd", 3, put_tensor}, {"$map", 1, put_pairs},
};

static int put_object(struct reading *q, json_t *j, int depth)
{
    const char *key;
    size_t n;
    json_t *v;
    int rc;

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (json_object_size(j) == tags[i].members &&
            (v = json_object_get(j, tags[i].name)))
            return tags[i].put(q, v, j, depth);
    rec_put_map(&q->r, json_object_size(j));
    json_object_keylen_foreach(j, key, n, v)
    {
        rec_put_text(&q->r, key, n);
        if ((rc = put(q, v, 0, depth)) < 0)
            return rc;
    }
    return 0;
}

static int put_array(struct reading *q, const json_t *j, int single, int depth)
{
    size_t i;
    const json_t *x;
    int rc;

    rec_put_array(&q->r, json_array_size(j));
    json_array_foreach(j, i, x) if ((rc = put(q, x, single, depth)) < 0) return rc;
    return 0;
}

static int put(struct reading *q, const json_t *j, int single, int depth)
{
    if (depth >= REC_DEPTH)
        return err_set(q->e, ERR_RECORD, "nested more than %d deep", REC_DEPTH);
    switch (json_typeof(j)) {
    case JSON_NULL: rec_put_nil(&q->r); return 0;
    case JSON_TRUE: rec_put_bool(&q->r, 1); return 0;
    case JSON_FALSE: rec_put_bool(&q->r, 0); return 0;
    case JSON_STRING:
        rec_put_text(&q->r, json_string_value(j), json_string_length(j));
        return 0;
    case JSON_INTEGER:
        if (!single)
            rec_put_int(&q->r, json_integer_value(j));
        else
            return put_float(q, j, 1);
        return 0;
    case JSON_REAL: return put_float(q, j, single);
    case JSON_ARRAY: return put_array(q, j, single, depth + 1);
    case JSON_OBJECT: return put_object(q, (json_t *)(uintptr_t)j, depth + 1);
    }
    return err_set(q->e, ERR_RECORD, "a value of no JSON type");
}

static int put_record(struct reading *q, json_t *j)
{
    const char *key;
    size_t n;
    json_t *v;
    int rc;

    rec_put_map(&q->r, json_object_size(j));
    json_object_keylen_foreach(j, key, n, v)
    {
        rec_put_text(&q->r, key, n);
        const int single = json_is_array(v) && rec_json_f32_field(key);
        if ((rc = put(q, v, single, 1)) < 0)
            return rc;
    }
    return 0;
}

int rec_json_parse(struct rec_buf *out, const char *text, size_t n, struct err *e)
{
    struct reading q = {.e = e};
    json_error_t je;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    int rc;

    if (!j)
        return err_set(e,
                       json_error_code(&je) == json_error_premature_end_of_input
                           ? ERR_TRUNC
                           : ERR_RECORD,
                       "JSON, column %d: %s", je.column, je.text);
    if (!json_is_object(j))
        rc = err_set(e, ERR_RECORD, "JSON, but not an object");
    else
        rc = put_record(&q, j);
    json_decref(j);
    if (rc == 0)
        rec_buf_add(out, q.r.edit.p, q.r.edit.n);
    if (rc == 0 && (q.r.edit.oom || q.bytes.oom || out->oom))
        rc = err_set(e, ERR_NOMEM, "no memory for a line of %zu bytes", n);
    rec_release(&q.r);
    rec_buf_release(&q.bytes);
    return rc;
}

/* ---- objects in a longer text
 * ----------------------------------------------------------- */
int rec_json_seek(struct rec_json_seek *k, const char *s, size_t n)
{
    while (k->at < n) {
        const char c = s[k->at++];

        if (k->escape)
            k->escape = 0;
        else if (k->string && c == '\\')
            k->escape = 1;
        else if (c == '"')
            k->string = !k->string;
        else if (!k->string && (c == '{' || c == '['))
            k->depth++;
        else if (!k->string && (c == '}' || c == ']') && --k->depth == 0)
            return 1;
    }
    return 0;
}
