#include "io/safetensors.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The reference implementation reads no longer header either. */
enum { HEADER_MAX = 100 << 20, SHARDS_MAX = 4096 };

/* ---- one tensor of the header
 * ---------------------------------------------------------
 */

/* While parsing, data holds the begin of the range as an offset; bytes its length. */
struct span {
    size_t begin, end;
    const char *name;
};

static int read_shape(struct st_entry *t, const json_t *shape, const char *where,
                      struct err *e)
{
    size_t i;
    json_t *v;

    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_RANK)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s': 'shape' is not an array of at most %d numbers", where,
                       t->name, SAFETENSORS_RANK);
    t->rank = json_array_size(shape);
    t->count = 1;
    json_array_foreach(shape, i, v)
    {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return err_set(e, ERR_SHAPE, "%s: '%s': dimension %zu is not a count",
                           where, t->name, i);
        t->dims[i] = (size_t)json_integer_value(v);
        if (__builtin_mul_overflow(t->count, t->dims[i], &t->count) ||
            t->count > SIZE_MAX / 8)
            return err_set(e, ERR_SHAPE, "%s: '%s': the shape overflows", where,
                           t->name);
    }
    return 0;
}

static int read_type(struct st_entry *t, const json_t *dtype, const char *where,
                     struct err *e)
{
    if (!json_is_string(dtype))
        return err_set(e, ERR_SHAPE, "%s: '%s': 'dtype' is not a string", where,
                       t->name);
    if (dtype_parse(&t->dtype, json_string_value(dtype), json_string_length(dtype)))
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' has type '%.16s', expected F32, F16 or BF16", where,
                       t->name, json_string_value(dtype));
    return 0;
}

static int read_offset(size_t *out, const struct st_entry *t, const json_t *pair,
                       size_t i, size_t size, const char *where, struct err *e)
{
    const json_t *v = json_array_get(pair, i);

    if (json_array_size(pair) != 2 || !json_is_integer(v) || json_integer_value(v) < 0)
        return err_set(e, ERR_SHAPE, "%s: '%s': 'data_offsets' is not two byte offsets",
                       where, t->name);
    if ((uint64_t)json_integer_value(v) > size)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' is at byte %" JSON_INTEGER_FORMAT
                       " of the values, the file has %zu",
                       where, t->name, json_integer_value(v), size);
    *out = (size_t)json_integer_value(v);
    return 0;
}

/* t->name is set; data and size are the values of its file. */
static int read_entry(struct st_entry *t, struct span *s, const json_t *obj,
                      const char *data, size_t size, const char *where, struct err *e)
{
    const json_t *pair = json_object_get(obj, "data_offsets");
    int rc;

    if (!json_is_object(obj))
        return err_set(e, ERR_SHAPE, "%s: '%s' is not an object", where, t->name);
    if ((rc = read_type(t, json_object_get(obj, "dtype"), where, e)) < 0 ||
        (rc = read_shape(t, json_object_get(obj, "shape"), where, e)) < 0 ||
        (rc = read_offset(&s->begin, t, pair, 0, size, where, e)) < 0 ||
        (rc = read_offset(&s->end, t, pair, 1, size, where, e)) < 0)
        return rc;
    const size_t want = t->count * dtype_size(t->dtype);
    if (s->end < s->begin || s->end - s->begin != want)
        return err_set(e, ERR_SHAPE,
                       "%s: '%s' lies from byte %zu to %zu, its shape and type %s take "
                       "%zu bytes",
                       where, t->name, s->begin, s->end, dtype_name(t->dtype), want);
    t->data = data ? data + s->begin : ""; /* "": a file without any value */
    s->name = t->name;
    return 0;
}

