/*
 * From template source to tokens: Jinja's rules, with trim_blocks and lstrip_blocks on and
 * the last newline dropped, as transformers has it.
 *
 * White space control is done here: what is left between tags is TOKEN_DATA, to be printed
 * as it is.  Comments and the marks of raw blocks leave no token.
 */
#ifndef CAGSR_JINJA_LEXER_H
#define CAGSR_JINJA_LEXER_H

#include "jinja/value.h"

enum token_type {
    TOKEN_END,
    TOKEN_DATA,
    TOKEN_OUTPUT,     /* {{ */
    TOKEN_OUTPUT_END, /* }} */
    TOKEN_BLOCK,      /* {% */
    TOKEN_BLOCK_END,  /* %} */
    TOKEN_NAME,
    TOKEN_CONST, /* a string or a number */
    TOKEN_SIGN,  /* an operator or bracket */
};

struct token {
    enum token_type type;
    int line;
    const char *s; /* NAME, SIGN, DATA: (n), borrowed from the lexer's source */
    size_t n;
    struct value value; /* CONST; DATA as V_STR */
};

struct tokens {
    struct token *v; /* (n), the last is TOKEN_END */
    size_t n, cap;
};

/* Reads source[0..n).  Tokens live in in's pool.  ERR_FILE with the line. */
int jinja_lex(struct interp *in, const char *source, size_t n,
              struct tokens *out) MUST_CHECK;

/* 1 if the token is this name or sign. */
int token_is(const struct token *t, enum token_type type, const char *text);

#endif
