/*
 * Growing bytes (struct rec_buf is in record.h): for text and values that are made piece
 * by piece.  A failed growth is remembered in oom and looked at once, at the end.
 */
#ifndef CAGSR_REC_BUF_H
#define CAGSR_REC_BUF_H

#include "rec/record.h"

/* Room for `more` bytes behind buf->n: where they go, or NULL with buf->oom set. */
unsigned char *rec_buf_room(struct rec_buf *buf, size_t more);

/* Appends n bytes; p may lie inside buf itself. */
void rec_buf_add(struct rec_buf *buf, const void *p, size_t n);
void rec_buf_str(struct rec_buf *buf, const char *s);
void rec_buf_printf(struct rec_buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

void rec_buf_clear(struct rec_buf *buf); /* keeps the memory */
void rec_buf_release(struct rec_buf *buf);

/* Room for n fields in r->field; -1: no memory. */
int rec_fields_reserve(struct rec *r, size_t n);

#endif
