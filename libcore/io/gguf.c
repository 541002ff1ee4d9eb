#include "io/gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * The file: "GGUF", version, counts of tensors and of metadata; each metadata value
 * with its key and type; each tensor's name, dimensions, type and offset; padding; the
 * values. A cursor walks it, and nothing is taken from it that was not asked for with
 * `need`.
 */
enum { NESTING = 8, DEFAULT_ALIGNMENT = 32 };

struct cursor {
    const char *path;
    const char *base;
    size_t size, at;
    struct gguf_str key; /* whose value is being read, for messages */
    struct err *e;
};

static const unsigned char width[GGUF_TYPES] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
    [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
    [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

/* At most so much of a name from the file goes into a message. */
static int shown(struct gguf_str s)
{
    return (int)(s.n < 80 ? s.n : 80);
}

static int need(struct cursor *c, uint64_t n, const char *what)
{
    if (n <= c->size - c->at)
        return 0;
    return err_set(c->e, ERR_FILE,
                   "%s: %s%.*s%s%s at byte %zu needs %" PRIu64
                   " bytes, %zu are left: the file is cut or broken",
                   c->path, c->key.n ? "'" : "", shown(c->key), c->key.s,
                   c->key.n ? "': " : "", what, c->at, n, c->size - c->at);
}

static int take_u32(struct cursor *c, uint32_t *out, const char *what)
{
    if (need(c, sizeof *out, what) < 0)
        return ERR_FILE;
    memcpy(out, c->base + c->at, sizeof *out);
    c->at += sizeof *out;
    return 0;
}

static int take_u64(struct cursor *c, uint64_t *out, const char *what)
{
    if (need(c, sizeof *out, what) < 0)
        return ERR_FILE;
    memcpy(out, c->base + c->at, sizeof *out);
    c->at += sizeof *out;
    return 0;
}

static int take_str(struct cursor *c, struct gguf_str *out, const char *what)
{
    uint64_t n;

    if (take_u64(c, &n, what) < 0 || need(c, n, what) < 0)
        return ERR_FILE;
    *out = (struct gguf_str){.s = c->base + c->at, .n = (size_t)n};
    c->at += (size_t)n;
    return 0;
}

/* ---- metadata
 * -------------------------------------------------------------------------
 */

static int take_type(struct cursor *c, enum gguf_type *out)
{
    uint32_t t;

    if (take_u32(c, &t, "a type") < 0)
        return ERR_FILE;
    if (t >= GGUF_TYPES)
        return err_set(c->e, ERR_FILE,
                       "%s: type %" PRIu32 " at byte %zu, expected 0 to %d", c->path, t,
                       c->at - 4, GGUF_TYPES - 1);
    *out = (enum gguf_type)t;
    return 0;
}

static int skip_values(struct cursor *c, enum gguf_type type, uint64_t n, int depth);

static int skip_array(struct cursor *c, int depth)
{
    enum gguf_type type = GGUF_U8;
    uint64_t n = 0;

    if (depth == NESTING)
        return err_set(c->e, ERR_FILE, "%s: arrays nest deeper than %d at byte %zu",
                       c->path, NESTING, c->at);
    if (take_type(c, &type) < 0 || take_u64(c, &n, "an array") < 0)
        return ERR_FILE;
    return skip_values(c, type, n, depth + 1);
}

/* Each element takes at least a byte of the file, so the loops end with it. */
static int skip_values(struct cursor *c, enum gguf_type type, uint64_t n, int depth)
{
    struct gguf_str s;
    uint64_t bytes;

    if (width[type]) {
        if (__builtin_mul_overflow(n, width[type], &bytes))
            bytes = UINT64_MAX;
        if (need(c, bytes, "an array") < 0)
            return ERR_FILE;
        c->at += (size_t)bytes;
        return 0;
    }
    for (uint64_t i = 0; i < n; i++)
        if ((type == GGUF_STRING ? take_str(c, &s, "a string") : skip_array(c, depth)) <
            0)
            return ERR_FILE;
    return 0;
}

static int take_kv(struct cursor *c, struct gguf_kv *kv)
{
    *kv = (struct gguf_kv){.n = 1};
    if (take_str(c, &kv->key, "a key") < 0 || take_type(c, &kv->type) < 0)
        return ERR_FILE;
    if (kv->type == GGUF_ARRAY) {
        kv->is_array = 1;
        if (take_type(c, &kv->type) < 0 || take_u64(c, &kv->n, "an array") < 0)
            return ERR_FILE;
    }
    const size_t begin = c->at;
    kv->data = c->base + begin;
    c->key = kv->key;
    if (skip_values(c, kv->type, kv->n, 1) < 0)
        return ERR_FILE;
    c->key = (struct gguf_str){.s = ""};
    kv->size = c->at - begin;
    return 0;
}

static int str_order(const struct gguf_str *a, const struct gguf_str *b)
{
    const int d = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);

    return d ? d : a->n < b->n ? -1 : a->n > b->n;
}

static int kv_order(const void *a, const void *b, void *ctx)
{
    const struct gguf_kv *kv = ctx;

    return str_order(&kv[*(const size_t *)a].key, &kv[*(const size_t *)b].key);
}

static int sort_kv(struct gguf *g, struct err *e)
{
    for (size_t i = 0; i < g->nkv; i++)
        g->kv_sorted[i] = i;
    qsort_r(g->kv_sorted, g->nkv, sizeof *g->kv_sorted, kv_order, g->kv);
    for (size_t i = 1; i < g->nkv; i++)
        if (kv_order(&g->kv_sorted[i - 1], &g->kv_sorted[i], g->kv) == 0) {
            const struct gguf_str *k = &g->kv[g->kv_sorted[i]].key;

            return err_set(e, ERR_FILE, "%s: the key '%.*s' occurs twice", g->path,
                           shown(*k), k->s);
        }
    return 0;
}

/* ---- tensors
 * --------------------------------------------------------------------------
 */

static int take_dims(struct cursor *c, struct gguf_tensor *t)
{
    uint32_t rank;

    if (take_u32(c, &rank, "a tensor") < 0)
        return ERR_FILE;
    if (rank < 1 || rank > GGUF_RANK)
        return err_set(c->e, ERR_SHAPE,
                       "%s: '%s' has %" PRIu32 " dimensions, expected 1 to %d", c->path,
                       t->name, rank, GGUF_RANK);
    t->rank = rank;
    t->count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t d;

        if (take_u64(c, &d, "a tensor") < 0)
            return ERR_FILE;
        t->dims[rank - 1 - i] = (size_t)d;
        if (__builtin_mul_overflow(t->count, (size_t)d, &t->count) ||
            t->count > SIZE_MAX / 16)
            return err_set(c->e, ERR_SHAPE, "%s: the shape of '%s' overflows", c->path,
                           t->name);
    }
    return 0;
}

