/*
 * Tokenizers: text to ids and back, with the byte of the text where every token ends.
 *
 * What is read: BPE (byte-level, and SentencePiece's with byte fallback), Unigram,
 * WordPiece and WordLevel, with the normalizers, pre-tokenizers and decoders of the
 * tokenizers library, from a Hugging Face directory (tokenizer.json, or tokenizer.model,
 * or vocab.json + merges.txt), a tokenizer.json or tokenizer.model by name, or the
 * metadata of a .gguf file.  Ids and offsets are those of the library.  Anything else is
 * an error that names the file, the key, its value and what is supported.
 *
 * Text is valid UTF-8 and may hold U+0000.  Files are hostile: every id, count and
 * string is checked before it is used.
 *
 * A `struct tok` keeps a cache of words: one thread at a time.
 */
#ifndef CAGSR_TOK_TOK_H
#define CAGSR_TOK_TOK_H

#include "base/err.h"
#include "io/checkpoint.h"
#include "io/gguf_write.h"

#include <stddef.h>
#include <stdint.h>

struct tok;

/* Opens the tokenizer that belongs to a model: `path` is a directory, a .gguf file, a
 * tokenizer.json or a tokenizer.model.  A model that brings no tokenizer at all (weights and config only)
 * opens too: tok_has_text is 0 then, it has no tokens, but stops.  The caller owns *out
 * (tok_close).  ERR_FILE, ERR_NOMEM. */
int tok_open(struct tok **out, const char *path, struct err *e) MUST_CHECK;
void tok_close(struct tok *t); /* NULL is fine */

/* 1 if there is a vocabulary: text can be encoded and decoded. */
int tok_has_text(const struct tok *t);

/* ---- ids
 * ------------------------------------------------------------------------------*/

/* Number of ids: the largest id + 1.  Ids without a token are possible between. */
size_t tok_size(const struct tok *t);

/* The id of a token by its text (added tokens, then the vocabulary in the file's own
 * spelling, e.g. "Ġthe"); -1 if there is none. */
int32_t tok_find(const struct tok *t, const char *text);

/* The bytes that token `id` stands for; *n their number.  Not UTF-8 for itself, not
 * NUL-terminated; NULL with *n = 0 for an id without a token.  Lives as long as t. */
const char *tok_bytes(const struct tok *t, int32_t id, size_t *n);

/* 1 for special tokens (BOS, <|im_end|> ...), else 0; ids out of range are 0. */
int tok_is_special(const struct tok *t, int32_t id);

/* Beginning and end of text, as the model's files name them; -1 where they do not. */
int32_t tok_bos(const struct tok *t);
int32_t tok_eos(const struct tok *t);

/* Every token that ends a response: tokenizer_config.json, generation_config.json and
 * config.json together; in GGUF eos, eot and eom.  *n may be 0. */
const int32_t *tok_stops(const struct tok *t, size_t *n);

/* A text of the model's files; strings live as long as the struct tok. */
struct tok_named {
    char *name, *text, *where; /* where: the file it came from */
};

/* The special tokens that the files name, "bos_token", "pad_token" and so on, as they are
 * written: what a chat template may call them.  *n may be 0. */
const struct tok_named *tok_specials(const struct tok *t, size_t *n);

/* The Jinja source of the chat template and the file it came from; NULL if there is
 * none.  Of several named ones it is "default". */
const char *tok_chat_template(const struct tok *t, const char **where);

/* The others, such as "tool_use".  *n may be 0. */
const struct tok_named *tok_chats(const struct tok *t, size_t *n);

/* ---- text to ids
 * ----------------------------------------------------------------------*/

/* A growing list of tokens; zero-initialised is empty.  Kept between calls its memory
 * is used again. */
struct tok_ids {
    int32_t *id;   /* (n) */
    uint32_t *end; /* (n) byte offset in the text where token i ends.  Never falls; a
                     token that stands for no text (a BOS put in front) has the width 0.
                     May lie inside a character: byte tokens can split one.  Text that
                     the tokenizer drops, white space in most cases, lies between the
                     tokens: it belongs to the one behind it. */
    size_t n, cap;
};
void tok_ids_release(struct tok_ids *ids);

/* One more, which ends at byte `end`.  ERR_NOMEM. */
int tok_ids_add(struct tok_ids *ids, int32_t id, uint32_t end,
                struct err *e) MUST_CHECK;

enum tok_add {
    TOK_ADD_NONE,    /* the text only; special tokens written in it are recognised */
    TOK_ADD_SPECIAL, /* and what the post-processor puts around it (BOS, EOS) */
};

