/*
 * Text that somebody else wrote, character by character, for places where it must be seen
 * and do nothing; and how wide it is on a terminal.
 */
#ifndef CAGSR_BASE_CHARS_H
#define CAGSR_BASE_CHARS_H

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

#endif
