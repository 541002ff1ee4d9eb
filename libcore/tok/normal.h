/*
 * Normalizers: what becomes of a text before it is cut into words.
 *
 * A chain of steps, each rewriting the whole text; the names, and what they do down to the
 * offsets, are those of the tokenizers library.
 */
#ifndef CAGSR_TOK_NORMAL_H
#define CAGSR_TOK_NORMAL_H

#include "base/err.h"
#include "tok/passage.h"

#include <jansson.h>

struct normal; /* a chain */

struct normal *normal_new(void); /* NULL: no memory */
void normal_free(struct normal *n);

/* Appends what a "normalizer" of tokenizer.json describes (null: nothing).  `where` names
 * the file.  ERR_FILE, ERR_NOMEM. */
int normal_add(struct normal *n, const json_t *v, const char *where,
               struct err *e) MUST_CHECK;

/* The compiled rules of the chain's first step of that kind (tok/charsmap.h), which live as
 * long as the chain, and their bytes; NULL: there is none. */
const char *normal_compiled(const struct normal *n, size_t *bytes);

/* Rewrites *p.  ERR_RECORD if an expression gives up, ERR_NOMEM. */
int normal_run(struct normal *n, struct passage *p, struct err *e) MUST_CHECK;

#endif
