/*
 * Pre-tokenizers: a text into the words that the model encodes one by one.
 *
 * Every pre-tokenizer that we read is a chain of steps; a step may put a blank in front of
 * each piece, and may cut each piece at the matches of a regular expression.  Regular
 * expressions are PCRE2 with UTF and UCP, given in the dialect of the files (Oniguruma).
 */
#ifndef CAGSR_TOK_PRETOK_H
#define CAGSR_TOK_PRETOK_H

#include "base/err.h"

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

/* Text on its way to the model, with the way back to the text given. */
struct passage {
    char *text;
    uint32_t *end; /* (n) offset in the text given behind byte i; NULL: from + i + 1 */
    uint32_t from;
    size_t n, cap;
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

/* Cuts the whole of *text (which a blank step rewrites) into *out.  ERR_RECORD if an
 * expression gives up (a hostile one), ERR_NOMEM. */
int pretok_run(const struct pretok *p, struct passage *text, struct pieces *out,
               struct err *e) MUST_CHECK;

/* Room for n bytes (with `end` if with_end).  ERR_NOMEM. */
enum passage_map { PASSAGE_STRAIGHT, PASSAGE_MAPPED };
int passage_reserve(struct passage *t, size_t n, enum passage_map map,
                    struct err *e) MUST_CHECK;

/* Offset in the text given, behind the first n bytes (n = 0: where it begins). */
uint32_t passage_end(const struct passage *t, size_t n);

/* The expressions that the files mean by a name. */
extern const char pretok_gpt2[], pretok_llama3[], pretok_qwen2[];

#endif
