/* Metadata of GGUF files by key; the walk that made them safe to read is in gguf.c. */
#include "io/gguf.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum family { INTEGER, REAL, OTHER };

static enum family family(enum gguf_type t)
{
    switch (t) {
    case GGUF_U8:
    case GGUF_I8:
    case GGUF_U16:
    case GGUF_I16:
    case GGUF_U32:
    case GGUF_I32:
    case GGUF_U64:
    case GGUF_I64: return INTEGER;
    case GGUF_F32:
    case GGUF_F64: return REAL;
    default: return OTHER;
    }
}

/* The value at *p, which then points past it. */
#define LOADER(name, type)                                                             \
    static type name(const char **p)                                                   \
    {                                                                                  \
        type v;                                                                        \
                                                                                       \
        memcpy(&v, *p, sizeof v);                                                      \
        *p += sizeof v;                                                                \
        return v;                                                                      \
    }
LOADER(load_u8, uint8_t)
LOADER(load_i8, int8_t)
LOADER(load_u16, uint16_t)
LOADER(load_i16, int16_t)
LOADER(load_u32, uint32_t)
LOADER(load_i32, int32_t)
LOADER(load_u64, uint64_t)
LOADER(load_i64, int64_t)
LOADER(load_f32, float)
LOADER(load_f64, double)

/* Only u64 can leave int64: then INT64_MAX. */
static int64_t load_int(const char **p, enum gguf_type t)
{
    switch (t) {
    case GGUF_I8: return load_i8(p);
    case GGUF_U16: return load_u16(p);
    case GGUF_I16: return load_i16(p);
    case GGUF_U32: return load_u32(p);
    case GGUF_I32: return load_i32(p);
    case GGUF_I64: return load_i64(p);
    case GGUF_U64: {
        const uint64_t v = load_u64(p);
        return v > INT64_MAX ? INT64_MAX : (int64_t)v;
    }
    default: return load_u8(p);
    }
}

static double load_double(const char **p, enum gguf_type t)
{
    if (t == GGUF_F32)
        return load_f32(p);
    return t == GGUF_F64 ? load_f64(p) : (double)load_int(p, t);
}

static struct gguf_str load_str(const char **p)
{
    const size_t n = (size_t)load_u64(p);
    const struct gguf_str s = {.s = *p, .n = n};

    *p += s.n;
    return s;
}

static int mistyped(const struct gguf *g, const char *key, const char *want,
                    struct err *e)
{
    return err_set(e, ERR_FILE, "%s: '%s' is not %s", g->path, key, want);
}

int gguf_get_str(struct gguf_str *out, const struct gguf *g, const char *key,
                 struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (!kv)
        return 0;
    if (kv->is_array || kv->type != GGUF_STRING)
        return mistyped(g, key, "a string", e);
    const char *p = kv->data;
    *out = load_str(&p);
    return 1;
}

int gguf_get_size(size_t *out, const struct gguf *g, const char *key, size_t lo,
                  size_t hi, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (!kv)
        return 0;
    if (kv->is_array || family(kv->type) != INTEGER)
        return mistyped(g, key, "an integer", e);
    const char *p = kv->data;
    const int64_t v = load_int(&p, kv->type);
    if (v < 0 || (uint64_t)v < lo || (uint64_t)v > hi)
        return err_set(e, ERR_FILE, "%s: '%s' is %" PRId64 ", expected %zu to %zu",
                       g->path, key, v, lo, hi);
    *out = (size_t)v;
    return 1;
}

int gguf_get_double(double *out, const struct gguf *g, const char *key, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (!kv)
        return 0;
    if (kv->is_array || family(kv->type) == OTHER)
        return mistyped(g, key, "a number", e);
    const char *p = kv->data;
    const double v = load_double(&p, kv->type);
    if (!isfinite(v))
        return mistyped(g, key, "a finite number", e);
    *out = v;
    return 1;
}

int gguf_get_bool(int *out, const struct gguf *g, const char *key, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (!kv)
        return 0;
    if (kv->is_array || kv->type != GGUF_BOOL)
        return mistyped(g, key, "a boolean", e);
    *out = *kv->data != 0;
    return 1;
}

int gguf_get_array(struct gguf_array *out, const struct gguf *g, const char *key,
                   enum gguf_type type, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (!kv)
        return 0;
    const enum family have = family(kv->type);
    const int fits = type == GGUF_I32   ? have == INTEGER
                     : type == GGUF_F32 ? have != OTHER
                                        : kv->type == type;
    if (!kv->is_array || !fits)
        return mistyped(g, key,
                        type == GGUF_I32      ? "an array of integers"
                        : type == GGUF_F32    ? "an array of numbers"
                        : type == GGUF_STRING ? "an array of strings"
                                              : "an array of the expected type",
                        e);
    *out = (struct gguf_array){.type = kv->type, .n = kv->n, .next = kv->data};
    return 1;
}

int gguf_next_str(struct gguf_array *a, struct gguf_str *out)
{
    if (a->n == 0 || a->type != GGUF_STRING)
        return 0;
    a->n--;
    *out = load_str(&a->next);
    return 1;
}

int gguf_next_int(struct gguf_array *a, int64_t *out)
{
    if (a->n == 0 || family(a->type) != INTEGER)
        return 0;
    a->n--;
    *out = load_int(&a->next, a->type);
    return 1;
}

int gguf_next_double(struct gguf_array *a, double *out)
{
    if (a->n == 0 || family(a->type) == OTHER)
        return 0;
    a->n--;
    *out = load_double(&a->next, a->type);
    return 1;
}
