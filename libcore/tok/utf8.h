/*
 * UTF-8 as Unicode defines it: no surrogates, no overlong forms, up to U+10FFFF.
 */
#ifndef CAGSR_TOK_UTF8_H
#define CAGSR_TOK_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the longest prefix of s[0..n) that is whole valid characters; n if all is. */
size_t utf8_valid(const char *s, size_t n);

/* Can byte c follow the `have` (1..3) bytes at s, a correct beginning of a character that
 * is not whole yet?  1 or 0. */
int utf8_continues(const unsigned char *s, size_t have, unsigned char c);

/* Bytes of the character that begins with c: 1 to 4; 0 where no character does. */
size_t utf8_length(unsigned char c);

/* Writes code point c (below 0x110000) as 1 to 4 bytes; returns their number. */
size_t utf8_put(char out[4], uint32_t c);

/* The code point at s[0..n), which begins with a valid character; *len its bytes. */
uint32_t utf8_get(const char *s, size_t n, size_t *len);

#endif
