/*
 * Text that somebody else wrote as XML, and as JSON inside HTML: it is seen and does nothing.
 */
#ifndef CAGSR_VIEW_ESCAPE_H
#define CAGSR_VIEW_ESCAPE_H

#include "rec/buf.h"

#include <stddef.h>

/* Appends n bytes of text for XML or HTML, outside tags or inside quotes: line feeds are an
 * arrow, unsafe characters dots. */
void escape_xml(struct rec_buf *out, const char *s, size_t n);

/* Appends a JSON string with its quotes that may stand in a script element: no '<'; line
 * feeds and tabs stay, unsafe characters are dots. */
void escape_json(struct rec_buf *out, const char *s, size_t n);

#endif
