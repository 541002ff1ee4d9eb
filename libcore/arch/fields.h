/*
 * What families have in common when they read their configuration.  Private to arch/.
 *
 * Every function names file and key in its error, and what was expected.
 */
#ifndef CAGSR_ARCH_FIELDS_H
#define CAGSR_ARCH_FIELDS_H

#include "arch/arch.h"

#define FAMILY(name) extern const struct family family_##name;
#include "arch/families.h"
#undef FAMILY

/* Integers of GGUF metadata, "ARCHITECTURE.key", in 1..hi; an optional one may be 0. */
struct field {
    const char *key; /* NULL: no more */
    size_t *out;     /* what is there already is the default of an optional key */
    size_t hi;
    int optional;
};
int fields_gguf(const struct field *f, const struct gguf *g, const char *architecture,
                struct err *e) MUST_CHECK;

/* Those that every decoder has: C, L, H, F, context. */
int fields_sizes_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                      struct err *e) MUST_CHECK;

/* act from the word at `key` (absent: as it is). */
int fields_act(enum act *act, const json_t *config, const char *key, const char *where,
               struct err *e) MUST_CHECK;
const char *fields_act_name(enum act act);

/* act by its name; -1 for an unknown one, without a sentence. */
int fields_act_word(enum act *act, const char *name);

/* A float, > 0; absent: as it is. */
int fields_positive(float *x, const json_t *config, const char *key, const char *where,
                    struct err *e) MUST_CHECK;
int fields_positive_gguf(float *x, const struct gguf *g, const char *architecture,
                         const char *key, struct err *e) MUST_CHECK;

/* `key`, if it is there, must be this truth value: another is not supported. */
int fields_only(const json_t *config, const char *key, int only, const char *where,
                struct err *e) MUST_CHECK;

/* The ropes of both kinds of layers and R, of Hugging Face: old form (rope_theta,
 * rope_scaling) or new (rope_parameters, for each kind its own or one for both).  A
 * base and an R that are there already are the defaults; else 10000 and D.  The context
 * becomes what the scaling allows. */
int fields_rope(struct arch *a, const json_t *config, const char *where,
                struct err *e) MUST_CHECK;
int fields_rope_gguf(struct arch *a, const struct gguf *g, const char *architecture,
                     struct err *e) MUST_CHECK;
/* The keys of the full layers' rope, for a model from GGUF. */
int fields_rope_config(json_t *config, const struct arch *a);

/* The context that a file names: longrope's is longer than the one that we use. */
size_t fields_whole_context(const struct arch *a);

/* The kinds of layers from "layer_types": 1 if the key is there, 0 if not. */
int fields_layers(struct arch *a, const json_t *config, const char *where,
                  struct err *e) MUST_CHECK;

/* Every layer sees the window that "sliding_window" says; null is none, and without the key
 * it is `absent`. */
int fields_window(struct arch *a, size_t absent, const json_t *config,
                  const char *where, struct err *e) MUST_CHECK;
int fields_window_config(json_t *config, const struct arch *a);

/* How H heads share a width of C: *D where it is 0, and 1 / sqrt(D) as the scale of
 * scores. */
int fields_head(size_t *D, float *scale, size_t C, size_t H, const char *where,
                struct err *e) MUST_CHECK;
/* The same of *a, whose G is H where it is 0. */
int fields_heads(struct arch *a, const char *where, struct err *e) MUST_CHECK;

/* What must hold between the numbers: heads divide, head widths are even, bounds. */
int fields_check(const struct arch *a, const char *where, struct err *e) MUST_CHECK;

/* V and tied of a GGUF file: the rows of token_embd.weight, no output.weight. */
int fields_vocab_gguf(struct arch *a, const struct gguf *g, struct err *e) MUST_CHECK;

/* obj[key] = value, stealing value; -1 without memory. */
int fields_put(json_t *obj, const char *key, json_t *value);

#endif
