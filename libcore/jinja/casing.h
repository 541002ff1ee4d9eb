/*
 * Upper and lower case, as Python's strings have it: full mappings, so that a character may
 * become several.
 */
#ifndef CAGSR_JINJA_CASING_H
#define CAGSR_JINJA_CASING_H

#include "jinja/str.h"

enum casing {
    CASING_UPPER,
    CASING_LOWER,
    CASING_TITLE,      /* str.title: the first letter of each word */
    CASING_CAPITALIZE, /* the first character */
    CASING_SWAP,
    CASING_FOLD, /* for comparisons */
};

/* s in another case; each character made has the mark of the one it was made from. */
int casing_make(struct interp *in, const struct str *s, enum casing how,
                const struct str **out) MUST_CHECK;

/* Kinds of characters, as str.isX names them. */
enum char_kind {
    CHAR_ALPHA,
    CHAR_DECIMAL,
    CHAR_DIGIT,
    CHAR_NUMERIC,
    CHAR_ALNUM,
    CHAR_SPACE,
    CHAR_ASCII,
    CHAR_UPPER,
    CHAR_LOWER,
};
int casing_is(int32_t c, enum char_kind kind);

#endif
