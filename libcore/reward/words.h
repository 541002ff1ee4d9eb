/*
 * The words of a text, by Unicode's rules (utf8proc): runs of letters, marks and digits;
 * an apostrophe or full stop between letters, a point or comma between digits, and an
 * underscore stay inside (don't, e.g, 3.14, a_b); every ideograph stands alone, for there
 * are no spaces to go by.  The form compared is case-folded and composed (NFC), with the
 * apostrophe straight and an English possessive ('s) taken off.
 *
 * Sentences end at . ! ? and their kin before white space, at line feeds, and at the end
 * of each range of text.
 */
#ifndef CAGSR_REWARD_WORDS_H
#define CAGSR_REWARD_WORDS_H

#include "base/err.h"
#include "reward/strtab.h"

#include <stddef.h>

enum word_flag {
    WORD_DIGIT = 1,   /* holds a digit */
    WORD_CAPITAL = 2, /* starts with a capital, but not its sentence */
    WORD_QUOTED = 4,  /* stands inside double quotation marks */
};

struct word {
    size_t begin, end; /* bytes of the text */
    size_t sentence;   /* counted from 0 over all ranges */
    size_t type;       /* index into words.types */
    unsigned flags;
};

/* Zeroed is empty. */
struct words {
    struct word *word;
    size_t n, cap;
    struct strtab types; /* the folded forms */
    size_t sentences;
};

void words_clear(struct words *w); /* keeps the memory */
void words_release(struct words *w);

/* Appends the words of text[begin..end).  ERR_NOMEM only; bytes that are not UTF-8
 * separate words. */
int words_add(struct words *w, const char *text, size_t begin, size_t end,
              struct err *e) MUST_CHECK;

/* 1 if the folded word is an English function word: an article, pronoun, preposition,
 * auxiliary, conjunction, question word or the like. */
int word_is_stop(const char *s, size_t n);

/* 1 if the characters of text (n bytes) that bytes [begin..end) touch are all
 * punctuation, white space or controls; 1 for an empty range too. */
int text_is_filler(const char *text, size_t n, size_t begin, size_t end);

#endif
