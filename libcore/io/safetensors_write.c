#include "io/safetensors.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

struct st_writer {
    char *path;
    int fd;
    struct st_entry *entries; /* of the header, in order */
    size_t n, at;             /* tensors; the one being filled */
    size_t left;              /* bytes it still wants */
    size_t used;              /* of buf */
    unsigned char buf[BUFFER];
};

static int flush(struct st_writer *w, struct err *e)
{
    const size_t n = w->used;

    w->used = 0;
    return file_write_all(w->fd, w->buf, n, w->path, e);
}

/* Steps over tensors that want nothing (more), empty ones included. */
static void settle(struct st_writer *w)
{
    while (w->left == 0 && w->at < w->n && ++w->at < w->n)
        w->left = w->entries[w->at].count * dtype_size(w->entries[w->at].dtype);
}

static int take_decl(struct st_entry *t, const struct st_decl *d, const char *path,
                     struct err *e)
{
    size_t bytes;

    *t = (struct st_entry){.name = strdup(d->name), .dtype = d->dtype, .count = 1};
    if (!t->name)
        return err_set(e, ERR_NOMEM, "%s: no memory", path);
    if (d->rank > SAFETENSORS_RANK)
        return err_set(e, ERR_USAGE, "%s: '%s' has %zu dimensions, at most %d fit",
                       path, d->name, d->rank, SAFETENSORS_RANK);
    t->rank = d->rank;
    for (size_t i = 0; i < d->rank; i++) {
        t->dims[i] = d->dims[i];
        if (__builtin_mul_overflow(t->count, t->dims[i], &t->count))
            return err_set(e, ERR_USAGE, "%s: the shape of '%s' overflows", path,
                           d->name);
    }
    if (__builtin_mul_overflow(t->count, dtype_size(t->dtype), &bytes))
        return err_set(e, ERR_USAGE, "%s: the shape of '%s' overflows", path, d->name);
    return 0;
}