static int take_quant(struct cursor *c, struct gguf_tensor *t)
{
    uint32_t number;

    if (take_u32(c, &number, "a tensor") < 0)
        return ERR_FILE;
    if (quant_from_gguf(&t->type, number) < 0) {
        const char *name = quant_gguf_name(number);

        return err_set(c->e, ERR_SHAPE,
                       "%s: '%s' is of type %" PRIu32
                       "%s%s%s, expected F32, F16, BF16, "
                       "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K",
                       c->path, t->name, number, name ? " (" : "", name ? name : "",
                       name ? ")" : "");
    }
    if (t->dims[t->rank - 1] % quant_block(t->type))
        return err_set(c->e, ERR_SHAPE,
                       "%s: '%s' has rows of %zu, type %s wants blocks of %zu", c->path,
                       t->name, t->dims[t->rank - 1], quant_name(t->type),
                       quant_block(t->type));
    return 0;
}

/* The name, shape and type; the offset stays in *offset until the data's begin is
 * known. */
static int take_tensor(struct cursor *c, struct gguf_tensor *t, uint64_t *offset)
{
    struct gguf_str name;
    int rc;

    if (take_str(c, &name, "a tensor's name") < 0)
        return ERR_FILE;
    if (name.n == 0 || memchr(name.s, 0, name.n))
        return err_set(c->e, ERR_FILE, "%s: a tensor's name is empty or holds a NUL",
                       c->path);
    if (!(t->name = calloc(name.n + 1, 1)))
        return err_set(c->e, ERR_NOMEM, "%s: no memory for its tensors", c->path);
    memcpy(t->name, name.s, name.n);
    if ((rc = take_dims(c, t)) < 0 || (rc = take_quant(c, t)) < 0 ||
        (rc = take_u64(c, offset, "a tensor")) < 0)
        return rc;
    return 0;
}

