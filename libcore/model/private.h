/*
 * What the files of model/ share and nobody else needs.
 */
#ifndef CAGSR_MODEL_PRIVATE_H
#define CAGSR_MODEL_PRIVATE_H

#include "model/model.h"

#include "io/gguf_write.h"
#include "io/weights.h"

/* Walks arch's parameters: fills plan, layer and the offsets.  Names are those of w where
 * a family has several; w NULL: the first. */
int model_layout(struct model *m, const struct weights *w, struct err *e) MUST_CHECK;

/* Fills params (allocated, zeros) from w, packs as the mode says, sets hash. */
int model_load(struct model *m, const struct weights *w, struct err *e) MUST_CHECK;

/* 1 if the products are gemm_rows with packed weights: MODEL_SAMPLE, where the backend
 * packs at all. */
int model_is_packed(const struct model *m);

/* MODEL_READ: checks that w has no tensor without a place, and sets m->weights, which the
 * model owns then. */
int model_attach(struct model *m, struct weights *w, struct err *e) MUST_CHECK;

/* The tables of rope (nn/rope.h) of N positions, each (N, R), of the kinds of layers
 * that the model has; the others are not looked at. */
void model_turns(const struct model *m, float *const cs[ARCH_KINDS], const int32_t *pos,
                 size_t N);

/* ---- parts of a GGUF file, be it a model's or an adapter's: save_gguf.c ----------------- */

/* general.*: `what` it is ("model", "adapter"), of which plan, with matrices of a type. */
void model_gguf_general(struct gguf_meta *out, const struct model *m, const char *what,
                        const struct plan *plan, enum quant_type type);

/* The model's name, the last part of its path, under `key`. */
void model_gguf_name(struct gguf_meta *out, const char *key, const struct model *m);

/* Declares all parameters of a plan, d (plan->n).  ERR_FILE: one has no name in GGUF. */
int model_gguf_declare(struct gguf_decl *d, const struct model *m,
                       const struct plan *plan, enum quant_type type,
                       struct err *e) MUST_CHECK;

/* The values of a parameter, in the file's order of rows. */
int model_gguf_put(struct gguf_writer *w, const struct model *m,
                   const struct plan_param *p, const float *x,
                   struct err *e) MUST_CHECK;

/* ---- matrices ---------------------------------------------------------------------------- */

/* The matrices of a layer, in the order in which they lie in the block. */
enum model_kind {
    MATRIX_QKV,
    MATRIX_O,
    MATRIX_XQ,
    MATRIX_XKV,
    MATRIX_XO, /* attention's end here */
    MATRIX_UP,
    MATRIX_DOWN,
    MATRIX_KINDS,
};
struct model_matrix {
    enum model_kind kind;
    size_t at, N, K;
};

/* Returns how many layer l has. */
size_t model_matrices(struct model_matrix out[MATRIX_KINDS], const struct model *m,
                      size_t l);

/* fn for those of all layers, the encoder's first: as they lie.  Ends with the first result
 * that is not 0. */
int model_each_matrix(const struct model *m,
                      int (*fn)(void *ctx, const struct model_matrix *x), void *ctx);

#endif
