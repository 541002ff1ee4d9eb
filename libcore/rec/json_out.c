#include "rec/json.h"

#include "base/base64.h"
#include "rec/buf.h"
#include "rec/private.h"
#include "rec/scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fields whose arrays of plain numbers are float32: cagsr-stream(5). */
int rec_json_f32_field(const char *key)
{
    return key && (strcmp(key, "logp") == 0 || strcmp(key, "ref") == 0);
}

/* ---- strings
 * ------------------------------------------------------------------------- */
static void put_escaped(struct rec_buf *out, const char *s, size_t n)
{
    size_t from = 0;

    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        /* C1 controls (U+0080 to U+009F) drive terminals as C0 does. */
        const int c1 =
            c == 0xc2 && i + 1 < n && ((unsigned char)s[i + 1] & 0xe0) == 0x80;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !c1)
            continue;
        rec_buf_add(out, s + from, i - from);
        const char *short_form = c == '"'    ? "\\\""
                                 : c == '\\' ? "\\\\"
                                 : c == '\n' ? "\\n"
                                 : c == '\t' ? "\\t"
                                 : c == '\r' ? "\\r"
                                             : NULL;
        if (short_form)
            rec_buf_str(out, short_form);
        else
            rec_buf_printf(out, "\\u%04x", c1 ? (unsigned char)s[++i] : c);
        from = i + 1;
    }
    rec_buf_add(out, s + from, n - from);
}

static void put_string(struct rec_buf *out, const char *s, size_t n)
{
    rec_buf_str(out, "\"");
    put_escaped(out, s, n);
    rec_buf_str(out, "\"");
}

static void put_base64(struct rec_buf *out, const unsigned char *p, size_t n)
{
    rec_buf_str(out, "\"");
    unsigned char *to = rec_buf_room(out, base64_size(n));

    if (to) {
        base64_put((char *)to, p, n);
        out->n += base64_size(n);
    }
    rec_buf_str(out, "\"");
}

/* {"tag": "base64"}, or the base64 alone in the plain form. */
static void put_bytes(struct rec_buf *out, const char *tag, const unsigned char *p,
                      size_t n, enum rec_json_form form)
{
    if (form == REC_JSON_EXACT)
        rec_buf_printf(out, "{\"%s\":", tag);
    put_base64(out, p, n);
    if (form == REC_JSON_EXACT)
        rec_buf_str(out, "}");
}

/* ---- numbers
 * ------------------------------------------------------------------------- */
/* The shortest digits that read back to the same number; always with a point or an
 * exponent, so that they read back as a float. */
static void put_digits(struct rec_buf *out, double d, int single)
{
    char text[48];

    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        const double back = strtod(text, NULL);
        if (single ? (float)back == (float)d : back == d)
            break;
    }
    rec_buf_str(out, text);
    if (!strpbrk(text, ".e"))
        rec_buf_str(out, ".0");
}

/* "nan", "inf", "-inf"; another NaN by its bits. */
static void put_odd(struct rec_buf *out, double d, uint64_t bits, int single)
{
    const uint64_t plain = single ? 0x7fc00000u : 0x7ff8000000000000u;

    if (isinf(d))
        rec_buf_str(out, d > 0 ? "\"inf\"" : "\"-inf\"");
    else if (bits == plain)
        rec_buf_str(out, "\"nan\"");
    else
        rec_buf_printf(out, "\"0x%llx\"", (unsigned long long)bits);
}

/* The bits as they stand in the record: a NaN does not survive every conversion. */
static uint64_t float_bits(struct rec_value v, int single)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < (single ? 4u : 8u); i++)
        bits = bits << 8 | v.at[1 + i];
    return bits;
}