static int place(struct cursor *c, struct gguf_tensor *t, uint64_t offset, size_t begin,
                 size_t alignment)
{
    const size_t have = c->size - begin, want = quant_bytes(t->type, t->count);

    if (offset % alignment)
        return err_set(c->e, ERR_SHAPE,
                       "%s: '%s' is at offset %" PRIu64 ", expected a multiple of %zu",
                       c->path, t->name, offset, alignment);
    if (offset > have || want > have - offset)
        return err_set(c->e, ERR_SHAPE,
                       "%s: '%s' takes %zu bytes from offset %" PRIu64
                       " of the values, the file "
                       "has %zu: it is cut or broken",
                       c->path, t->name, want, offset, have);
    t->data = c->base + begin + offset;
    return 0;
}

static int tensor_order(const void *a, const void *b)
{
    return strcmp(((const struct gguf_tensor *)a)->name,
                  ((const struct gguf_tensor *)b)->name);
}

static int data_order(const void *a, const void *b)
{
    const struct gguf_tensor *x = a, *y = b;

    return x->data < y->data ? -1 : x->data > y->data;
}

/* Overlapping values are no model; names that occur twice are none either. */
static int check_tensors(struct gguf *g, struct err *e)
{
    struct gguf_tensor *t = g->tensors;

    qsort(t, g->ntensors, sizeof *t, data_order);
    for (size_t i = 1; i < g->ntensors; i++)
        if (t[i].data < t[i - 1].data + quant_bytes(t[i - 1].type, t[i - 1].count))
            return err_set(e, ERR_SHAPE, "%s: '%s' and '%s' overlap", g->path,
                           t[i - 1].name, t[i].name);
    qsort(t, g->ntensors, sizeof *t, tensor_order);
    for (size_t i = 1; i < g->ntensors; i++)
        if (strcmp(t[i - 1].name, t[i].name) == 0)
            return err_set(e, ERR_FILE, "%s: the tensor '%s' occurs twice", g->path,
                           t[i].name);
    return 0;
}

/* ---- the file
 * -------------------------------------------------------------------------
 */

/* A count of things of at least `least` bytes each that are still to come. */
static int take_count(struct cursor *c, size_t *out, size_t least, const char *what)
{
    uint64_t n;

    if (take_u64(c, &n, what) < 0)
        return ERR_FILE;
    if (n > (c->size - c->at) / least)
        return err_set(c->e, ERR_FILE,
                       "%s: %" PRIu64 " %s do not fit in the %zu bytes that follow",
                       c->path, n, what, c->size - c->at);
    *out = (size_t)n;
    return 0;
}

static int take_header(struct cursor *c, struct gguf *g, size_t *ntensors, size_t *nkv)
{
    uint32_t magic;

    if (take_u32(c, &magic, "the magic") < 0)
        return ERR_FILE;
    if (magic != 0x46554747) /* "GGUF" */
        return err_set(c->e, ERR_FILE, "%s: not a GGUF file", c->path);
    if (take_u32(c, &g->version, "the version") < 0)
        return ERR_FILE;
    if (g->version != 2 && g->version != 3)
        return err_set(c->e, ERR_FILE,
                       "%s: GGUF version %" PRIu32 "%s, expected 2 or 3", c->path,
                       g->version, g->version & 0xffff ? "" : " (a big-endian file)");
    if (take_count(c, ntensors, 24, "tensors") < 0 ||
        take_count(c, nkv, 13, "keys") < 0)
        return ERR_FILE;
    return 0;
}

