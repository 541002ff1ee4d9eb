/*
 * Inside the tokenizer: what the readers fill and encode and decode walk.
 */
#ifndef CAGSR_TOK_PRIVATE_H
#define CAGSR_TOK_PRIVATE_H

#include "base/err.h"
#include "io/gguf.h"
#include "tok/bpe.h"
#include "tok/cache.h"
#include "tok/decoding.h"
#include "tok/named.h"
#include "tok/normal.h"
#include "tok/pretok.h"
#include "tok/tok.h"
#include "tok/unigram.h"
#include "tok/vocab.h"
#include "tok/wordpiece.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum tok_kind { TOK_NONE, TOK_BPE, TOK_WORDS, TOK_UNIGRAM, TOK_WORDPIECE };

/* What is known of an id, as bits. */
enum {
    ID_SPECIAL = 1,
    ID_ADDED = 2,
    ID_BYTE = 4, /* of byte fallback */
};

/* A token that is found in the text before anything else happens to it. */
struct added {
    int32_t id;
    int special;     /* control, not text */
    int normalized;  /* looked for behind the normalizer */
    int lstrip;      /* takes the white space before it */
    int rstrip;      /* and behind it */
    int single_word; /* only between non-word characters */
};

/* The added tokens that are looked for in one stage. */
struct added_set {
    struct vocab text; /* content to index into tok.added */
    uint32_t *lengths; /* (nlengths) different lengths, longest first */
    size_t nlengths;
    unsigned char first[256]; /* a content begins with this byte */
};

struct tok {
    char *path;  /* as given to tok_open */
    char *where; /* the file that errors name */
    enum tok_kind kind;
    struct vocab vocab; /* the file's spelling */
    size_t model_size;  /* ids below are the model's; the others were added */
    struct vocab bytes; /* what tokens stand for inside a text, by id; not looked up */
    unsigned char *flags; /* (vocab.size) ID_... */
    struct bpe bpe;
    struct unigram unigram;
    struct wordpiece wordpiece;
    struct cache cache;
    struct normal *normalizer;
    struct pretok *pretok;
    struct decoding decoding;
    int byte_level;    /* words are spelled in the byte alphabet */
    int ignore_merges; /* a word that is a token is not merged */
    int add_bos;       /* GGUF: the default of the chain */
    int32_t unk;       /* -1: none */
    struct added *added;
    size_t nadded, added_cap;
    struct added_set raw, normal; /* the two stages */
    int32_t *before, *behind;     /* what the post-processor adds */
    size_t nbefore, nbehind;
    int32_t bos, eos;
    int32_t pad, named_unk; /* GGUF: what its metadata names; else -1 */
    int32_t *stop;
    size_t nstop;
    struct named specials; /* by the names of files */
    char *chat, *chat_where;
    struct named chats; /* beside the default */
    json_t *made;       /* the parts of a tokenizer.json, if the source was another */
    /* scratch of tok_encode */
    struct passage passage;
    struct pieces pieces;
    int32_t *word_id;
    uint32_t *word_len;
    size_t word_cap;
    char *spell;
    struct token_text shown; /* of tok_decoder_push */
};

/* ---- readers: each fills a tok whose path is set ---------------------------------------*/

/* tokenizer.json. */
int tok_read_json(struct tok *t, const char *path, struct err *e) MUST_CHECK;

/* vocab.json and merges.txt, or encoder.json and vocab.bpe, of a directory: 1 if they are
 * there, 0 if not. */
int tok_read_files(struct tok *t, const char *dir, struct err *e) MUST_CHECK;

/* tokenizer.model, and what stands beside it in `dir` (NULL: nothing). */
int tok_read_spm(struct tok *t, const char *path, const char *dir,
                 struct err *e) MUST_CHECK;

/* The member "added_tokens_decoder" of tokenizer_config.json. */
int tok_read_added(struct tok *t, json_t *table, struct err *e) MUST_CHECK;

/* The metadata of a .gguf; a file without a tokenizer leaves TOK_NONE. */
int tok_read_gguf(struct tok *t, const char *path, struct err *e) MUST_CHECK;
int tok_take_gguf(struct tok *t, const struct gguf *g, struct err *e) MUST_CHECK;

/* tok_open of metadata that are open already. */
int tok_open_gguf(struct tok **out, const struct gguf *g, struct err *e) MUST_CHECK;

/* tokenizer_config.json, special_tokens_map.json, generation_config.json, config.json and
 * the chat templates' files of a directory: BOS, EOS, stops, special tokens by name, chat
 * templates. */
int tok_read_config(struct tok *t, const char *dir, struct err *e) MUST_CHECK;

/* Parts of a tokenizer.json. */
int tok_read_steps(struct tok *t, const json_t *v, struct err *e) MUST_CHECK;
int tok_read_post(struct tok *t, const json_t *v, struct err *e) MUST_CHECK;