static void put_float(struct rec_buf *out, struct rec_value v, enum rec_json_form form)
{
    const int single = rec_value_type(v) == REC_F32;
    double d = 0;

    if (rec_value_f64(&d, v) == 0 && isfinite(d))
        put_digits(out, d, single);
    else if (form == REC_JSON_PLAIN)
        rec_buf_str(out, "null");
    else
        put_odd(out, d, float_bits(v, single), single);
}

/* A float where `single` ones need no tag. */
static void put_tagged_float(struct rec_buf *out, struct rec_value v, int single,
                             enum rec_json_form form)
{
    const int is = rec_value_type(v) == REC_F32;
    double d = 0;
    const int finite = rec_value_f64(&d, v) == 0 && isfinite(d);

    if (form == REC_JSON_PLAIN || (is == single && finite)) {
        put_float(out, v, form);
        return;
    }
    rec_buf_str(out, is ? "{\"$f32\":" : "{\"$f64\":");
    put_float(out, v, form);
    rec_buf_str(out, "}");
}

/* Beyond 2^53 not every JSON reader keeps an integer (jq 1.6 does not). */
static void put_int(struct rec_buf *out, struct rec_value v, int single,
                    enum rec_json_form form)
{
    const int64_t safe = INT64_C(1) << 53;
    int64_t i = 0;
    uint64_t u = 0;
    char text[32];

    if (rec_value_int(&i, v) == 0)
        snprintf(text, sizeof text, "%lld", (long long)i);
    else if (rec_value_uint(&u, v) == 0)
        snprintf(text, sizeof text, "%llu", (unsigned long long)u);
    const int tag = single || u || i > safe || i < -safe;
    rec_buf_printf(out, tag && form == REC_JSON_EXACT ? "{\"$int\":\"%s\"}" : "%s",
                   text);
}

/* ---- tensors
 * -------------------------------------------------------------------------- */
static void put_element(struct rec_buf *out, const struct rec_tensor *t, size_t i,
                        enum rec_json_form form)
{
    const size_t size = rec_dtype_size(t->dtype);
    struct rec_tensor one = *t;
    float f;

    one.count = 1;
    one.data = t->data + i * size;
    rec_tensor_f32(&f, &one);
    if (t->dtype == REC_TENSOR_I4) {
        const unsigned char *p = one.data;
        const uint32_t u =
            p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        rec_buf_printf(out, "%d", (int)u);
    } else if (t->dtype == REC_TENSOR_U1) {
        rec_buf_printf(out, "%u", (unsigned)one.data[0]);
    } else if (isfinite(f)) {
        put_digits(out, (double)f, 1);
    } else if (form == REC_JSON_PLAIN) {
        rec_buf_str(out, "null");
    } else if (t->dtype == REC_TENSOR_F2) {
        const unsigned bits = one.data[0] | (unsigned)one.data[1] << 8;
        if (isnan(f) && bits != 0x7e00)
            rec_buf_printf(out, "\"0x%x\"", bits);
        else
            put_odd(out, (double)f, 0x7fc00000u, 1);
    } else {
        const unsigned char *p = one.data;
        put_odd(out, (double)f,
                p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                    (uint32_t)p[3] << 24,
                1);
    }
}

static void put_nested(struct rec_buf *out, const struct rec_tensor *t, size_t axis,
                       size_t *i, enum rec_json_form form)
{
    if (axis == t->rank) {
        put_element(out, t, (*i)++, form);
        return;
    }
    rec_buf_str(out, "[");
    for (size_t k = 0; k < t->shape[axis] && !out->oom; k++) {
        if (k)
            rec_buf_str(out, ",");
        put_nested(out, t, axis + 1, i, form);
    }
    rec_buf_str(out, "]");
}

/* 1 if packing the tensor again gives just these bytes: only then the short form says
 * all. */
static int canonical_tensor(struct rec_value v, struct rec_tensor *t)
{
    struct rec scratch = {0};
    int same = 0;

    if (rec_value_tensor(t, v, NULL) < 0)
        return 0;
    /* An empty axis hides the lengths of those behind it: [[],[]] has no third axis. */
    rec_put_tensor(&scratch, t);
    same = !scratch.edit.oom && scratch.edit.n == v.size &&
           memcmp(scratch.edit.p, v.at, v.size) == 0;
    rec_release(&scratch);
    return same;
}

