/*
 * The words of a text, by Unicode's rules (utf8proc): runs of letters, marks, digits and
 * connectors; an apostrophe or full stop between letters and a point or comma between
 * digits stay inside (don't, e.g, 3.14); every ideograph stands alone, for there are no
 * spaces to go by.  The form compared is case-folded and composed (NFC).
 *
 * Sentences end at . ! ? and their kin before white space or the end, at line feeds, and
 * at the end of each range of text.
 */
#ifndef CAGSR_REWARD_WORDS_H
#define CAGSR_REWARD_WORDS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum word_flag {
    WORD_DIGIT = 1,   /* holds a digit */
    WORD_CAPITAL = 2, /* starts with a capital and not its sentence */
    WORD_QUOTED = 4,  /* stands inside quotation marks */
};

struct word {
    size_t begin, end; /* bytes of the text */
    size_t sentence;   /* counted from 0 */
    size_t type;       /* index into words.type */
    unsigned flags;
};

struct word_type {
    const char *s; /* folded, NUL-terminated; belongs to the words */
    size_t n;      /* bytes */
    size_t count;  /* how many words are of it */
    size_t first;  /* index of the first of them */
};

struct words {
    struct word *word;
    size_t n, cap;
    struct word_type *type;
    size_t ntypes, types_cap;
    size_t sentences;
    /* private */
    char *pool;
    size_t pool_n, pool_cap;
    size_t *slot;
    size_t slots;
};

/* Empties w and keeps its memory; zeroed is empty.  word_type.s of before is gone. */
void words_clear(struct words *w);
void words_release(struct words *w);

/* Appends the words of text[begin..end), valid UTF-8.  ERR_NOMEM only. */
int words_add(struct words *w, const char *text, size_t begin, size_t end,
              struct err *e) MUST_CHECK;

/* Index of the type whose folded form is s, or SIZE_MAX. */
size_t words_find(const struct words *w, const char *s, size_t n);

/* 1 if the folded word is an English function word: an article, pronoun, preposition,
 * auxiliary, conjunction, question word or the like. */
int word_is_stop(const char *s, size_t n);

/* 1 if text[begin..end) holds nothing but punctuation, white space and controls (empty
 * text too). */
int text_is_filler(const char *text, size_t begin, size_t end);

#endif