/* An object's "type", "" where there is none; the members of a Sequence, else NULL; the
 * error for a type that is not known. */
const char *tok_json_type(const json_t *v);
const json_t *tok_json_sequence(const json_t *v, const char *key);
int tok_json_unknown(const struct tok *t, const char *key, const char *what,
                     const char *supported, struct err *e);

/* ---- building -------------------------------------------------------------------------*/

/* The vocabulary of a BPE model is there: finds the byte tokens (by characters: <0x00> and
 * so on), takes memory for `merges` merges. */
enum bpe_unit { BPE_BYTES, BPE_CHARS };
int tok_start_bpe(struct tok *t, enum bpe_unit unit, size_t merges,
                  struct err *e) MUST_CHECK;

/* Merge number `rank` of the file: both parts and the whole must be tokens. */
int tok_add_merge(struct tok *t, const char *left, size_t nleft, const char *right,
                  size_t nright, size_t rank, struct err *e) MUST_CHECK;
/* The same from "left right". */
int tok_add_merge_line(struct tok *t, const char *line, size_t n, size_t rank,
                       struct err *e) MUST_CHECK;

/* An added token; it joins the vocabulary if it is not there.  One that is there already
 * is replaced. */
int tok_add_added(struct tok *t, const char *text, size_t n, struct added a,
                  struct err *e) MUST_CHECK;

/* This token ends a response; -1 is ignored, and so is one that is known already. */
int tok_add_stop(struct tok *t, int32_t id, struct err *e) MUST_CHECK;

/* What tokenizer.ggml.pre means. */
enum { CHAIN_STEPS = 4 };
struct chain {
    const char *name;
    const char *regex[CHAIN_STEPS]; /* cut one after the other, matches isolated */
    const char *normalizer;         /* a type without members, or NULL */
    int ignore_merges;
    int bos; /* BOS goes in front unless the file says otherwise */
};
const struct chain *tok_chain(const char *name); /* NULL: not known */
const struct chain *tok_chain_at(size_t i);      /* NULL: no more */
int tok_take_chain(struct tok *t, const struct chain *c, struct err *e) MUST_CHECK;

/* Takes the parts of a tokenizer.json that a reader of another format made; they are
 * kept, in t->made, for tok_save.  Frees them in any case; NULL is a lack of memory. */
int tok_make(struct tok *t, json_t *normalizer, json_t *pre_tokenizer, json_t *decoder,
             struct err *e) MUST_CHECK;

/* What goes in front of a text and behind it; -1: nothing.  ERR_NOMEM. */
int tok_put_around(struct tok *t, int32_t before, int32_t behind,
                   struct err *e) MUST_CHECK;

extern const char tok_step_names[]; /* for errors */

/* Replaces a malloc'd string by a copy of s[0..n).  ERR_NOMEM. */
int tok_set_str(char **to, const char *s, size_t n, struct err *e) MUST_CHECK;

/* The text by which an added token is found, into *out. */
int tok_content(struct tok *t, const struct added *a, struct passage *out,
                struct err *e) MUST_CHECK;

/* What a token is shown as: 1 if it is a byte token, 0 if not. ERR_NOMEM. */
int tok_show(struct tok *t, int32_t id, enum token_place place, struct token_text *out,
             struct err *e) MUST_CHECK;

/* Everything is there: bytes of the tokens, the sets of added tokens. */
int tok_finish(struct tok *t, struct err *e) MUST_CHECK;

/* ---- the byte alphabet ------------------------------------------------------------------
 * GPT-2 files spell a byte as a printable character: itself where it is one in Latin-1,
 * else U+0100 and on. */
uint32_t alphabet_char(unsigned char byte);
int alphabet_byte(uint32_t c); /* -1: no byte is spelled so */
/* Spells bytes[0..n) into out, which has room for 2 n; returns the length. */
size_t alphabet_spell(char *out, const char *bytes, size_t n);

/* ---- stages ---------------------------------------------------------------------------*/
int added_set_build(struct added_set *s, struct tok *t, int normalized,
                    struct err *e) MUST_CHECK;
void added_set_release(struct added_set *s);

/* Where an added token was found.  Zeroed before the first search. */
struct added_match {
    size_t which;   /* index into tok.added */
    size_t at, end; /* with the white space that it takes */
    size_t next; /* the search goes on here: what was taken is looked through again, as
                       the tokenizers library does */
};

/* The added token behind *m in text[0..n): 1, or 0 with *m left as it is.  It may begin
 * before the old m->end, or lie within it: in white space that the one before took. */
int added_next(const struct tok *t, const struct added_set *s, const char *text,
               size_t n, struct added_match *m);

#endif
