/*
 * Two texts side by side on a terminal: each wrapped in its half, lines of both joined.
 */
#ifndef CAGSR_VIEW_BESIDE_H
#define CAGSR_VIEW_BESIDE_H

#include "view/paint.h"

#include <stddef.h>

struct beside_text {
    const char *s; /* (n) UTF-8; what is unsafe to see becomes dots */
    size_t n;
    const unsigned char *mark; /* (n) 1: a byte of a word to be made to stand out; or
                                  NULL.  Only where there are colours. */
    unsigned attrs;            /* how: PAINT_ bits */
};

/* Columns of each half of a width. */
size_t beside_half(size_t width);

/* Appends lines of at most `width` columns, each with its line feed. */
void beside_put(struct rec_buf *out, const struct beside_text *left,
                const struct beside_text *right, enum paint_depth depth, size_t width);

#endif
