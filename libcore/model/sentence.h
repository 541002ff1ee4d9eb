/*
 * Sentences as vectors: a BERT encoder and the pooling of sentence-transformers (Reimers
 * and Gurevych 2019, arXiv 1908.10084).  The cosine of two of them says how near two texts
 * are in meaning.
 *
 *     struct sentence *s;
 *     sentence_open(&s, "all-MiniLM-L6-v2", kern, e);
 *     tok_open(&tok, sentence_tokenizer(s), e);    ids: tok_encode, TOK_ADD_SPECIAL
 *     sentence_embed(s, texts, n, vectors, e);     sentence_cosine(...)
 *     sentence_close(s);
 */
#ifndef CAGSR_MODEL_SENTENCE_H
#define CAGSR_MODEL_SENTENCE_H

#include "base/err.h"
#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>

struct sentence;

/* dir: a directory of sentence-transformers (io/sbert.h), or one with the encoder alone.
 * kern is borrowed until sentence_close.  ERR_FILE, ERR_SHAPE, ERR_NUMERIC, ERR_NOMEM: the
 * sentence names file, key or tensor. */
int sentence_open(struct sentence **out, const char *dir, struct kern *kern,
                  struct err *e) MUST_CHECK;
void sentence_close(struct sentence *s); /* NULL is fine */

/* Where its tokenizer is, for tok_open; lives as long as s. */
const char *sentence_tokenizer(const struct sentence *s);

size_t sentence_width(const struct sentence *s);  /* C, floats of a vector */
uint64_t sentence_hash(const struct sentence *s); /* of the weights: model_open's */

/* Tokens that are read of a text, those that the tokenizer puts around it included.  Of a
 * longer one all behind them is left out but the last token, [SEP]. */
size_t sentence_max(const struct sentence *s);

struct sentence_text {
    const int32_t *ids; /* (n) as the tokenizer gives them: [CLS] ... [SEP] */
    size_t n;
};

/* vectors (n, C) out, each of length 1.  Texts are packed without padding; with the default
 * products (KERN_PACK) the bits of a vector depend on its text alone, not on the others nor
 * on threads.  ERR_RECORD: a text without tokens, an id outside the vocabulary;
 * ERR_NUMERIC, ERR_NOMEM. */
int sentence_embed(struct sentence *s, const struct sentence_text *texts, size_t n,
                   float *vectors, struct err *e) MUST_CHECK;

/* a . b: the cosine of two such vectors. */
double sentence_cosine(const float *a, const float *b, size_t C);

#endif
