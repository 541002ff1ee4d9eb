/*
 * An interpreter of Jinja templates, as chat templates use them.
 *
 * What it renders is what jinja2 renders in the environment of transformers: the immutable
 * sandbox, trim_blocks and lstrip_blocks on, loop controls, {% generation %},
 * raise_exception, strftime_now, tojson as json.dumps writes it.  What is left out is an
 * error with the template's line (parser.h, and rows without function in the tables of
 * filters, methods and functions).  A template can take no more than interp.h allows:
 * steps, depth, memory, output; it sees no file, no environment, no clock but the one it
 * is given.
 *
 * Beside the text comes who wrote which byte of it (str.h).
 *
 * Debian has no C library for this (apt-cache search jinja: Python, Rust, Emacs Lisp, R);
 * the C++ ones that exist (minja, inja) keep no marks, and inja is another language.
 */
#ifndef CAGSR_JINJA_JINJA_H
#define CAGSR_JINJA_JINJA_H

#include "base/err.h"
#include "jinja/value.h"

#include <stddef.h>
#include <time.h>

struct jinja;

/* Parses a template; `where` names its file in errors and must live as long as *out.  The
 * caller owns *out.  ERR_FILE with the line: not Jinja, or not supported. */
int jinja_open(struct jinja **out, const char *source, size_t n, const char *where,
               struct err *e) MUST_CHECK;
void jinja_close(struct jinja *t); /* NULL is fine */

/* Renders t with the variables of the dictionary `vars`, whose values are in->pool's: in is
 * as str_of and its like left it.  `now` (may be NULL) is what strftime_now shows.  *out
 * lies in the pool.  ERR_RECORD where the data are to blame or may be, with the template's
 * own sentence where it refuses; ERR_FILE where it asks for what is not supported. */
int jinja_render(const struct jinja *t, struct interp *in, struct value vars,
                 const struct tm *now, const struct str **out) MUST_CHECK;

#endif
