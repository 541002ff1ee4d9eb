/*
 * The canonical form of a chat template's Jinja source: the same for every way to write
 * the same template that we know of.
 *
 *     text, '...' outputs     "text", neighbours joined, \n \" \\ escaped
 *     {{ a + b ~ c }}         {{a}}{{b}}{{c}}
 *     {%- if x.role  %}       {%if x['role']%}, white space control carried out
 *     "a\x41"                 'aA' (inside tags, \n \' \\ escaped)
 *     x.strip()               x|trim
 *     {# ... #}               nothing
 *
 * The environment is that of transformers: trim_blocks and lstrip_blocks on, one newline
 * at the end of the source dropped.
 */
#ifndef CAGSR_TOK_CANON_H
#define CAGSR_TOK_CANON_H

#include "base/err.h"

#include <stddef.h>

/* *out is malloc'd, the caller's.  ERR_FILE: a tag or string that does not end. */
int canon_make(char **out, const char *source, const char *where,
               struct err *e) MUST_CHECK;

#endif