/* Replaces *out by the tokens of text[0..n), n < 2 GiB.  Offsets are those of the
 * text given, not of the normalised one: a character that was made of several ends where
 * the first of them does, one of several that were made of one where that does.  ERR_RECORD if the text is not UTF-8 or
 * holds a word that a WordLevel vocabulary without unknown token does not have; ERR_FILE
 * without a vocabulary.  A byte that a BPE vocabulary lacks is dropped, as the tokenizers
 * library does; ends behind it are where they are, while the library's move up. */
int tok_encode(struct tok *t, const char *text, size_t n, enum tok_add add,
               struct tok_ids *out, struct err *e) MUST_CHECK;

/* ---- ids to text
 * ----------------------------------------------------------------------*/

enum tok_show {
    TOK_SHOW_ALL,     /* special tokens appear as they are written */
    TOK_SKIP_SPECIAL, /* they stand for nothing */
};

/* Byte tokens (byte fallback) that follow one another. */
struct tok_run {
    size_t at, token; /* where it begins, in text and among the tokens */
    size_t bytes;     /* 0: there is none */
    int spoilt;       /* it is not UTF-8: each byte is a U+FFFD */
};

/*
 * Decoding, token after token.  `text` is valid UTF-8 always: of the bytes so far, the
 * longest prefix that ends with a whole character; each maximal invalid part is one
 * U+FFFD.  Bytes that may still become a character wait until the next token, or
 * tok_decoder_finish.
 *
 * As the tokenizers library does, a SentencePiece tokenizer takes the blank off that it
 * puts in front of a text, and an unbroken run of its byte tokens that turns out not to be
 * UTF-8 becomes U+FFFD as a whole, byte by byte: text and ends of such a run change then.
 */
struct tok_decoder {
    struct tok *tok;
    enum tok_show show;
    char *text; /* n bytes and a NUL */
    size_t n, cap;
    uint32_t *end;       /* (tokens) as in struct tok_ids, counting what waits */
    size_t tokens, etop; /* tokens pushed; room in end */
    char wait[4];        /* bytes of an unfinished character */
    size_t nwait;
    size_t words; /* tokens that had text */
    size_t strip; /* characters that may still be taken off the beginning */
    struct tok_run run;
};
void tok_decoder_init(struct tok_decoder *d, struct tok *t, enum tok_show show);
void tok_decoder_reset(struct tok_decoder *d); /* to no tokens; memory is kept */
void tok_decoder_release(struct tok_decoder *d);

/* Appends a token.  Ids without a token stand for nothing.  ERR_NOMEM. */
int tok_decoder_push(struct tok_decoder *d, int32_t id, struct err *e) MUST_CHECK;

/* No more tokens: bytes that wait become one U+FFFD, which they lie inside; then
 * end[tokens - 1] <= n. */
int tok_decoder_finish(struct tok_decoder *d, struct err *e) MUST_CHECK;

/* All of it at once: *text is malloc'd, NUL behind its *len bytes, freed by the caller.
 */
int tok_decode(struct tok *t, const int32_t *id, size_t n, enum tok_show show,
               char **text, size_t *len, struct err *e) MUST_CHECK;

/* ---- writing --------------------------------------------------------------------------*/

/* Writes the tokenizer of the model at `path` (as tok_open takes it) into a checkpoint
 * that has begun, so that transformers and tok_open find it there.  From a directory its
 * files are copied; from GGUF, tokenizer.json, tokenizer_config.json (with the chat
 * template) and generation_config.json are made.  1 written, 0 if the model brings no
 * tokenizer; ERR_FILE, ERR_IO, ERR_NOMEM. */
int tok_save(const char *path, const struct checkpoint *c, struct err *e) MUST_CHECK;

/* Puts the tokenizer of the directory `dir` into a GGUF's metadata, for a model whose
 * embedding has V rows: "tokenizer.*" without what model_gguf_meta puts.  1; 2 if a blank
 * that some SentencePiece tokenizers put before the first word only is put after every
 * special token, and in front of a blank, by the format's rules; 0 if there is no tokenizer
 * (the file says so, and has the ids of its stops); ERR_FILE for what the format cannot
 * say. */
int tok_to_gguf(const char *dir, size_t V, struct gguf_meta *out,
                struct err *e) MUST_CHECK;

/* The same for a model without: that there is none, and the ids that begin (-1: none is
 * named) and end a text. */
void tok_none_to_gguf(struct gguf_meta *out, int32_t bos, const int32_t *stop,
                      size_t n);

#endif
