/*
 * Unicode's special casing, for casing.c.
 */
#ifndef CAGSR_JINJA_CASING_TABLE_H
#define CAGSR_JINJA_CASING_TABLE_H

#include <stdint.h>

struct casing_special {
    int32_t c, upper[3], title[3]; /* 0: no more characters */
};

/* Sorted by c; c = 0 ends it. */
extern const struct casing_special casing_special[];

#endif