static void put_tensor(struct rec_buf *out, const struct rec_tensor *t,
                       enum rec_json_form form)
{
    size_t i = 0;

    if (form == REC_JSON_EXACT) {
        rec_buf_str(out, "{\"$nd\":[");
        for (size_t k = 0; k < t->rank; k++)
            rec_buf_printf(out, k ? ",%zu" : "%zu", t->shape[k]);
        rec_buf_printf(out, "],\"type\":\"%s\",\"data\":", rec_dtype_name(t->dtype));
    }
    /* With no element at all, nested brackets could still be without number. */
    if (t->count)
        put_nested(out, t, 0, &i, form);
    else
        rec_buf_str(out, "[]");
    if (form == REC_JSON_EXACT)
        rec_buf_str(out, "}");
}

/* ---- containers
 * ----------------------------------------------------------------------- */
static void put_value(struct rec_buf *out, struct rec_value v, int single,
                      enum rec_json_form form);

/* The type all elements have, REC_NONE for a mixture or no element. */
static enum rec_type common_type(struct rec_value v)
{
    struct rec_iter it;
    struct rec_value k, x;
    enum rec_type common = REC_NONE;

    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x);) {
        const enum rec_type t = rec_value_type(x);
        if (common != REC_NONE && t != common)
            return REC_NONE;
        common = t;
    }
    return common;
}

static void put_elements(struct rec_buf *out, struct rec_value v, int single,
                         int untagged, enum rec_json_form form)
{
    struct rec_iter it;
    struct rec_value k, x;
    const char *sep = "[";

    if (rec_value_count(v) == 0)
        rec_buf_str(out, "[");
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x) && !out->oom; sep = ",") {
        rec_buf_str(out, sep);
        if (untagged)
            put_float(out, x, form);
        else
            put_value(out, x, single, form);
    }
    rec_buf_str(out, "]");
}

static void put_array(struct rec_buf *out, struct rec_value v, int single,
                      enum rec_json_form form)
{
    const enum rec_type all = form == REC_JSON_EXACT ? common_type(v) : REC_NONE;
    const enum rec_type plain = single ? REC_F32 : REC_F64;

    if ((all != REC_F32 && all != REC_F64) || all == plain) {
        put_elements(out, v, single, 0, form);
        return;
    }
    rec_buf_str(out, all == REC_F32 ? "{\"$f32\":" : "{\"$f64\":");
    put_elements(out, v, single, 1, form);
    rec_buf_str(out, "}");
}

/* 1 if all keys are distinct UTF-8 strings that JSON can hold, and the first is no tag.
 */
static int plain_keys(struct rec_value v)
{
    struct rec_iter it, rest;
    struct rec_value k, x, k2, x2;
    struct rec_str s, s2;
    size_t i = 0;

    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x); i++) {
        if (rec_value_str(&s, k) < 0 || !rec_utf8_valid(s.s, s.n) ||
            memchr(s.s, 0, s.n) || (i == 0 && s.n && s.s[0] == '$'))
            return 0;
        if (rec_value_count(v) > 256) /* a large map: not worth the look */
            return 0;
        for (rest = it; rec_iter_next(&rest, &k2, &x2);)
            if (rec_value_str(&s2, k2) == 0 && s2.n == s.n &&
                memcmp(s2.s, s.s, s.n) == 0)
                return 0;
    }
    return 1;
}

