/*
 * Why something failed: one code and one complete sentence, written where the fault was
 * found.
 *
 * A function that can fail returns 0 or a count, or a negative `enum errcode`, and
 * takes a `struct err *` as its last parameter; callers pass both on.  Nothing in
 * libcore outside cli/ prints or exits.
 */
#ifndef CAGSR_BASE_ERR_H
#define CAGSR_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Each code belongs to one exit status of the tools (err_exit_status). */
enum errcode {
    ERR_IO = -1,      /* read, write, disk full, broken neighbour   exit 1 */
    ERR_RECORD = -2,  /* a record that breaks the schema            exit 1 */
    ERR_NOMEM = -3,   /* out of memory                              exit 1 */
    ERR_USAGE = -4,   /* options that do not fit together           exit 2 */
    ERR_FILE = -5,    /* a model or file that cannot be used        exit 3 */
    ERR_SHAPE = -6,   /* a tensor of the wrong shape or dtype       exit 3 */
    ERR_TRUNC = -7,   /* a stream that ends too early               exit 4 */
    ERR_NUMERIC = -8, /* not a number where one must be             exit 5 */
    ERR_STOPPED = -9, /* stopped early, can be resumed              exit 6 */
};

enum { ERR_TEXT = 768 };

/* Zero-initialised means "no error". */
struct err {
    int code;
    char text[ERR_TEXT]; /* lower case, no full stop, names in 'quotes' */
};

/* Records code and sentence (cut at ERR_TEXT - 1 bytes, control bytes made '?') and
 * returns code, so that a fault is one line:  return err_set(e, ERR_FILE, "%s: ...",
 * path); e may be NULL: then only the code is passed on. */
int err_set(struct err *e, enum errcode code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the sentence already in e, e.g. the record's number.  Returns
 * e's code.  The sentence is cut if the two do not fit. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The exit status of DESIGN's table for a return code: 0 for rc >= 0, else 1..6. */
int err_exit_status(int rc);

#endif
