/*
 * Base64 (RFC 4648, section 4: + and /, padded).
 */
#ifndef CAGSR_BASE_BASE64_H
#define CAGSR_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters for n bytes, and the room that decoding n characters needs. */
size_t base64_size(size_t n);
size_t base64_room(size_t n);

/* Writes n bytes as base64_size(n) characters, padded. */
void base64_put(char *out, const unsigned char *p, size_t n);

/* Writes the bytes that s[0..n) stands for; returns their number, or -1 if it is not
 * base64. */
int64_t base64_get(unsigned char *out, const char *s, size_t n);

#endif