static json_t *describe(const struct st_entry *t, size_t begin, size_t end)
{
    json_t *shape = json_array();

    for (size_t i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(t->dtype), "shape",
                     shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
}

/* The header's text, malloc'd; NULL: no memory, or *twice names what occurs twice. */
static char *header_text(const struct st_writer *w, const char **twice)
{
    json_t *o = json_object();
    size_t at = 0;
    char *text = NULL;
    int bad =
        json_object_set_new(o, "__metadata__", json_pack("{s:s}", "format", "pt"));

    *twice = NULL;
    for (size_t i = 0; i < w->n && !bad && !*twice; i++) {
        const struct st_entry *t = &w->entries[i];
        const size_t end = at + t->count * dtype_size(t->dtype);

        if (json_object_get(o, t->name))
            *twice = t->name;
        bad = json_object_set_new(o, t->name, describe(t, at, end));
        at = end;
    }
    if (!bad && !*twice)
        text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static int write_header(struct st_writer *w, struct err *e)
{
    const char *twice;
    char *text = header_text(w, &twice);
    int rc;

    if (twice)
        return err_set(e, ERR_USAGE, "%s: two tensors are called '%s'", w->path, twice);
    if (!text)
        return err_set(e, ERR_NOMEM,
                       "%s: no memory for the header, or a name is no UTF-8", w->path);
    const size_t n = strlen(text), pad = (8 - n % 8) % 8;
    const uint64_t len = n + pad;
    if ((rc = file_write_all(w->fd, &len, 8, w->path, e)) == 0 &&
        (rc = file_write_all(w->fd, text, n, w->path, e)) == 0)
        rc = file_write_all(w->fd, "        ", pad, w->path, e);
    free(text);
    return rc;
}

static int writer_open(struct st_writer **out, const char *path,
                       const struct st_decl *decl, size_t n, int how, struct err *e)
{
    struct st_writer *w = calloc(1, sizeof *w);
    int rc = 0;

    *out = NULL;
    if (!w || !(w->path = strdup(path)) ||
        !(w->entries = calloc(n + 1, sizeof *w->entries))) {
        rc = err_set(e, ERR_NOMEM, "%s: no memory", path);
        if (w)
            free(w->path);
        free(w);
        return rc;
    }
    for (w->fd = -1; w->n < n && rc == 0; w->n++)
        rc = take_decl(&w->entries[w->n], &decl[w->n], path, e);
    if (rc == 0) {
        w->fd = open(path, O_WRONLY | O_CLOEXEC | how, 0644);
        rc = w->fd < 0 ? err_set(e, ERR_IO, "%s: %s", path, strerror(errno))
                       : write_header(w, e);
    }
    if (rc < 0)
        return st_writer_close(w, rc, e);
    if (n > 0)
        w->left = w->entries[0].count * dtype_size(w->entries[0].dtype);
    settle(w);
    *out = w;
    return 0;
}

int st_writer_open(struct st_writer **out, const char *path, const struct st_decl *decl,
                   size_t n, struct err *e)
{
    return writer_open(out, path, decl, n, O_CREAT | O_EXCL, e);
}

int st_writer_over(struct st_writer **out, const char *path, const struct st_decl *decl,
                   size_t n, struct err *e)
{
    return writer_open(out, path, decl, n, 0, e);
}

static int no_room(const struct st_writer *w, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: more values than the tensors hold", w->path);
}

/* Bytes as they are, past the buffer: much at once is not copied first. */
static int put_past(struct st_writer *w, const void *bytes, size_t n, struct err *e)
{
    int rc = flush(w, e);

    if (rc == 0)
        rc = file_write_all(w->fd, bytes, n, w->path, e);
    w->left -= n;
    settle(w);
    return rc;
}

int st_writer_put_bytes(struct st_writer *w, const void *bytes, size_t n, struct err *e)
{
    const unsigned char *p = bytes;
    int rc;

    while (n > 0) {
        size_t k = n < w->left ? n : w->left;

        if (w->left == 0)
            return no_room(w, e);
        if (k >= BUFFER) {
            rc = put_past(w, p, k, e);
        } else {
            rc = w->used == BUFFER ? flush(w, e) : 0;
            k = k < BUFFER - w->used ? k : BUFFER - w->used;
            memcpy(w->buf + w->used, p, k);
            w->used += k;
            w->left -= k;
            settle(w);
        }
        if (rc < 0)
            return rc;
        p += k;
        n -= k;
    }
    return 0;
}

/* Converts k values, which belong to the current tensor, into the buffer. */
static int put_some(struct st_writer *w, const float *values, size_t k, struct err *e)
{
    const struct st_entry *t = &w->entries[w->at];
    const long lost = dtype_narrow(w->buf + w->used, values, t->dtype, k);

    if (lost < 0)
        return err_set(e, ERR_USAGE, "%s: '%s' is of type %s, floats were given",
                       w->path, t->name, dtype_name(t->dtype));
    if (lost > 0)
        return err_set(e, ERR_NUMERIC, "%s: '%s' has values that %s cannot hold",
                       w->path, t->name, dtype_name(t->dtype));
    w->used += k * dtype_size(t->dtype);
    w->left -= k * dtype_size(t->dtype);
    settle(w);
    return 0;
}

int st_writer_put(struct st_writer *w, const float *values, size_t n, struct err *e)
{
    int rc;

    while (n > 0) {
        if (w->left == 0)
            return no_room(w, e);
        const enum dtype dtype = w->entries[w->at].dtype;
        const size_t size = dtype_size(dtype);
        size_t k = w->left / size;
        k = k < n ? k : n;
        if (k > 0 && dtype == DTYPE_F32) {
            rc = st_writer_put_bytes(w, values, k * size, e);
        } else {
            rc = BUFFER - w->used < size ? flush(w, e) : 0;
            k = k < (BUFFER - w->used) / size ? k : (BUFFER - w->used) / size;
            if (k == 0)
                return err_set(e, ERR_USAGE, "%s: '%s' was left inside a value",
                               w->path, w->entries[w->at].name);
            rc = rc < 0 ? rc : put_some(w, values, k, e);
        }
        if (rc < 0)
            return rc;
        values += k;
        n -= k;
    }
    return 0;
}

/* What only the end can tell: values missing, or a disk that did not take all. */
static int finish(struct st_writer *w, struct err *e)
{
    int rc;

    if (w->left > 0)
        return err_set(e, ERR_USAGE, "%s: '%s' lacks %zu bytes", w->path,
                       w->entries[w->at].name, w->left);
    if ((rc = flush(w, e)) < 0)
        return rc;
    const off_t end = lseek(w->fd, 0, SEEK_CUR); /* a file written over may be longer */
    if (end < 0 || ftruncate(w->fd, end) < 0 || fsync(w->fd) < 0)
        return err_set(e, ERR_IO, "%s: %s", w->path, strerror(errno));
    return 0;
}

int st_writer_close(struct st_writer *w, int rc, struct err *e)
{
    if (!w)
        return rc;
    if (rc >= 0) {
        const int end = finish(w, e);
        rc = end < 0 ? end : rc;
    }
    if (w->fd >= 0) {
        if (close(w->fd) < 0 && rc >= 0)
            rc = err_set(e, ERR_IO, "%s: %s", w->path, strerror(errno));
        if (rc < 0)
            unlink(w->path);
    }
    for (size_t i = 0; i < w->n; i++)
        free(w->entries[i].name);
    free(w->entries);
    free(w->path);
    free(w);
    return rc;
}
