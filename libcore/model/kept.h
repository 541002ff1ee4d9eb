/*
 * Where the activations of a pass lie: of one layer or of all, and as what.
 *
 * Where products round their operands (kern_rounds_both) a pass that trains keeps bfloat16 for the
 * way back, half the bytes.  Most of it is read there as an operand, and loses nothing; queries, and
 * what norms and activations read, are rounded once more.  The way forward goes on with what it
 * computed in float32.  Attention's log-sums stay float32.  Private to model/.
 */
#ifndef CAGSR_MODEL_KEPT_H
#define CAGSR_MODEL_KEPT_H

#include "base/arena.h"
#include "model/block.h"
#include "model/pass.h"

/* A matrix of struct block_acts. */
struct kept_matrix {
    size_t member; /* the place of its pointer there */
    int source;    /* its rows are the encoder's */
    size_t width;  /* of a row */
    size_t apart;  /* numbers from a layer's to the next's */
    float *floats; /* of each layer that is kept; with halves, of one */
    uint16_t *halves;
};

enum { KEPT_MATRICES = 14 };

struct kept {
    const struct model *m;
    enum pass_mode mode;
    struct kept_matrix of[KEPT_MATRICES];
    size_t n;
    float *x; /* (L + 1) inputs of layers and what the last one makes, or two in turn */
    uint16_t *up; /* block_acts' up_halves, or NULL */
    size_t x_apart, up_apart;
};

/* Takes room for B rows, E of the encoder's, from a.  scratch: a block_back's dup, which lies in
 * for `up` where that is kept as halves, and is not looked at elsewhere. */
void kept_carve(struct kept *k, const struct model *m, enum pass_mode mode, size_t B,
                size_t E, float *scratch, struct arena *a);

/* Those of layer l: for its way forward, and, once they are opened, for its way back.  What the
 * model has not is NULL. */
struct block_acts kept_acts(const struct kept *k, size_t l);

/* After a half of layer l's way forward, with B rows, E of the encoder's: what is kept of it; and
 * before a half of its way back, the MLP's first: it is there again.  One half at a time, for it
 * to be in the caches still. */
enum kept_half { KEPT_ATTENTION, KEPT_MLP };
void kept_close(const struct kept *k, size_t l, enum kept_half half, size_t B,
                size_t E);
void kept_open(const struct kept *k, size_t l, enum kept_half half, size_t B, size_t E);

/* The residual stream before layer l; after the last one for l = L. */
float *kept_residual(const struct kept *k, size_t l);

/* h (B, width) = x as bfloat16; and x of h. */
void kept_narrow(struct kern *k, uint16_t *h, const float *x, size_t B, size_t width);
void kept_widen(struct kern *k, float *x, const uint16_t *h, size_t B, size_t width);

#endif
