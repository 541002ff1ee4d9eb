/*
 * Writing GGUF, version 3: metadata, the table of tensors, their values.
 *
 *     struct gguf_meta meta = {0};
 *     gguf_put_str(&meta, "general.architecture", "llama", 5);
 *     gguf_put_array(&meta, "tokenizer.ggml.scores", GGUF_F32, n);
 *     for (...) gguf_add_f32(&meta, score[i]);
 *     gguf_writer_open(&w, fd, path, &meta, decl, n, e);
 *     gguf_writer_put(w, ...);                  for each tensor, in the order of decl
 *     rc = gguf_writer_close(w, rc, e);
 *
 * Everything is written from front to back, so that fd may be a pipe.
 */
#ifndef CAGSR_IO_GGUF_WRITE_H
#define CAGSR_IO_GGUF_WRITE_H

#include "base/err.h"
#include "io/gguf.h"
#include "io/quant.h"

#include <stddef.h>
#include <stdint.h>

/* Metadata in the file's form, growing.  A zeroed struct is empty; a failure (no memory)
 * is kept for gguf_writer_open, so that putting needs no checks. */
struct gguf_meta {
    char *data;
    size_t n, cap;
    uint64_t count; /* keys */
    int failed;     /* 1: no memory */
};
void gguf_meta_release(struct gguf_meta *m);

/* One value under a key that is not there yet.  put_kv copies one that was read; numbers
 * beyond uint32 become u64. */
void gguf_put_str(struct gguf_meta *m, const char *key, const char *s, size_t n);
void gguf_put_size(struct gguf_meta *m, const char *key, size_t v);
void gguf_put_f32(struct gguf_meta *m, const char *key, double v);
void gguf_put_f64(struct gguf_meta *m, const char *key, double v);
void gguf_put_bool(struct gguf_meta *m, const char *key, int v);
void gguf_put_kv(struct gguf_meta *m, const struct gguf_kv *kv);

/* An array of n values (GGUF_STRING, GGUF_I32 or GGUF_F32): exactly so many adds of its
 * type follow.  put_bytes: one of GGUF_U8, whole. */
void gguf_put_array(struct gguf_meta *m, const char *key, enum gguf_type type,
                    uint64_t n);
void gguf_put_bytes(struct gguf_meta *m, const char *key, const void *bytes, size_t n);
void gguf_add_str(struct gguf_meta *m, const char *s, size_t n);
void gguf_add_i32(struct gguf_meta *m, int32_t v);
void gguf_add_f32(struct gguf_meta *m, float v);

/* A tensor to come; the last dimension runs fastest and is a multiple of
 * quant_block(type).  The name is borrowed for gguf_writer_open only. */
struct gguf_decl {
    const char *name;
    enum quant_type type; /* one that quant_narrow writes */
    size_t rank;          /* 1 to GGUF_RANK */
    size_t dims[GGUF_RANK];
};

struct gguf_writer;

/* Writes everything before the values to fd, which `where` names in errors and which
 * stays the caller's.  ERR_IO; ERR_NOMEM, meta's failure included; ERR_USAGE for a
 * declaration that breaks the rules above. */
int gguf_writer_open(struct gguf_writer **out, int fd, const char *where,
                     const struct gguf_meta *meta, const struct gguf_decl *decl,
                     size_t n, struct err *e) MUST_CHECK;

/* The next n values of the current tensor, n a multiple of its quant_block: a piece may
 * not cross into the next tensor.  ERR_IO; ERR_NUMERIC if a finite value, or the scale of
 * a block, does not fit the type; ERR_USAGE for values that no tensor wants. */
int gguf_writer_put(struct gguf_writer *w, const float *x, size_t n,
                    struct err *e) MUST_CHECK;

/* rc is the result so far; with rc >= 0 ERR_USAGE if values are missing, or ERR_IO.
 * Frees w; NULL is fine.  Returns rc or the new error. */
int gguf_writer_close(struct gguf_writer *w, int rc, struct err *e) MUST_CHECK;

#endif
