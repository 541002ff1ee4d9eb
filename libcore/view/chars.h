/*
 * Text that somebody else wrote, character by character, for places where it must be seen
 * and do nothing: terminals, XML, JSON inside HTML.
 */
#ifndef CAGSR_VIEW_CHARS_H
#define CAGSR_VIEW_CHARS_H

#include "rec/buf.h"

#include <stddef.h>
#include <stdint.h>

#define CHARS_DOT "\xc2\xb7" /* stands for what has no picture */
enum { CHARS_UNSAFE = -1 };

/* The first character of s (n > 0 bytes) into *code, and how many columns it takes on a
 * terminal; returns its bytes.  CHARS_UNSAFE, of one column, for what is not UTF-8 and for
 * characters that would do something instead of being seen: controls (the line feed and
 * the tab, too), marks of direction, surrogates, private and unassigned code points. */
size_t chars_next(int32_t *code, unsigned *columns, const char *s, size_t n);

/* Columns of a text in which each unsafe character is a dot. */
size_t chars_columns(const char *s, size_t n);

/* Appends n bytes of text for XML or HTML, outside tags or inside quotes: line feeds are an
 * arrow, unsafe characters dots. */
void chars_xml(struct rec_buf *out, const char *s, size_t n);

/* Appends a JSON string with its quotes that may stand in a script element: no '<'; line
 * feeds and tabs stay, unsafe characters are dots. */
void chars_json(struct rec_buf *out, const char *s, size_t n);

#endif
