/*
 * Text on its way to the model, with the way back to the text given.
 *
 * What rewrites a text lists changes, character by character; applying them moves the
 * offsets along.  The rules are those of the tokenizers library, so that offsets agree
 * with it: a character that takes the place of another one ends where that one ended, a
 * new one where the one before it ended.
 */
#ifndef CAGSR_TOK_PASSAGE_H
#define CAGSR_TOK_PASSAGE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Valid UTF-8.  Zero-initialised is empty. */
struct passage {
    char *text;
    uint32_t *end; /* (n) offset in the text given behind byte i; NULL: from + i + 1 */
    uint32_t from; /* where it begins in the text given */
    uint32_t head; /* bytes of the first character of the text given; 0 if this is not
                      the beginning of it */
    size_t n, cap;
};
void passage_release(struct passage *p);

/* Room for n bytes (with `end` if mapped). ERR_NOMEM. */
enum passage_map { PASSAGE_STRAIGHT, PASSAGE_MAPPED };
int passage_reserve(struct passage *p, size_t n, enum passage_map map,
                    struct err *e) MUST_CHECK;

/* Offset in the text given, behind the first n bytes (n = 0: where it begins). */
uint32_t passage_end(const struct passage *p, size_t n);

/* 1 if the character at byte `at` is, or stands for, the first one of the text given. */
int passage_at_start(const struct passage *p, size_t at);

/* Copies `part` (bytes at .. at+n of it) into *out.  ERR_NOMEM. */
int passage_copy(struct passage *out, const struct passage *part, size_t at, size_t n,
                 struct err *e) MUST_CHECK;

/* ---- changes --------------------------------------------------------------------------*/

enum { CHANGE_DROP = 0x110000 }; /* no character */

struct change {
    uint32_t c; /* the new character; CHANGE_DROP: the next n characters disappear */
    int32_t n;  /* > 0: added; 0: takes the place of the next one; -k: and the k
                   characters behind that disappear */
};

/* Zero-initialised is empty. */
struct changes {
    struct change *v;
    size_t n, cap;
};
int changes_push(struct changes *to, uint32_t c, int32_t n, struct err *e) MUST_CHECK;

/* The same for each character of s[0..n). */
int changes_push_text(struct changes *to, const char *s, size_t n, int32_t change,
                      struct err *e) MUST_CHECK;

/* Rewrites *p; `spare` is scratch that both keep. ERR_NOMEM. */
int passage_apply(struct passage *p, const struct changes *by, struct passage *spare,
                  struct err *e) MUST_CHECK;

#endif
