/*
 * The chat templates that are known: what each looks like in canonical form, and how it
 * renders.
 */
#ifndef CAGSR_TOK_FAMILIES_H
#define CAGSR_TOK_FAMILIES_H

#include "tok/template.h"

struct template
{
    const struct family *family;
    char *system;   /* ChatML: the system prompt where there is none, or NULL */
    int trim;       /* contents lose white space at both ends */
    int always_ask; /* the assistant is asked to speak even if nobody wants it */
};

/* What a template sees. */
struct scene {
    const struct template *tm;
    const struct chat_message *m;
    size_t n;
    enum template_end end;
    const char *bos, *eos;
};

struct family {
    const char *name;
    const char *pattern;  /* PCRE2, of the whole canonical form; groups: system, trim,
                            ask */
    const char *turn_end; /* what ends an answer; NULL: the end of text */
    int (*render)(struct rendered *r, const struct scene *s, struct err *e);
};

extern const struct family families[]; /* a NULL name ends it */

/* Appending; `user` is 1 for bytes that the user wrote.  Out of memory sticks in r. */
void rendered_put(struct rendered *r, const char *s, size_t n, int user);

#endif
