/*
 * GGUF versions 2 and 3, little-endian, read by mmap: metadata, then tensors.
 *
 * Files are hostile until checked: opening one walks all metadata (arrays in arrays
 * included) and the table of tensors, bounds every length by what is left of the file
 * before it is used, and refuses names that occur twice and tensors that leave the
 * file. Afterwards every value can be read without a further check.
 *
 * Dimensions are given row-major, the last one running fastest, as in safetensors (the
 * file has them the other way round).
 */
#ifndef CAGSR_IO_GGUF_H
#define CAGSR_IO_GGUF_H

#include "base/err.h"
#include "base/file.h"
#include "io/quant.h"

#include <stddef.h>
#include <stdint.h>

enum { GGUF_RANK = 4 };

enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES,
};

/* Bytes in the file, not ended by NUL; may hold anything. */
struct gguf_str {
    const char *s;
    size_t n;
};

/* One metadata value, or an array of n values of `type` (which may be GGUF_ARRAY: then
 * each has its own type, see gguf_array_next). */
struct gguf_kv {
    struct gguf_str key;
    int is_array;
    enum gguf_type type; /* of the value, or of the array's elements */
    uint64_t n;          /* elements of the array; 1 otherwise */
    const char *data;    /* the first value, unaligned */
    size_t size;         /* bytes of all values */
};

struct gguf_tensor {
    char *name;
    enum quant_type type;
    size_t rank;
    size_t dims[GGUF_RANK]; /* row-major */
    size_t count;           /* elements */
    const char *data;       /* quant_bytes(type, count) bytes, unaligned */
};

/* A zeroed struct is a closed one. */
struct gguf {
    char *path;
    struct file_map map; /* data NULL if it was opened from memory */
    uint32_t version;
    struct gguf_kv *kv; /* in the file's order */
    size_t nkv;
    size_t *kv_sorted;           /* indices into kv, by key */
    struct gguf_tensor *tensors; /* sorted by name (strcmp) */
    size_t ntensors;
};

/* ERR_FILE: not GGUF, cut, or broken; ERR_SHAPE: a tensor whose shape and type do not
 * fit, or of a type we do not read; ERR_NOMEM.  *g is closed then. */
int gguf_open(struct gguf *g, const char *path, struct err *e) MUST_CHECK;

/* The same for a file in memory, borrowed until close; `where` names it in errors. */
int gguf_open_mem(struct gguf *g, const char *where, const void *data, size_t size,
                  struct err *e) MUST_CHECK;

/* Ends all borrowed pointers; a zeroed struct is fine. */
void gguf_close(struct gguf *g);

/* NULL if there is no such key or tensor; else borrowed until gguf_close. */
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name);

/*
 * Metadata by key.  Returns 1 with *out set; 0 if there is no such key (*out stays as
 * it is, so put the default in first); ERR_FILE, naming file and key, if its type does
 * not fit or its value lies outside lo..hi.  gguf_get_size takes any integer type,
 * gguf_get_double any number, which must be finite.
 */
int gguf_get_str(struct gguf_str *out, const struct gguf *g, const char *key,
                 struct err *e) MUST_CHECK;
int gguf_get_size(size_t *out, const struct gguf *g, const char *key, size_t lo,
                  size_t hi, struct err *e) MUST_CHECK;
int gguf_get_double(double *out, const struct gguf *g, const char *key,
                    struct err *e) MUST_CHECK;
int gguf_get_bool(int *out, const struct gguf *g, const char *key,
                  struct err *e) MUST_CHECK;

/*
 * Arrays.  gguf_get_array returns 1 with *out at the first element, 0 or ERR_FILE as
 * above; `type` is what the elements must be (GGUF_STRING, GGUF_I32 for any integer
 * type, GGUF_F32 for any number).  A next function returns 1, or 0 at the end; integers
 * outside int64 (only u64 can be) come as INT64_MAX.
 */
struct gguf_array {
    enum gguf_type type;
    uint64_t n;       /* elements left */
    const char *next; /* borrowed until gguf_close */
};
int gguf_get_array(struct gguf_array *out, const struct gguf *g, const char *key,
                   enum gguf_type type, struct err *e) MUST_CHECK;
int gguf_next_str(struct gguf_array *a, struct gguf_str *out);
int gguf_next_int(struct gguf_array *a, int64_t *out);
int gguf_next_double(struct gguf_array *a, double *out);

/*
 * llama files have the rows of attention q and k permuted: within each head of D rows
 * the two halves that rotary positions pair up are interleaved.  Hugging Face's row r
 * is the file's row gguf_qk_row(r, D); with r = hD + j: hD + 2j           for j < D/2
 *     hD + 2(j - D/2)+1 otherwise
 * D is even.  weights_read applies it.
 */
size_t gguf_qk_row(size_t r, size_t D);

#endif
