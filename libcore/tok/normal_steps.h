/*
 * Inside the normalizer: the steps of a chain.
 */
#ifndef CAGSR_TOK_NORMAL_STEPS_H
#define CAGSR_TOK_NORMAL_STEPS_H

#include "tok/charsmap.h"
#include "tok/classes.h"
#include "tok/normal.h"
#include "tok/regex.h"

struct normal_step;

/* Lists the changes to s[0..n), n > 0: 1; or returns 0 if the text stays as it is (what
 * was listed is forgotten), or an error. */
typedef int normal_fn(const struct normal_step *step, const char *s, size_t n,
                      struct changes *to, struct err *e);

struct normal_step {
    normal_fn *run;
    char *text; /* Prepend, Append, Replace: what comes in */
    struct regex *regex;
    struct charsmap *map;
    const struct class *class; /* what a filter removes */
    int left, right;           /* Strip */
    enum { FORM_C, FORM_D, FORM_KC, FORM_KD } form;
};

/* Appends a step, which owns what it points to from then on. */
int normal_push(struct normal *n, struct normal_step s, struct err *e) MUST_CHECK;

normal_fn normal_form, normal_charsmap, normal_lowercase, normal_filter, normal_strip,
    normal_prepend, normal_append, normal_replace, normal_nmt_filter, normal_nmt_map,
    normal_bert_filter, normal_bert_map, normal_bert_chinese;

#endif
