/*
 * Dictionaries: ordered as their keys came, looked up by equality (1, 1.0 and true are one
 * key).
 */
#ifndef CAGSR_JINJA_DICT_H
#define CAGSR_JINJA_DICT_H

#include "jinja/value.h"

struct dict {
    struct value *key, *val; /* (n) */
    size_t n, cap;
    uint32_t *slot; /* (nslots) 1 + the pair's number, by hash; NULL while few */
    size_t nslots;
};

/* An empty one. */
int dict_new(struct interp *in, struct dict **out) MUST_CHECK;

/* The value as V_DICT. */
struct value dict_value(struct dict *d);

/* Adds or replaces; ERR_RECORD for a key that has no hash (a list, a dictionary). */
int dict_set(struct interp *in, struct dict *d, struct value key,
             struct value val) MUST_CHECK;

/* The same under a NUL-terminated key that lives long enough. */
int dict_set_lit(struct interp *in, struct dict *d, const char *key,
                 struct value val) MUST_CHECK;

/* 1 for what can be a key: numbers, texts, none, undefined, tuples of these. */
int dict_is_key(struct value v);

/* The value under a key, NULL if there is none or the key has no hash. */
const struct value *dict_get(const struct dict *d, struct value key);
const struct value *dict_get_lit(const struct dict *d, const char *key);

/* All pairs of `from` into d. */
int dict_update(struct interp *in, struct dict *d, const struct dict *from) MUST_CHECK;

/* dict(v): of a dictionary its pairs, of an iterable its elements of two. */
int dict_fill(struct interp *in, struct dict *d, struct value v) MUST_CHECK;

/* keys(), values(), items(): V_KEYS, V_VALUES, V_ITEMS, or any other sequence type. */
int dict_view(struct interp *in, const struct dict *d, enum value_type view,
              enum value_type type, struct value *out) MUST_CHECK;

#endif
