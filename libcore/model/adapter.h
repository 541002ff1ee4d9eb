/*
 * LoRA (arXiv 2106.09685): a low-rank addition to some of a model's matrices.  The model
 * itself stays as it is.
 *
 *     y = W x + s B (A x),     A (r, K), B (N, r), s = alpha / r
 *
 * In the model's block some matrices lie joined (q, k, v; gate and up): one product reads
 * x once for all of them.  So do the A of such a `site`; each of its modules is a `part`,
 * with rows and B of its own.  A and B are parameters of a plan of their own, named as
 * PEFT does, and it is that plan which is trained (model_trained).
 *
 * A model has at most one adapter, and owns it.  With it switched off the model is its
 * base again: that is the reference of a KL, without a second model in memory.
 */
#ifndef CAGSR_MODEL_ADAPTER_H
#define CAGSR_MODEL_ADAPTER_H

#include "model/model.h"

struct adapter_part {
    size_t param;      /* of the model's plan: the module's weight */
    size_t row0, rows; /* of the site's matrix */
    size_t r, col;     /* rank; where its columns of u begin */
    size_t B;          /* offset of (rows, r) */
    float scale;
    struct gemm_weight packed;
};

struct adapter_site {
    size_t at, N, K; /* the matrix: its offset in the model's block, and its shape */
    size_t R;        /* ranks of its parts together */
    size_t A;        /* offset of (R, K) */
    size_t part, n;  /* its parts */
    struct gemm_weight packed;
};

enum adapter_state { ADAPTER_ON, ADAPTER_OFF };

struct adapter {
    struct plan plan;
    float *params;             /* plan.size floats */
    struct adapter_site *site; /* (sites) by ascending `at` */
    struct adapter_part *part; /* (parts) site by site */
    size_t sites, parts;
    size_t width, rows; /* largest R of a site; largest number of a part's rows */
    json_t *config;     /* adapter_config.json */
    uint64_t base_hash; /* of the model without it */
    enum adapter_state state;
    struct arena own, pack;
};

struct adapter_opts {
    size_t rank;         /* >= 1 */
    double alpha;        /* of the scale alpha / rank */
    const char *targets; /* NULL: all projections of attention.  "all-linear": those of
                            the MLP too.  Else ends of module names, by commas
                            ("q_proj,v_proj"), or, with a character that no name has, a
                            regular expression for a whole name ("model.*\.[01]\..*") */
    uint64_t seed;
};

/* Gives m, which has none, an adapter that changes nothing yet: A uniform in
 * +-1/sqrt(K), as PEFT begins, a function of seed and names alone; B zero.  ERR_USAGE if
 * no module is meant; ERR_NOMEM. */
int adapter_new(struct model *m, const struct adapter_opts *o,
                struct err *e) MUST_CHECK;

/* The one in a PEFT directory (io/peft.h) or a GGUF file, in place of the one m has.
 * ERR_FILE, ERR_SHAPE name file and tensor; ERR_NUMERIC if a value is not finite;
 * ERR_NOMEM.  After an error m has none. */
int adapter_load(struct model *m, const char *path, struct err *e) MUST_CHECK;

/* adapter_config.json and adapter_model.safetensors, float32, into a checkpoint that has
 * begun.  The base is named by its absolute path.  ERR_IO, ERR_NOMEM. */
int adapter_write(const struct model *m, const struct checkpoint *c,
                  struct err *e) MUST_CHECK;

/* The adapter as a GGUF file of its own, from front to back, to fd, which `where` names;
 * type and errors are those of model_write_gguf.  The format has one alpha for all, each
 * tensor's scale being alpha / rank: B takes what that does not give.  ERR_FILE if the
 * base has no place in GGUF. */
int adapter_write_gguf(const struct model *m, enum quant_type type, int fd,
                       const char *where, struct err *e) MUST_CHECK;

/* Takes it from m; fine if there is none. */
void adapter_drop(struct model *m);

/* On is how it begins.  m has one. */
void adapter_switch(struct model *m, enum adapter_state state);

/* ---- for model/ ----------------------------------------------------------------------- */

/* Hash of base and adapter together. */
int adapter_rehash(struct model *m, struct err *e) MUST_CHECK;

/* Scratch for products with `rows` rows at a time, and where gradients go. */
struct adapter_work {
    size_t rows;
    float *u, *du; /* (rows, width) */
    float *t;      /* (rows, adapter.rows): batch-invariant products only */
    float *grads;  /* a block like the adapter's plan, to be added to; or NULL */
};
enum adapter_way { ADAPTER_STEP, ADAPTER_TRAIN }; /* which scratch is wanted */

/* 1 if the adapter takes part in the product of the matrix at that offset of the block. */
int adapter_changes(const struct model *m, size_t at);

/* Carved from a; nothing without an adapter. */
void adapter_carve(struct adapter_work *w, const struct model *m, struct arena *a,
                   size_t rows, enum adapter_way way);

/* y (M, N) += s B (A x) for the matrix at offset `at`; nothing if it is not adapted.
 * rows: batch-invariant, as gemm_rows. */
void adapter_forward(const struct model *m, const struct adapter_work *w, size_t at,
                     float *y, size_t N, const float *x, size_t K, size_t M);
void adapter_forward_rows(const struct model *m, const struct adapter_work *w,
                          size_t at, float *y, size_t N, const float *x, size_t K,
                          size_t M);

/* dx (M, K) += what goes through the adapter; w->grads, if wanted, too. */
void adapter_backward(const struct model *m, const struct adapter_work *w, size_t at,
                      float *dx, const float *dy, size_t N, const float *x, size_t K,
                      size_t M);

/* W (N, K), the values at offset `at`, whole matrix or some of its parts' rows (a
 * parameter of the plan), becomes W + s B A.  ERR_NOMEM. */
int adapter_merge(const struct model *m, size_t at, float *W, size_t N, size_t K,
                  struct err *e) MUST_CHECK;

#endif
