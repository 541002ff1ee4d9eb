/*
 * What tokens stand for: the "decoder" of a tokenizer, taken apart into what it does to
 * each token, which is done once at load, and what it does to the text as a whole.
 */
#ifndef CAGSR_TOK_DECODING_H
#define CAGSR_TOK_DECODING_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

enum { DECODING_STEPS = 8 };

struct decoding_step;

/* A growing text. */
struct token_text {
    char *s;
    size_t n, cap;
};

struct decoding {
    struct decoding_step *step[DECODING_STEPS]; /* for each token, in order */
    size_t n;
    int blanks;      /* there is no decoder: blanks stand between tokens */
    int lossy;       /* bytes that are no UTF-8 are U+FFFD, one for each maximal part;
                        without it only runs of byte tokens can be such, and then
                        each byte of the run is one */
    int first;       /* the first token of a text is another text than inside */
    char strip;      /* taken off the beginning of the text ... */
    size_t strip_up; /* ... at most so often */
};
void decoding_release(struct decoding *d);

/* Takes in the "decoder" of tokenizer.json (NULL or null: there is none).  ERR_FILE. */
int decoding_read(struct decoding *d, const json_t *v, const char *where,
                  struct err *e) MUST_CHECK;

/* What a token's text becomes; `first`: at the beginning of a text.  1 if it is a byte
 * token (out has that byte then), 0 if not; ERR_NOMEM. */
enum token_place { TOKEN_INSIDE, TOKEN_FIRST };
int decoding_token(const struct decoding *d, const char *text, size_t n,
                   enum token_place place, struct token_text *out,
                   struct err *e) MUST_CHECK;

/* A token's text as it is. */
int decoding_plain(const char *text, size_t n, struct token_text *out,
                   struct err *e) MUST_CHECK;

#endif