static void put_pairs(struct rec_buf *out, struct rec_value v, enum rec_json_form form)
{
    struct rec_iter it;
    struct rec_value k, x;
    const char *sep = "";

    rec_buf_str(out, "{\"$map\":[");
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x) && !out->oom; sep = ",") {
        rec_buf_printf(out, "%s[", sep);
        put_value(out, k, 0, form);
        rec_buf_str(out, ",");
        put_value(out, x, 0, form);
        rec_buf_str(out, "]");
    }
    rec_buf_str(out, "]}");
}

static void put_map(struct rec_buf *out, struct rec_value v, enum rec_json_form form)
{
    struct rec_iter it;
    struct rec_value k, x;
    struct rec_tensor t;
    struct rec_str key = {0};
    const char *sep = "{";

    if (rec_value_is_tensor(v) &&
        (form == REC_JSON_EXACT ? canonical_tensor(v, &t)
                                : rec_value_tensor(&t, v, NULL) == 0)) {
        put_tensor(out, &t, form);
        return;
    }
    if (!plain_keys(v)) {
        put_pairs(out, v, form);
        return;
    }
    if (rec_value_count(v) == 0)
        rec_buf_str(out, "{");
    for (rec_iter_start(&it, v); rec_iter_next(&it, &k, &x) && !out->oom; sep = ",") {
        rec_buf_str(out, sep);
        if (rec_value_str(&key, k) == 0)
            put_string(out, key.s, key.n);
        rec_buf_str(out, ":");
        put_value(out, x, 0, form);
    }
    rec_buf_str(out, "}");
}

static void put_ext(struct rec_buf *out, struct rec_value v, enum rec_json_form form)
{
    const unsigned char *p = NULL;
    size_t n = 0;
    int type = 0;

    if (rec_value_ext(&type, &p, &n, v) < 0)
        return;
    if (form == REC_JSON_EXACT)
        rec_buf_printf(out, "{\"$ext\":[%d,", type);
    put_base64(out, p, n);
    if (form == REC_JSON_EXACT)
        rec_buf_str(out, "]}");
}

static void put_value(struct rec_buf *out, struct rec_value v, int single,
                      enum rec_json_form form)
{
    struct rec_token t = {0};

    if (v.at)
        (void)rec_token_read(&t, v.at, v.size);
    switch (t.type) {
    case REC_NONE:
    case REC_NIL: rec_buf_str(out, "null"); break;
    case REC_BOOL: rec_buf_str(out, t.u ? "true" : "false"); break;
    case REC_INT: put_int(out, v, single, form); break;
    case REC_F32:
    case REC_F64: put_tagged_float(out, v, single, form); break;
    case REC_STR:
        if (rec_utf8_valid((const char *)t.data, t.n))
            put_string(out, (const char *)t.data, t.n);
        else
            put_bytes(out, "$str", t.data, t.n, form);
        break;
    case REC_BIN: put_bytes(out, "$bin", t.data, t.n, form); break;
    case REC_EXT: put_ext(out, v, form); break;
    case REC_ARRAY: put_array(out, v, single, form); break;
    case REC_MAP: put_map(out, v, form); break;
    }
}

void rec_json_value(struct rec_buf *out, struct rec_value v, const char *key,
                    enum rec_json_form form)
{
    const int single = rec_json_f32_field(key) && rec_value_type(v) == REC_ARRAY;

    put_value(out, v, single, form);
}

void rec_json_line(struct rec_buf *out, const struct rec *r, enum rec_json_form form)
{
    size_t n;

    rec_buf_str(out, "{");
    for (size_t i = 0; i < r->nfields; i++) {
        const char *key = rec_field_key(r, i, &n);
        const int single = (n == 4 && memcmp(key, "logp", 4) == 0) ||
                           (n == 3 && memcmp(key, "ref", 3) == 0);
        const struct rec_value v = rec_field_value(r, i);

        if (i)
            rec_buf_str(out, ",");
        put_string(out, key, n);
        rec_buf_str(out, ":");
        put_value(out, v, single && rec_value_type(v) == REC_ARRAY, form);
    }
    rec_buf_str(out, "}\n");
}
