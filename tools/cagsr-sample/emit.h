/*
 * Completions to sample records (cagsr-stream(5)).
 */
#ifndef CAGSR_SAMPLE_EMIT_H
#define CAGSR_SAMPLE_EMIT_H

#include "model/generate.h"
#include "rec/stream.h"
#include "source.h"
#include "tok/tok.h"

/* Where a text is to end. */
struct stops {
    const char *const *text; /* (n) borrowed */
    size_t n;
    size_t longest; /* bytes */
};

/* Looks for the first stop string in text[from..n): where it begins, or SIZE_MAX. */
size_t stops_find(const struct stops *s, const char *text, size_t from, size_t n);

struct emitter {
    struct rec_writer *out; /* borrowed, as what follows */
    struct tok *tok;
    struct stops stops;
    uint64_t seed;
    double temperature;
    const struct capture_spec *capture; /* NULL: none */
    struct tok_decoder decoder;         /* owned, as what follows */
    struct rec rec;
};
void emitter_release(struct emitter *em);

/* Writes candidate c of p, drawn by m, or by nobody (NULL: no policy is named; c has no
 * log-probabilities).  ERR_IO, ERR_NOMEM, ERR_RECORD (too large). */
int emit_sample(struct emitter *em, const struct prompt *p, const struct model *m,
                const struct generate_completion *c, struct err *e) MUST_CHECK;

#endif
