/*
 * Pre-tokenizers: a text into the words that the model encodes one by one.
 *
 * Every pre-tokenizer that we read is a chain of steps.  A step may put something in
 * front of each piece, and may cut each piece, at the matches of a regular expression or
 * at the characters of a class.
 */
#ifndef CAGSR_TOK_PRETOK_H
#define CAGSR_TOK_PRETOK_H

#include "base/err.h"
#include "tok/classes.h"
#include "tok/passage.h"

#include <stddef.h>
#include <stdint.h>

/* What becomes of the matches. */
enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,        /* a piece of its own */
    SPLIT_MERGED_PREVIOUS, /* the end of the piece before */
    SPLIT_MERGED_NEXT,     /* the beginning of the piece behind */
    SPLIT_CONTIGUOUS,      /* neighbours of one kind together */
};

enum split_invert {
    SPLIT_MATCHES, /* the behavior is that of the matches */
    SPLIT_GAPS,    /* of what lies between them */
};

struct piece {
    size_t at, n; /* bytes of passage.text */
};

struct pieces {
    struct piece *v;
    size_t n, cap;
};

struct pretok; /* a chain of steps */

struct pretok *pretok_new(void); /* NULL: no memory */
void pretok_free(struct pretok *p);

/* Appends a step that puts a blank in front of every piece that has none. */
int pretok_add_blank(struct pretok *p, struct err *e) MUST_CHECK;

/* Appends a step that cuts.  `where` names file and key: ERR_FILE if the expression is
 * none. */
int pretok_add_split(struct pretok *p, const char *regex, enum split_behavior behavior,
                     enum split_invert invert, const char *where,
                     struct err *e) MUST_CHECK;

/* The same at a text as it stands, and at each character of a class. */
int pretok_add_split_text(struct pretok *p, const char *text,
                          enum split_behavior behavior, enum split_invert invert,
                          const char *where, struct err *e) MUST_CHECK;
int pretok_add_split_class(struct pretok *p, const struct class *k,
                           enum split_behavior behavior, struct err *e) MUST_CHECK;

/* Appends SentencePiece's step: every blank becomes `mark` (one character, U+2581 in
 * practice), pieces that do not begin with it get one in front, and each mark begins a
 * piece. */
enum metaspace_prepend {
    METASPACE_NEVER,
    METASPACE_FIRST, /* only the piece at the beginning of the text */
    METASPACE_ALWAYS,
};
enum metaspace_cut { METASPACE_WHOLE, METASPACE_CUT };
int pretok_add_metaspace(struct pretok *p, const char *mark,
                         enum metaspace_prepend prepend, enum metaspace_cut cut,
                         struct err *e) MUST_CHECK;

/* Appends a step that cuts before each `mark`, but not between two of them. */
int pretok_add_cut(struct pretok *p, const char *mark, struct err *e) MUST_CHECK;

/* Cuts the whole of *text (which some steps rewrite) into *out.  ERR_RECORD if an
 * expression gives up (a hostile one), ERR_NOMEM. */
int pretok_run(struct pretok *p, struct passage *text, struct pieces *out,
               struct err *e) MUST_CHECK;

/* The expressions that the files mean by a name. */
extern const char pretok_gpt2[], pretok_llama3[], pretok_qwen2[];

#endif
