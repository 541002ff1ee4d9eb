/*
 * Directories of sentence-transformers: an encoder, and how one vector is made of the rows
 * that it has for a text.
 *
 *   modules.json                       the stages: Transformer, Pooling, perhaps Normalize
 *   sentence_bert_config.json          how many tokens of a text are read
 *   POOLING/config.json                how rows become one
 *   config_sentence_transformers.json  whether texts begin with a prompt
 *
 * A directory without modules.json is an encoder alone: as there, its rows' mean is taken.
 * What changes vectors and is not known here is refused by file and key.
 */
#ifndef CAGSR_IO_SBERT_H
#define CAGSR_IO_SBERT_H

#include "base/err.h"

#include <stddef.h>

/* What of the rows h_0 .. h_{n-1} is taken.  Only directions matter: vectors get length 1,
 * whether there is a Normalize or not. */
enum sbert_pool {
    SBERT_MEAN,     /* sum of h_i */
    SBERT_CLS,      /* h_0 */
    SBERT_MAX,      /* the largest of each column */
    SBERT_WEIGHTED, /* sum of (i + 1) h_i */
    SBERT_LAST,     /* h_{n-1} */
};

/* A zeroed struct is an empty one. */
struct sbert {
    char *model; /* directory of the encoder and its tokenizer */
    enum sbert_pool pool;
    size_t
        max_tokens; /* that are read of a text, with what the tokenizer puts around it;
                          SIZE_MAX: no limit is named */
};

/* ERR_FILE names file and key; ERR_NOMEM.  *s is empty then. */
int sbert_read(struct sbert *s, const char *dir, struct err *e) MUST_CHECK;
void sbert_release(struct sbert *s);

#endif
