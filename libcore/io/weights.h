/*
 * One view over a model on disk: a Hugging Face directory (config.json and safetensors)
 * or a .gguf file.
 */
#ifndef CAGSR_IO_WEIGHTS_H
#define CAGSR_IO_WEIGHTS_H

#include "base/err.h"
#include "io/gguf.h"
#include "kern/isa.h"

#include <jansson.h>
#include <stddef.h>

enum weights_kind { WEIGHTS_HF, WEIGHTS_GGUF };

enum { WEIGHTS_RANK = 8 };

/* A tensor as a matrix: rows is the product of all dims but the last, cols the last
 * one; a vector is one row, a scalar 1 x 1. */
struct weights_tensor {
    const char *name;
    const char *type; /* "F32", "BF16", "Q4_1" ... for messages */
    const char *file; /* the file it is in, for messages */
    size_t rank;
    size_t dims[WEIGHTS_RANK]; /* row-major */
    size_t rows, cols;
    int is_float;     /* 0: integers or booleans, cannot be read as float */
    int code;         /* private: enum dtype or enum quant_type */
    const char *data; /* private */
};

struct weights;

/*
 * Opens a directory (config.json must be there; the weights are model.safetensors or
 * shards with their index) or a GGUF file; nothing is read but headers and config.
 * ERR_FILE, ERR_SHAPE, ERR_NOMEM with the file's name.  *out is NULL after an error.
 */
int weights_open(struct weights **out, const char *path, struct err *e) MUST_CHECK;
void weights_close(struct weights *w); /* NULL is fine; ends all borrowed pointers */

enum weights_kind weights_kind(const struct weights *w);
const char *weights_path(const struct weights *w); /* as given to weights_open */

/* config.json (an object), NULL for GGUF; the metadata, NULL for a directory. */
const json_t *weights_config(const struct weights *w);
const struct gguf *weights_gguf(const struct weights *w);

/* What messages about the configuration should name: "DIR/config.json" or the file. */
const char *weights_config_path(const struct weights *w);

/* All tensors, sorted by name; i < weights_count(w). */
size_t weights_count(const struct weights *w);
const struct weights_tensor *weights_at(const struct weights *w, size_t i);

/* NULL if there is none of that name. */
const struct weights_tensor *weights_find(const struct weights *w, const char *name);

/* The tensor of that name, which must be floating point and rows x cols (vectors: rows
 * is 1).  ERR_FILE: there is none; ERR_SHAPE: another shape or type.  The sentence
 * names file, tensor, what it is and what was expected. */
int weights_matrix(const struct weights_tensor **out, const struct weights *w,
                   const char *name, size_t rows, size_t cols,
                   struct err *e) MUST_CHECK;

/* All values of t where they lie in the file, (rows, cols), if they are float32; else NULL. */
const float *weights_floats(const struct weights_tensor *t);

/*
 * Rows r0 <= r < r1 of t as float32 into out (r1 - r0, cols), by the loops of `isa`, the same
 * values by all.  t->is_float is required, and r1 <= t->rows.  Cannot fail; safe from many
 * threads on disjoint outputs.
 *
 * head_dim > 0 undoes the order of rows of attention q and k in llama files: row r is the
 * file's gguf_qk_row(r, head_dim); head_dim is even and divides t->rows.  Biases (one row of
 * heads * head_dim values) are permuted too.
 */
void weights_read(const struct weights_tensor *t, size_t head_dim, size_t r0, size_t r1,
                  float *out, enum isa isa);

#endif
