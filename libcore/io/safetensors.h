/*
 * safetensors: 8 bytes with the length of a JSON header, the header, the values.
 *
 * Files are hostile until checked: opening one verifies that the header is inside the
 * file, that every tensor's type, shape and byte range fit each other, that ranges
 * follow one another without holes or overlaps to the last byte, and that no name
 * occurs twice. Afterwards every entry can be read without a further check.
 */
#ifndef CAGSR_IO_SAFETENSORS_H
#define CAGSR_IO_SAFETENSORS_H

#include "base/err.h"
#include "base/file.h"
#include "tensor/dtype.h"

#include <stddef.h>

enum { SAFETENSORS_RANK = 8 }; /* most dimensions a tensor may have */

struct st_entry {
    char *name; /* never empty */
    enum dtype dtype;
    size_t rank;
    size_t dims[SAFETENSORS_RANK]; /* row-major, the last one runs fastest */
    size_t count;                  /* elements: the product of dims, 1 for rank 0 */
    const char *data;              /* count * dtype_size(dtype) bytes, unaligned */
    size_t file;                   /* which of the files it is in */
};

struct st_file {
    char *path;
    struct file_map map;
};

/* A zeroed struct is a closed one. */
struct safetensors {
    char *path; /* what was opened, for messages */
    struct st_file *files;
    size_t nfiles;
    struct st_entry *entries; /* sorted by name (strcmp) */
    size_t n;
};

/*
 * Opens `path`: one file, or a directory with model.safetensors or with
 * model.safetensors.index.json and the shards it names (plain file names, beside it;
 * every tensor of the index must be in the shard it says, and no shard may hold more).
 * Values are mapped, not read.  ERR_FILE, ERR_SHAPE (a tensor's type, shape or range),
 * ERR_NOMEM; *st is closed then.
 */
int safetensors_open(struct safetensors *st, const char *path,
                     struct err *e) MUST_CHECK;

/* The same for a file that lies in memory, borrowed until close; `where` names it. */
int safetensors_open_mem(struct safetensors *st, const char *where, const void *data,
                         size_t size, struct err *e) MUST_CHECK;

/* Ends all borrowed data and names. */
void safetensors_close(struct safetensors *st);

/* NULL if there is no such tensor; else borrowed until close. */
const struct st_entry *safetensors_find(const struct safetensors *st, const char *name);

/* The file an entry is in, for messages. */
const char *safetensors_where(const struct safetensors *st, const struct st_entry *t);

/* ---- writing ----------------------------------------------------------------------
 */

/* What will be written: the names and strings are borrowed for st_writer_open only. */
struct st_decl {
    const char *name;
    enum dtype dtype;
    size_t rank;
    size_t dims[SAFETENSORS_RANK];
};

struct st_writer;

/*
 * Creates `path` (which must not exist) and writes the header for n tensors, padded
 * with blanks to a multiple of 8, `{"format": "pt"}` as its metadata.  The values
 * follow by st_writer_put, in the order of decl, in pieces of any size.  ERR_IO;
 * ERR_USAGE for a name that occurs twice or a rank over SAFETENSORS_RANK; ERR_NOMEM.
 */
int st_writer_open(struct st_writer **out, const char *path, const struct st_decl *decl,
                   size_t n, struct err *e) MUST_CHECK;

/* The same over the file at `path`, which must exist; what it has behind the last value goes. */
int st_writer_over(struct st_writer **out, const char *path, const struct st_decl *decl,
                   size_t n, struct err *e) MUST_CHECK;

/* The next n values of the tensors in order, converted to the type of the tensor they
 * fall in; a piece may cross from one tensor into the next.  A finite value that its
 * type cannot hold (f16 ends at 65504) is ERR_NUMERIC and names the tensor; a tensor of
 * integers is ERR_USAGE. */
int st_writer_put(struct st_writer *w, const float *values, size_t n,
                  struct err *e) MUST_CHECK;

/* The next bytes of the tensors in order, written as they are (little-endian). */
int st_writer_put_bytes(struct st_writer *w, const void *bytes, size_t n,
                        struct err *e) MUST_CHECK;

/* rc is the result so far.  With rc >= 0: ERR_USAGE if values are missing, ERR_IO if
 * the disk did not take all; the file is synced.  With rc < 0 the file is removed.
 * Frees w; NULL is fine.  Returns rc or the new error. */
int st_writer_close(struct st_writer *w, int rc, struct err *e) MUST_CHECK;

#endif
