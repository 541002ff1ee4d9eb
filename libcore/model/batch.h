/*
 * Rows of many sequences packed end to end, without padding, and who sees whom.
 *
 * A sequence is its own rows behind an optional prefix, the rows of another sequence:
 * the candidates of one prompt share the prompt's rows, forward and backward.
 *
 * One group: the prompt (P rows), then for each response of T tokens T - 1 rows, for
 * its last token predicts nothing.  Row P-1 of the prompt predicts every response's
 * first token; row t-1 of a response predicts its token t.
 *
 * Behind an encoder the prompt's tokens are a sequence of another batch, `source`, that
 * the encoder reads; the start token takes its place here, and all its responses look at
 * the prompt's rows there.
 */
#ifndef CAGSR_MODEL_BATCH_H
#define CAGSR_MODEL_BATCH_H

#include "arch/arch.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { BATCH_ALONE = -1 };

struct batch_seq {
    size_t row0, rows; /* its own rows in the batch */
    size_t pre0, pre;  /* the rows of its prefix; pre 0: none */
    int prefix;        /* the sequence those are all rows of, or BATCH_ALONE */
    size_t source;     /* with an encoder: the sequence of batch.source it looks at */
};

/* Zero-initialised is empty; memory is kept by batch_clear. */
struct batch {
    int32_t *ids; /* (B) */
    int32_t *pos; /* (B) */
    size_t B, cap;
    struct batch_seq *seqs; /* rows ascending, without gaps */
    size_t n, seqs_cap;
    struct batch *source; /* owned; NULL before the first prompt for an encoder */
};

/* Empties it, or gives its memory back as well. */
void batch_clear(struct batch *b);
void batch_release(struct batch *b);

/* Appends a sequence of `rows` tokens, positions counting from 0, or from behind the
 * prefix: an earlier sequence that has none itself, or BATCH_ALONE.  rows may be 0.
 * Returns the sequence's index, or ERR_NOMEM. */
int batch_add(struct batch *b, int prefix, const int32_t *ids, size_t rows,
              struct err *e) MUST_CHECK;

/* Appends a prompt, P >= 1 tokens, as models of *a have it: for an encoder to source, and
 * here what decoding starts with.  Returns the sequence that its responses have for
 * prefix, or ERR_NOMEM. */
int batch_prompt(struct batch *b, const struct arch *a, const int32_t *ids, size_t P,
                 struct err *e) MUST_CHECK;

/* Rows that a prompt of P tokens takes, and all rows so far, of both batches. */
size_t batch_prompt_rows(const struct arch *a, size_t P);
size_t batch_rows(const struct batch *b);

/* The row that predicts token t of a response of prompt sequence `prompt`, itself
 * sequence `response`: the prompt's last row for t == 0. */
size_t batch_row(const struct batch *b, int prompt, int response, size_t t);

#endif
