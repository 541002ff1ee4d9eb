/*
 * SentencePiece models, wherever they were read: what they say, and the tokenizer that
 * the Hugging Face libraries make of it.
 */
#ifndef CAGSR_TOK_SPM_H
#define CAGSR_TOK_SPM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tok;

/* sentencepiece_model.proto; GGUF has the same numbers. */
enum spm_type {
    SPM_NORMAL = 1,
    SPM_UNKNOWN = 2,
    SPM_CONTROL = 3,
    SPM_USER = 4,
    SPM_UNUSED = 5,
    SPM_BYTE = 6,
};

enum spm_model { SPM_UNIGRAM = 1, SPM_BPE = 2 };

/* Longer pieces are refused: merges are looked for at every place of a piece. */
enum { SPM_MAX_PIECE = 1024 };

struct spm_piece {
    float score;
    unsigned char type;
    unsigned char beside; /* 1: of a unigram model, a token that is no piece: no text
                             becomes it, its score does not count */
};

/* Its pieces' texts are the tok's vocabulary. */
struct spm {
    uint64_t model;          /* an enum spm_model if it is known */
    struct spm_piece *piece; /* (n) by id */
    size_t n, cap;
    int bytes;            /* byte fallback */
    int dummy_prefix;     /* a blank in front of the text */
    int strip;            /* blanks at both ends go, several become one */
    int escape;           /* blanks are written U+2581 */
    const char *charsmap; /* borrowed; NULL: none */
    size_t ncharsmap;
    int32_t unk, bos, eos; /* -1: none */
};
void spm_init(struct spm *s); /* SentencePiece's defaults */
void spm_release(struct spm *s);

/* The next piece, into *t too. ERR_FILE, ERR_NOMEM. */
int spm_add(struct spm *s, struct tok *t, const char *text, size_t n, float score,
            int type, struct err *e) MUST_CHECK;

/* How the Hugging Face libraries take the model, by the class of tokenizer. */
enum spm_manner {
    SPM_AS_IT_SAYS,   /* the model's own settings */
    SPM_LLAMA_LEGACY, /* a blank in front of every stretch between special tokens */
    SPM_LLAMA,        /* of the first one only */
    SPM_GEMMA,        /* no blank */
    SPM_T5,           /* words between white space */
};

/* Makes *t, whose vocabulary has the pieces, a tokenizer.  ERR_FILE, ERR_NOMEM. */
int spm_build(const struct spm *s, struct tok *t, enum spm_manner manner,
              struct err *e) MUST_CHECK;

#endif