static int span_order(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Ranges must tile the values: no byte belongs to two tensors or to none. */
static int check_spans(struct span *s, size_t n, size_t size, const char *where,
                       struct err *e)
{
    size_t at = 0;

    qsort(s, n, sizeof *s, span_order);
    for (size_t i = 0; i < n; i++) {
        if (s[i].begin != at)
            return err_set(
                e, ERR_SHAPE,
                "%s: '%s' begins at byte %zu of the values, expected %zu: %s", where,
                s[i].name, s[i].begin, at,
                s[i].begin < at ? "tensors overlap" : "a hole before it");
        at = s[i].end;
    }
    if (at != size)
        return err_set(
            e, ERR_FILE,
            "%s: the tensors end at byte %zu of the values, the file has %zu", where,
            at, size);
    return 0;
}

/* ---- one file
 * -------------------------------------------------------------------------
 */

static int grow(struct safetensors *st, size_t more, const char *where, struct err *e)
{
    struct st_entry *p = reallocarray(st->entries, st->n + more + 1, sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "%s: no memory for %zu tensors", where, more);
    st->entries = p;
    return 0;
}

/* Appends the header's tensors to st->entries; st->n counts those whose name is set. */
static int add_entries(struct safetensors *st, size_t file, json_t *header,
                       const char *data, size_t size, const char *where, struct err *e)
{
    struct span *spans = calloc(json_object_size(header) + 1, sizeof *spans);
    size_t n = 0;
    const char *key;
    json_t *v;
    int rc = grow(st, json_object_size(header), where, e);

    if (!spans && rc == 0)
        rc = err_set(e, ERR_NOMEM, "%s: no memory for its tensors", where);
    json_object_foreach(header, key, v)
    {
        if (rc < 0)
            break;
        if (strcmp(key, "__metadata__") == 0)
            continue;
        struct st_entry *t = &st->entries[st->n];
        *t = (struct st_entry){.name = strdup(key), .file = file};
        if (!t->name) {
            rc = err_set(e, ERR_NOMEM, "%s: no memory for its tensors", where);
            break;
        }
        st->n++;
        rc = *key ? read_entry(t, &spans[n++], v, data, size, where, e)
                  : err_set(e, ERR_FILE, "%s: a tensor without a name", where);
    }
    if (rc == 0)
        rc = check_spans(spans, n, size, where, e);
    free(spans);
    return rc;
}

static int add_file(struct safetensors *st, size_t file, const char *where,
                    const char *data, size_t size, struct err *e)
{
    uint64_t len;
    json_t *header;
    int rc;

    if (size < 8)
        return err_set(e, ERR_FILE, "%s: %zu bytes are no safetensors file", where,
                       size);
    memcpy(&len, data, 8);
    if (len > size - 8 || len > HEADER_MAX)
        return err_set(e, ERR_FILE,
                       "%s: a header of %" PRIu64
                       " bytes, but %zu bytes follow (at most "
                       "%d are read): not a safetensors file, or cut",
                       where, len, size - 8, HEADER_MAX);
    if ((rc = json_read_mem(&header, where, data + 8, (size_t)len, e)) < 0)
        return rc;
    if (!json_is_object(header))
        rc = err_set(e, ERR_FILE, "%s: the header is not an object", where);
    else
        rc = add_entries(st, file, header, data + 8 + len, size - 8 - (size_t)len,
                         where, e);
    json_decref(header);
    return rc;
}

static int open_file(struct safetensors *st, const char *path, struct err *e)
{
    struct st_file *f = &st->files[st->nfiles];
    int rc;

    *f = (struct st_file){.path = strdup(path)};
    if (!f->path)
        return err_set(e, ERR_NOMEM, "%s: no memory", path);
    st->nfiles++;
    if ((rc = file_map_open(&f->map, path, e)) < 0)
        return rc;
    return add_file(st, st->nfiles - 1, f->path, f->map.data, f->map.size, e);
}

static int alloc_files(struct safetensors *st, size_t n, const char *path,
                       struct err *e)
{
    st->path = strdup(path);
    st->files = calloc(n + 1, sizeof *st->files);
    return st->path && st->files ? 0 : err_set(e, ERR_NOMEM, "%s: no memory", path);
}

static int name_order(const void *a, const void *b)
{
    const struct st_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int sort_entries(struct safetensors *st, struct err *e)
{
    if (st->n > 0)
        qsort(st->entries, st->n, sizeof *st->entries, name_order);
    for (size_t i = 1; i < st->n; i++)
        if (strcmp(st->entries[i - 1].name, st->entries[i].name) == 0)
            return err_set(e, ERR_FILE, "%s: '%s' is also in %s",
                           safetensors_where(st, &st->entries[i]), st->entries[i].name,
                           safetensors_where(st, &st->entries[i - 1]));
    return 0;
}

/* ---- shards
 * ---------------------------------------------------------------------------
 */

/* A name beside the index: nothing that leads to another directory. */
static int plain_name(const json_t *v)
{
    const char *s = json_string_value(v);

    return s && *s && *s != '.' && !strchr(s, '/') &&
           strlen(s) == json_string_length(v);
}

static int open_shard(struct safetensors *st, const char *dir, const char *name,
                      struct err *e)
{
    char *path = file_join(dir, name);
    int rc;

    if (!path)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    for (size_t i = 0; i < st->nfiles; i++)
        if (strcmp(st->files[i].path, path) == 0) {
            free(path);
            return 0;
        }
    rc = st->nfiles == SHARDS_MAX
             ? err_set(e, ERR_FILE, "%s: more than %d shards", dir, SHARDS_MAX)
             : open_file(st, path, e);
    free(path);
    return rc;
}

/* Every tensor of the index must be in the shard it names. */
static int check_index(const struct safetensors *st, json_t *map, const char *where,
                       struct err *e)
{
    const char *key;
    json_t *v;

    json_object_foreach(map, key, v)
    {
        const struct st_entry *t = safetensors_find(st, key);
        const char *shard = json_string_value(v);
        const char *file = t ? strrchr(safetensors_where(st, t), '/') : NULL;

        if (!t)
            return err_set(e, ERR_FILE, "%s: '%s' is not in shard '%s'", where, key,
                           shard);
        if (!file || strcmp(file + 1, shard) != 0)
            return err_set(e, ERR_FILE, "%s: '%s' should be in shard '%s', it is in %s",
                           where, key, shard, safetensors_where(st, t));
    }
    return 0;
}

static int open_shards(struct safetensors *st, const char *dir, json_t *index,
                       const char *where, struct err *e)
{
    json_t *map = json_object_get(index, "weight_map"), *v;
    const char *key;
    int rc;

    if (!json_is_object(map) || json_object_size(map) == 0)
        return err_set(e, ERR_FILE, "%s: no 'weight_map' that names shards", where);
    json_object_foreach(map, key, v)
    {
        if (!plain_name(v))
            return err_set(e, ERR_FILE, "%s: '%s' is in no plain file name", where,
                           key);
        if ((rc = open_shard(st, dir, json_string_value(v), e)) < 0)
            return rc;
    }
    if ((rc = sort_entries(st, e)) < 0)
        return rc;
    return check_index(st, map, where, e);
}

static int open_dir(struct safetensors *st, const char *dir, struct err *e)
{
    char *one = file_join(dir, "model.safetensors");
    char *index = file_join(dir, "model.safetensors.index.json");
    json_t *json = NULL;
    int rc;

    if (!one || !index)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else if ((rc = alloc_files(st, SHARDS_MAX, dir, e)) < 0)
        ;
    else if (file_exists(one))
        rc = (rc = open_file(st, one, e)) < 0 ? rc : sort_entries(st, e);
    else if (!file_exists(index))
        rc = err_set(e, ERR_FILE,
                     "%s: no model.safetensors and no model.safetensors.index.json",
                     dir);
    else if ((rc = json_read_file(&json, index, e)) == 0)
        rc = open_shards(st, dir, json, index, e);
    json_decref(json);
    free(one);
    free(index);
    return rc;
}

/* ---- the interface
 * --------------------------------------------------------------------
 */

int safetensors_open(struct safetensors *st, const char *path, struct err *e)
{
    struct stat s;
    int rc;

    *st = (struct safetensors){0};
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        rc = open_dir(st, path, e);
    else if ((rc = alloc_files(st, 1, path, e)) == 0 &&
             (rc = open_file(st, path, e)) == 0)
        rc = sort_entries(st, e);
    if (rc < 0)
        safetensors_close(st);
    return rc;
}

int safetensors_open_mem(struct safetensors *st, const char *where, const void *data,
                         size_t size, struct err *e)
{
    int rc;

    *st = (struct safetensors){0};
    if ((rc = alloc_files(st, 1, where, e)) == 0) {
        st->files[0].path = strdup(where);
        st->nfiles = 1;
        rc = st->files[0].path ? add_file(st, 0, where, data, size, e)
                               : err_set(e, ERR_NOMEM, "%s: no memory", where);
    }
    if (rc == 0)
        rc = sort_entries(st, e);
    if (rc < 0)
        safetensors_close(st);
    return rc;
}

void safetensors_close(struct safetensors *st)
{
    for (size_t i = 0; i < st->n; i++)
        free(st->entries[i].name);
    for (size_t i = 0; i < st->nfiles; i++) {
        file_map_close(&st->files[i].map);
        free(st->files[i].path);
    }
    free(st->entries);
    free(st->files);
    free(st->path);
    *st = (struct safetensors){0};
}

const struct st_entry *safetensors_find(const struct safetensors *st, const char *name)
{
    const struct st_entry key = {.name = (char *)(uintptr_t)name};

    return st->n ? bsearch(&key, st->entries, st->n, sizeof key, name_order) : NULL;
}

const char *safetensors_where(const struct safetensors *st, const struct st_entry *t)
{
    return st->files[t->file].path;
}
