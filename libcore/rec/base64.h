/*
 * Base64 (RFC 4648, section 4: + and /, padded).  Private to rec/.
 */
#ifndef CAGSR_REC_BASE64_H
#define CAGSR_REC_BASE64_H

#include "rec/record.h"

/* Appends n bytes as base64, padded. */
void rec_base64_put(struct rec_buf *out, const unsigned char *p, size_t n);

/* Appends the bytes that n characters stand for; -1 if they are not base64. */
int rec_base64_get(struct rec_buf *out, const char *s, size_t n);

#endif
