/*
 * Strings that know which of their bytes the user wrote.
 *
 * Text is valid UTF-8 and may hold U+0000; positions that templates see count code points,
 * as Python's do, positions here are bytes unless they are called characters.  Beside the
 * bytes lies one mark per byte: 1 = the user's.  Whatever is made of a string takes its
 * marks along: a slice shares both, a copy copies both, a changed character (upper,
 * escaped in JSON) has the mark of the one it was made from, and what a template adds
 * (separators, quotes) has none.
 */
#ifndef CAGSR_JINJA_STR_H
#define CAGSR_JINJA_STR_H

#include "jinja/interp.h"

#include <stddef.h>
#include <stdint.h>

struct str {
    const char *s;             /* (n), no NUL behind them; in the pool, or borrowed */
    const unsigned char *user; /* (n) 0 or 1; NULL: none is the user's */
    size_t n;                  /* bytes */
    size_t chars;              /* code points */
    int safe; /* `safe` was put on it: + escapes what it is joined to */
};

enum str_who { STR_NOBODY, STR_USER };

/* A string of bytes that the caller keeps; all of them marked for STR_USER.  ERR_RECORD if
 * they are not UTF-8. */
int str_of(struct interp *in, const char *s, size_t n, enum str_who who,
           const struct str **out) MUST_CHECK;

/* A NUL-terminated literal that lives long enough. */
int str_lit(struct interp *in, const char *s, const struct str **out) MUST_CHECK;

/* printf into the pool. */
int str_printf(struct interp *in, const struct str **out, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* Bytes [from, to), which begin and end at characters; shares memory with s. */
int str_sub(struct interp *in, const struct str *s, size_t from, size_t to,
            const struct str **out) MUST_CHECK;

int str_equal(const struct str *a, const struct str *b); /* marks do not count */
int str_is(const struct str *s, const char *lit);
int str_compare(const struct str *a,
                const struct str *b); /* <0, 0, >0 by code points */

/* The byte where character i begins (n for i >= chars), and how many characters lie before
 * a byte. */
size_t str_byte(const struct str *s, size_t i);
size_t str_char(const struct str *s, size_t byte);

/* The code point at byte `at`, and how long it is. */
int32_t str_at(const struct str *s, size_t at, size_t *len);
/* The byte where the character that ends before byte `at` (> 0) begins. */
size_t str_before(const struct str *s, size_t at);

/* First or last place of `what` in bytes [from, to): its byte, or -1.  An empty one is
 * found at once. */
ptrdiff_t str_find(const struct str *s, const struct str *what, size_t from, size_t to);
ptrdiff_t str_rfind(const struct str *s, const struct str *what, size_t from,
                    size_t to);

enum str_ends { STR_LEFT = 1, STR_RIGHT = 2, STR_BOTH = 3 };

/* Without characters of the set `chars` at its ends; NULL: white space (str.strip). */
int str_strip(struct interp *in, const struct str *s, const struct str *chars,
              enum str_ends ends, const struct str **out) MUST_CHECK;

/* The first `limit` places of `old` become `new`; limit < 0: all (str.replace). */
int str_replace(struct interp *in, const struct str *s, const struct str *old,
                const struct str *new, int64_t limit,
                const struct str **out) MUST_CHECK;

/* & < > ' " as HTML, and `safe` (markupsafe's escape); a safe one stays. */
int str_escape(struct interp *in, const struct str *s,
               const struct str **out) MUST_CHECK;

/* A copy with `safe` set so. */
int str_mark_safe(struct interp *in, const struct str *s, int safe,
                  const struct str **out) MUST_CHECK;

/* ---- characters -----------------------------------------------------------------------*/

int str_is_space(int32_t c);   /* str.isspace, which is also what strip takes off */
int str_is_newline(int32_t c); /* what str.splitlines cuts at */

/* ---- building -------------------------------------------------------------------------
 * {in} begins an empty one; its memory is the pool's. */
struct buf {
    struct interp *in;
    char *s;
    unsigned char *user;
    size_t n, cap;
    int users; /* a byte of it is the user's */
};

int buf_put(struct buf *b, const char *s, const unsigned char *user,
            size_t n) MUST_CHECK; /* user NULL: nobody's */
int buf_lit(struct buf *b, const char *s) MUST_CHECK;
int buf_add(struct buf *b, const struct str *s) MUST_CHECK;
int buf_sub(struct buf *b, const struct str *s, size_t from, size_t to) MUST_CHECK;
/* One code point, the user's if `user`. */
int buf_char(struct buf *b, int32_t c, int user) MUST_CHECK;
/* `c`, n times, nobody's. */
int buf_fill(struct buf *b, char c, size_t n) MUST_CHECK;
/* The string that was built; the buffer is not used again. */
int buf_done(struct buf *b, const struct str **out) MUST_CHECK;

#endif