static int read_alignment(size_t *out, const struct gguf *g, struct err *e)
{
    const int rc = gguf_get_size(out, g, "general.alignment", 1, 1 << 20, e);

    if (rc > 0 && (*out & (*out - 1)))
        return err_set(e, ERR_FILE,
                       "%s: 'general.alignment' is %zu, not a power of two", g->path,
                       *out);
    return rc < 0 ? rc : 0;
}

static int read_tensors(struct cursor *c, struct gguf *g, size_t n, struct err *e)
{
    uint64_t *offsets = calloc(n + 1, sizeof *offsets);
    size_t alignment = DEFAULT_ALIGNMENT;
    int rc = offsets
                 ? read_alignment(&alignment, g, e)
                 : err_set(e, ERR_NOMEM, "%s: no memory for %zu tensors", g->path, n);

    for (size_t i = 0; i < n && rc == 0; i++) {
        g->ntensors = i + 1; /* so that close frees the name of a broken one, too */
        rc = take_tensor(c, &g->tensors[i], &offsets[i]);
    }
    size_t begin = (c->at + alignment - 1) & ~(alignment - 1);
    if (begin > c->size)
        begin = c->size;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = place(c, &g->tensors[i], offsets[i], begin, alignment);
    free(offsets);
    return rc;
}

static int parse(struct gguf *g, const char *data, size_t size, struct err *e)
{
    struct cursor c = {
        .path = g->path, .base = data, .size = size, .key = {.s = ""}, .e = e};
    size_t ntensors = 0, nkv = 0;
    int rc;

    if ((rc = take_header(&c, g, &ntensors, &nkv)) < 0)
        return rc;
    g->kv = calloc(nkv + 1, sizeof *g->kv);
    g->kv_sorted = calloc(nkv + 1, sizeof *g->kv_sorted);
    g->tensors = calloc(ntensors + 1, sizeof *g->tensors);
    if (!g->kv || !g->kv_sorted || !g->tensors)
        return err_set(e, ERR_NOMEM, "%s: no memory for %zu keys, %zu tensors", g->path,
                       nkv, ntensors);
    for (; g->nkv < nkv; g->nkv++)
        if (take_kv(&c, &g->kv[g->nkv]) < 0)
            return ERR_FILE;
    if ((rc = sort_kv(g, e)) < 0 || (rc = read_tensors(&c, g, ntensors, e)) < 0)
        return rc;
    return check_tensors(g, e);
}

static int open_parsed(struct gguf *g, const char *data, size_t size, struct err *e)
{
    const int rc = g->path ? parse(g, data, size, e)
                           : err_set(e, ERR_NOMEM, "no memory for a path");

    if (rc < 0)
        gguf_close(g);
    return rc;
}

int gguf_open(struct gguf *g, const char *path, struct err *e)
{
    int rc;

    *g = (struct gguf){0};
    if ((rc = file_map_open(&g->map, path, e)) < 0)
        return rc;
    g->path = strdup(path);
    return open_parsed(g, g->map.data, g->map.size, e);
}

int gguf_open_mem(struct gguf *g, const char *where, const void *data, size_t size,
                  struct err *e)
{
    *g = (struct gguf){.path = strdup(where)};
    return open_parsed(g, data, size, e);
}

void gguf_close(struct gguf *g)
{
    for (size_t i = 0; i < g->ntensors; i++)
        free(g->tensors[i].name);
    free(g->tensors);
    free(g->kv);
    free(g->kv_sorted);
    free(g->path);
    file_map_close(&g->map);
    *g = (struct gguf){0};
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    const struct gguf_tensor key = {.name = (char *)(uintptr_t)name};

    return g->ntensors
               ? bsearch(&key, g->tensors, g->ntensors, sizeof key, tensor_order)
               : NULL;
}

const struct gguf_kv *gguf_find(const struct gguf *g, const char *key)
{
    const struct gguf_str want = {.s = key, .n = strlen(key)};
    size_t lo = 0, hi = g->nkv;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const struct gguf_kv *kv = &g->kv[g->kv_sorted[mid]];
        const int d = str_order(&want, &kv->key);

        if (d == 0)
            return kv;
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

size_t gguf_qk_row(size_t r, size_t D)
{
    const size_t j = r % D, half = D / 2;

    return r - j + (j < half ? 2 * j : 2 * (j - half) + 1);
}
