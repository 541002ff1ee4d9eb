/*
 * Classes of characters, as the tokenizers library has them: its tables are those of old
 * versions of Unicode, and a newer table would give other ids.
 */
#ifndef CAGSR_TOK_CLASSES_H
#define CAGSR_TOK_CLASSES_H

#include <stddef.h>
#include <stdint.h>

struct class_range {
    uint32_t first, last;
};

/* Ranges in ascending order. */
struct class
{
    const struct class_range *range;
    size_t n;
};
extern const struct class class_white, class_punct, class_number, class_mark,
    class_nonspacing, class_control;

/* 1 if c belongs to it. */
int class_has(const struct class *k, uint32_t c);

#endif
