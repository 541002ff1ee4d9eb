/*
 * A golden model, what is expected of it, and what every kind of model is asked: logits,
 * log-probabilities, losses, gradients.  Tolerances are those of the golden data's README.
 * A failure to open ends the test.
 */
#ifndef CAGSR_TESTS_GOLDEN_MODEL_H
#define CAGSR_TESTS_GOLDEN_MODEL_H

#include "golden.h"
#include "machine.h"

#include "model/head.h"
#include "model/pass.h"

#include <criterion/criterion.h> /* before the next, which needs it */
#include <criterion/parameterized.h>

struct golden_model {
    const char *name;
    struct machine mc;
    struct model *m;
    struct safetensors want;
    struct batch b; /* the caller's, released with the rest */
};

/* golden/NAME with golden/DIR/expected.safetensors; the first form for a directory, the
 * last for an encoder alone. */
void golden_model_open(struct golden_model *g, const char *name);
void golden_model_open_of(struct golden_model *g, const char *name, const char *dir);
void golden_encoder_open(struct golden_model *g, const char *name);

/* The first form on a machine of these options; 0 where there is none. */
int golden_model_open_on(struct golden_model *g, const char *name,
                         const struct kern_opts *o);
void golden_model_close(struct golden_model *g);

/* Expects got to be the tensor of that name within `allowed`. */
void golden_compare(const struct golden_model *g, const float *got, double allowed,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What the head makes of sequence s, whose `rows` rows begin at row0: "sN.logits"; and
 * with labels[t] behind row t < n, logp, entropy at both temperatures, and the loss. */
struct golden_rows {
    int s;
    size_t row0, rows, n;
    const int32_t *labels; /* (n) */
};
void golden_check_head(const struct golden_model *g, struct head *h,
                       const float *hidden, const struct golden_rows *r);

/* Captures all attention of the batch and expects that of sequence s, T rows, each head
 * apart: "sN.attn.L" for every layer. */
void golden_check_attention(const struct golden_model *g, struct pass *p, int s,
                            size_t T);

/* The mean of -logp over n items; its gradient is added to grads, or set as `sum` says. */
double golden_loss_gradient(const struct golden_model *g, const struct head_item *items,
                            size_t n, enum pass_sum sum, float *grads);

/* Parameters of a test: an index each, 0 .. n-1; n up to 64. */
struct criterion_test_params each_index(size_t n);

#endif
